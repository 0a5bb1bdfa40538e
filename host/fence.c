/* SPDX-License-Identifier: MIT */
/* The fence's outside: the child process, and how it ended. What holds it is in fence_enter.c. */
#include "host/fence.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#define STDOUT_BYTES 65536

void fence_standard_files(void)
{
    /* Each the wrong way round: reading standard input and writing the others still fails. */
    static const int flags[] = {O_WRONLY, O_RDONLY, O_RDONLY};

    for (int fd = 0; fd < 3; fd++) {
        if (fcntl(fd, F_GETFD) < 0 && open("/dev/null", flags[fd]) < 0)
            _exit(FENCE_FAILED);
    }
}

void *fence_share(size_t nr_bytes)
{
    void *p = mmap(NULL, nr_bytes, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);

    if (p != MAP_FAILED)
        return p;
    fprintf(stderr, "pvboot: no memory to share with the process that reads the image: %s\n",
            strerror(errno));
    return NULL;
}

static _Noreturn void be_the_child(const struct fence *f, pid_t parent, const sigset_t *mask,
                                   int (*work)(void *ctx), void *ctx)
{
    static char stdout_buf[STDOUT_BYTES];
    char why[512], made[256];

    /* Now, because behind the fence nobody may ask what kind of file it is. */
    setvbuf(stdout, stdout_buf, isatty(STDOUT_FILENO) ? _IOLBF : _IOFBF, sizeof(stdout_buf));
    sigprocmask(SIG_SETMASK, mask, NULL);
    if (!fence_enter(f, parent, made, sizeof(made), why, sizeof(why))) {
        fprintf(stderr, "pvboot: %s\n", why);
        _exit(FENCE_FAILED);
    }
    if (f->verbose)
        fprintf(stderr, "pvboot: the image is read behind a fence: %s\n", made);
    /* Not exit: what others have registered for it would run once in each process. */
    int status = work(ctx);

    fflush(stdout);
    _exit(status);
}

/* Why the child is dead, unless it was this program's own doing. */
static void say_death(const struct fence *f, int signal_nr)
{
    const char *bug = "; the image may be made for that, or pvboot is wrong: please report it";

    if (signal_nr == SIGSYS)
        fprintf(stderr,
                "pvboot: the process that reads the image was stopped: it tried a system call that "
                "its fence forbids%s\n",
                bug);
    else if (signal_nr == SIGKILL)
        fprintf(stderr, "pvboot: the process that reads the image was killed; perhaps the machine "
                        "has no memory left\n");
    else if (signal_nr == SIGXCPU)
        fprintf(stderr,
                "pvboot: reading the image took more than %u s of processor time and was stopped\n",
                f->cpu_s);
    else if (signal_nr == SIGXFSZ)
        fprintf(stderr, "pvboot: the output is larger than a file may be, and was stopped\n");
    else
        fprintf(stderr, "pvboot: the process that reads the image crashed (%s)%s\n",
                strsignal(signal_nr), bug);
}

static struct fence_end ended(const struct fence *f, int wait_status)
{
    struct fence_end end = {.status = FENCE_FAILED};

    if (WIFEXITED(wait_status)) {
        end.status = WEXITSTATUS(wait_status);
    } else {
        int signal_nr = WTERMSIG(wait_status);

        if (signal_nr == SIGPIPE || signal_nr == SIGINT || signal_nr == SIGTERM ||
            signal_nr == SIGHUP)
            end.signal_nr = signal_nr; /* as if this process had written, or been told */
        else
            say_death(f, signal_nr);
    }
    return end;
}

/* Wait for the child, or for a signal of `wanted` that ends it. */
static struct fence_end wait_for(const struct fence *f, pid_t child, const sigset_t *wanted)
{
    int wait_status = 0, signal_nr = 0;

    for (;;) {
        pid_t got = waitpid(child, &wait_status, signal_nr == 0 ? WNOHANG : 0);

        if (got == child)
            break;
        if (got < 0 && errno != EINTR) {
            fprintf(stderr, "pvboot: waiting for the process that reads the image: %s\n",
                    strerror(errno));
            return (struct fence_end){.status = FENCE_FAILED};
        }
        if (signal_nr != 0)
            continue;
        int came = sigwaitinfo(wanted, NULL);

        if (came > 0 && came != SIGCHLD) {
            signal_nr = came;
            kill(child, SIGKILL);
        }
    }
    if (signal_nr != 0)
        return (struct fence_end){.status = FENCE_FAILED, .signal_nr = signal_nr};
    return ended(f, wait_status);
}

/* SIGCHLD, and what asks a program to end, as far as the caller has not said to ignore it. */
static void wanted_signals(sigset_t *wanted)
{
    static const int ends[] = {SIGINT, SIGTERM, SIGHUP, SIGQUIT};

    sigemptyset(wanted);
    sigaddset(wanted, SIGCHLD);
    for (size_t i = 0; i < sizeof(ends) / sizeof(ends[0]); i++) {
        struct sigaction old;

        if (sigaction(ends[i], NULL, &old) == 0 && old.sa_handler != SIG_IGN)
            sigaddset(wanted, ends[i]);
    }
}

struct fence_end fence_run(const struct fence *f, int (*work)(void *ctx), void *ctx)
{
    const struct sigaction usual = {.sa_handler = SIG_DFL};
    struct sigaction old_chld;
    struct fence_end end;
    sigset_t wanted, mask;
    pid_t parent = getpid(), child;

    fflush(stdout);
    sigaction(SIGCHLD, &usual, &old_chld); /* ignored, no child could be waited for */
    wanted_signals(&wanted);
    sigprocmask(SIG_BLOCK, &wanted, &mask);
    child = fork();
    if (child == 0)
        be_the_child(f, parent, &mask, work, ctx);
    if (child < 0) {
        fprintf(stderr, "pvboot: no process could be made to read the image: %s\n",
                strerror(errno));
        end = (struct fence_end){.status = FENCE_FAILED};
    } else {
        if (f->begun != NULL)
            f->begun(ctx);
        end = wait_for(f, child, &wanted);
    }
    sigprocmask(SIG_SETMASK, &mask, NULL);
    sigaction(SIGCHLD, &old_chld, NULL);
    return end;
}

int fence_status(struct fence_end end)
{
    const struct sigaction usual = {.sa_handler = SIG_DFL};
    sigset_t one;

    if (end.signal_nr == 0)
        return end.status;
    sigemptyset(&one);
    sigaddset(&one, end.signal_nr);
    sigaction(end.signal_nr, &usual, NULL);
    sigprocmask(SIG_UNBLOCK, &one, NULL);
    raise(end.signal_nr);
    return end.status;
}
