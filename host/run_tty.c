/* SPDX-License-Identifier: MIT */
/* The person's terminal; see run_tty.h. */
#include "host/run_tty.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdlib.h>
#include <termios.h>
#include <unistd.h>

static struct termios saved;
static volatile sig_atomic_t is_raw;
static int signal_pipe[2] = {-1, -1};

void tty_restore(void)
{
    if (!is_raw)
        return;
    is_raw = 0;
    tcsetattr(STDIN_FILENO, TCSADRAIN, &saved);
}

static void on_end(int sig)
{
    int err = errno;
    char byte = (char)sig;

    if (write(signal_pipe[1], &byte, 1) < 0) {
        /* the pipe is full: the news is there already */
    }
    errno = err;
}

static void on_bug(int sig)
{
    tty_restore();
    signal(sig, SIG_DFL);
    raise(sig);
}

int tty_signals(void)
{
    static const int end[] = {SIGINT, SIGTERM, SIGHUP, SIGQUIT};
    static const int bug[] = {SIGSEGV, SIGBUS, SIGILL, SIGFPE, SIGABRT};
    struct sigaction sa = {.sa_handler = on_end};

    if (pipe2(signal_pipe, O_CLOEXEC | O_NONBLOCK) < 0)
        return -1;
    sigemptyset(&sa.sa_mask);
    for (size_t i = 0; i < sizeof(end) / sizeof(end[0]); i++)
        sigaction(end[i], &sa, NULL);
    sa.sa_handler = on_bug;
    for (size_t i = 0; i < sizeof(bug) / sizeof(bug[0]); i++)
        sigaction(bug[i], &sa, NULL);
    signal(SIGPIPE, SIG_IGN);
    atexit(tty_restore);
    return signal_pipe[0];
}

bool tty_raw(void)
{
    struct termios t;

    if (tcgetattr(STDIN_FILENO, &t) < 0)
        return false;
    saved = t;
    cfmakeraw(&t);
    is_raw = 1;
    return tcsetattr(STDIN_FILENO, TCSADRAIN, &t) == 0;
}
