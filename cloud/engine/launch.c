/* SPDX-License-Identifier: MIT */
/* How the embedded engine begins a runner; see launch.h. */
#include "cloud/engine/launch.h"

#include <errno.h>
#include <fcntl.h>
#include <glob.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "cloud/engine/runner.h"

#define REPORT_FD 4 /* in the child: closes when the program runs */

static const struct flock whole = {.l_type = F_WRLCK, .l_whence = SEEK_SET};

bool launch_alive(int dir_fd)
{
    int fd = openat(dir_fd, "lock", O_RDWR | O_CLOEXEC);
    struct flock lock = whole;
    bool held;

    if (fd < 0)
        return false;
    held = fcntl(fd, F_OFD_GETLK, &lock) == 0 && lock.l_type != F_UNLCK;
    close(fd);
    return held;
}

int launch_lock(int dir_fd)
{
    int fd = openat(dir_fd, "lock", O_RDWR | O_CREAT | O_CLOEXEC, 0600);
    struct flock lock = whole;
    int error;

    if (fd < 0 || fcntl(fd, F_OFD_SETLK, &lock) == 0)
        return fd;
    error = errno == EACCES ? EAGAIN : errno;
    close(fd);
    errno = error;
    return -1;
}

/* Only calls that are safe after a fork in a process of many threads. */
_Noreturn static void become_runner(const char *program, char *const *argv, int lock, int log,
                                    int report)
{
    int null = open("/dev/null", O_RDONLY | O_CLOEXEC);
    int error;

    setsid();
    /* out of the way of the numbers that they are to have */
    lock = fcntl(lock, F_DUPFD, 16);
    log = fcntl(log, F_DUPFD, 16);
    report = fcntl(report, F_DUPFD, 16);
    null = fcntl(null, F_DUPFD, 16);
    if (dup2(null, 0) >= 0 && dup2(log, 1) >= 0 && dup2(log, 2) >= 0 &&
        dup2(lock, RUNNER_LOCK_FD) >= 0 && dup2(report, REPORT_FD) >= 0 &&
        fcntl(REPORT_FD, F_SETFD, FD_CLOEXEC) == 0) {
        close_range(REPORT_FD + 1, ~0u, 0);
        execv(program, argv);
    }
    error = errno;
    (void)!write(REPORT_FD, &error, sizeof(error));
    _exit(127);
}

/* The runner is a grandchild, so that nobody must wait for its end. 0, or an errno. */
static int fork_runner(const char *program, const char *folder, int lock, int log)
{
    char *const argv[] = {(char *)"pvbootd", (char *)"--run-guest", (char *)folder, NULL};
    int report[2], error = 0;
    pid_t child;

    if (pipe2(report, O_CLOEXEC) != 0)
        return errno;
    child = fork();
    if (child == 0) {
        pid_t runner = fork();

        if (runner == 0)
            become_runner(program, argv, lock, log, report[1]);
        _exit(runner < 0);
    }
    if (child < 0)
        error = errno;
    close(report[1]);
    if (child > 0) {
        int status = 0;

        while (waitpid(child, &status, 0) < 0 && errno == EINTR)
            ;
        if (status != 0)
            error = EAGAIN;
        else if (read(report[0], &error, sizeof(error)) != (ssize_t)sizeof(error))
            error = 0; /* it was closed: the program runs */
    }
    close(report[0]);
    return error;
}

/* With the lock. */
static bool begin(int dir_fd, const char *folder, const char *program, int lock,
                  const struct buf *guest, struct buf *why)
{
    int log, error;

    unlinkat(dir_fd, "control", 0);
    unlinkat(dir_fd, "result", 0);
    unlinkat(dir_fd, "started", 0);
    if (!small_write(dir_fd, "guest", guest->text, guest->len)) {
        buf_printf(why, "The instance's description cannot be written: %s.", strerror(errno));
        return false;
    }
    log = openat(dir_fd, "log", O_WRONLY | O_CREAT | O_TRUNC | O_APPEND | O_CLOEXEC, 0600);
    error = log < 0 ? errno : fork_runner(program, folder, lock, log);
    if (log >= 0)
        close(log);
    if (error)
        buf_printf(why, "What is to run the instance cannot be started: %s.", strerror(error));
    return error == 0;
}

enum launch_result launch(int dir_fd, const char *folder, const char *program,
                          const struct buf *guest, struct buf *why)
{
    int lock = launch_lock(dir_fd);
    struct buf said = {0};
    bool good;

    if (lock < 0 && errno == EAGAIN) {
        enum control_said how = control_ask(dir_fd, "status", 1000, NULL, &said);

        buf_free(&said);
        return how == CONTROL_NOBODY ? LAUNCH_ENDING : LAUNCH_DONE;
    }
    if (lock < 0) {
        buf_printf(why, "The instance's folder cannot be used: %s.", strerror(errno));
        return LAUNCH_FAILED;
    }
    good = begin(dir_fd, folder, program, lock, guest, why);
    close(lock);
    return good ? LAUNCH_DONE : LAUNCH_FAILED;
}

void launch_tell_first_use(const char *engine_dir)
{
    const char *cache = getenv("PVBOOT_CACHE");
    struct buf pattern = {0};
    glob_t found;

    if (cache)
        buf_printf(&pattern, "%s/host-*/manifest", cache);
    else
        buf_printf(&pattern, "%s/cache/host-*/manifest", engine_dir);
    if (glob(pattern.text, 0, NULL, &found) == 0)
        globfree(&found);
    else
        fprintf(stderr, "pvbootd: the Xen host for instances is made from this machine's packages, "
                        "once; what is not installed is downloaded, which may take minutes\n");
    buf_free(&pattern);
}
