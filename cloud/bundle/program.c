/* SPDX-License-Identifier: MIT */
#include "cloud/bundle/program.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#define SAID_MAX 1024

/* The last of what a program said, as one line. */
struct said {
    char text[SAID_MAX];
    size_t len;
};

static void hear(struct said *s, const char *bytes, size_t len)
{
    for (size_t i = 0; i < len; i++) {
        if (s->len == sizeof(s->text) - 1) { /* the end is what matters */
            memmove(s->text, s->text + SAID_MAX / 2, s->len - SAID_MAX / 2);
            s->len -= SAID_MAX / 2;
        }
        if (bytes[i] != '\n')
            s->text[s->len++] = bytes[i];
        else if (s->len > 0 && s->text[s->len - 1] != ' ')
            s->text[s->len++] = ' ';
    }
    s->text[s->len] = '\0';
}

/* Seconds of a clock that nobody sets. */
static time_t now_s(void)
{
    struct timespec now;

    clock_gettime(CLOCK_MONOTONIC, &now);
    return now.tv_sec;
}

/* Take what comes from both pipes until they end. False: it was ended at the time `end_s`, not 0.
 */
static bool listen_to(pid_t pid, int out_fd, int err_fd, const stop_flag *stop, time_t end_s,
                      char *out, size_t out_cap, struct said *said)
{
    struct pollfd fds[2] = {{.fd = out_fd, .events = POLLIN}, {.fd = err_fd, .events = POLLIN}};
    size_t out_len = 0;
    char buf[4096];

    while (fds[0].fd >= 0 || fds[1].fd >= 0) {
        int ready = poll(fds, 2, 500);

        if (*stop != 0)
            kill(pid, SIGTERM);
        if (end_s != 0 && now_s() >= end_s) {
            kill(-pid, SIGKILL);
            break; /* what it started in groups of their own may hold the pipes */
        }
        for (int i = 0; ready > 0 && i < 2; i++) {
            if (fds[i].fd < 0 || fds[i].revents == 0)
                continue;
            ssize_t n = read(fds[i].fd, buf, sizeof(buf));

            if (n == 0 || (n < 0 && errno != EINTR))
                fds[i].fd = -1;
            if (n <= 0)
                continue;
            if (i == 1 || out == NULL) {
                hear(said, buf, (size_t)n);
            } else {
                size_t take = (size_t)n < out_cap - 1 - out_len ? (size_t)n : out_cap - 1 - out_len;

                memcpy(out + out_len, buf, take);
                out_len += take;
            }
        }
    }
    if (out != NULL)
        out[out_len] = '\0';
    return fds[0].fd < 0 && fds[1].fd < 0;
}

/*
 * The program must not go on when this process is gone, killed perhaps. Nothing here takes a lock:
 * another thread of the parent may have held it, and then nobody ever lets it go.
 */
static _Noreturn void be_the_program(const char *const *argv, int out_fd, int err_fd, pid_t parent,
                                     char **env)
{
    int null = open("/dev/null", O_RDONLY | O_CLOEXEC);
    sigset_t none;

    sigemptyset(&none);
    sigprocmask(SIG_SETMASK, &none, NULL);
    /* The terminal's interrupt reaches us, and we end it. */
    setpgid(0, 0);
    environ = env; /* execvp searches the PATH of this one */
    if (prctl(PR_SET_PDEATHSIG, SIGKILL) == 0 && getppid() == parent && dup2(null, 0) == 0 &&
        dup2(out_fd, 1) == 1 && dup2(err_fd, 2) == 2)
        execvp(argv[0], (char *const *)argv);
    dprintf(err_fd, "cannot be started: %s", strerror(errno));
    _exit(127);
}

/* The environment with another PATH; freed with free. NULL: no memory. */
static char **with_path(char *path)
{
    size_t nr = 0;
    char **env;

    while (environ[nr] != NULL)
        nr++;
    env = calloc(nr + 2, sizeof(*env));
    if (env == NULL)
        return NULL;
    env[0] = path;
    nr = 1;
    for (char **old = environ; *old != NULL; old++) {
        if (strncmp(*old, "PATH=", 5) != 0)
            env[nr++] = *old;
    }
    return env;
}

static bool start(const char *const *argv, int out_fd, int err_fd, pid_t *pid)
{
    const char *old = getenv("PATH");
    pid_t parent = getpid();
    char path[4096];
    char **env;

    snprintf(path, sizeof(path), "PATH=%s:/usr/sbin:/sbin:/usr/bin:/bin", old != NULL ? old : "");
    env = with_path(path);
    if (env == NULL)
        return false;
    *pid = fork();
    if (*pid == 0)
        be_the_program(argv, out_fd, err_fd, parent, env);
    free(env);
    return *pid > 0;
}

bool program_run_within(const char *const *argv, unsigned limit_s, const stop_flag *stop, char *out,
                        size_t out_cap, char *why, size_t why_cap)
{
    struct said said = {.len = 0};
    int out_pipe[2], err_pipe[2], status = 0;
    pid_t pid;

    if (pipe2(out_pipe, O_CLOEXEC) != 0) {
        snprintf(why, why_cap, "no pipe for %s: %s", argv[0], strerror(errno));
        return false;
    }
    if (pipe2(err_pipe, O_CLOEXEC) != 0) {
        snprintf(why, why_cap, "no pipe for %s: %s", argv[0], strerror(errno));
        close(out_pipe[0]);
        close(out_pipe[1]);
        return false;
    }
    bool good = start(argv, out_pipe[1], err_pipe[1], &pid);

    close(out_pipe[1]);
    close(err_pipe[1]);
    if (!good) {
        snprintf(why, why_cap, "%s cannot be started: %s", argv[0], strerror(errno));
    } else {
        bool in_time = listen_to(pid, out_pipe[0], err_pipe[0], stop,
                                 limit_s != 0 ? now_s() + (time_t)limit_s : 0, out, out_cap, &said);

        while (waitpid(pid, &status, 0) < 0 && errno == EINTR)
            continue;
        good = WIFEXITED(status) && WEXITSTATUS(status) == 0;
        if (*stop != 0)
            snprintf(why, why_cap, "interrupted; nothing of the bundle was left");
        else if (!in_time)
            snprintf(why, why_cap, "%s did not end within %u seconds", argv[0], limit_s);
        else if (!good)
            snprintf(why, why_cap, "%s failed: %s", argv[0], said.text);
    }
    close(out_pipe[0]);
    close(err_pipe[0]);
    return good && *stop == 0;
}

bool program_run(const char *const *argv, const stop_flag *stop, char *out, size_t out_cap,
                 char *why, size_t why_cap)
{
    return program_run_within(argv, 0, stop, out, out_cap, why, why_cap);
}
