/* SPDX-License-Identifier: MIT */
#include "cloud/bundle/program.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <pthread.h>
#include <spawn.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#define SAID_MAX 1024

extern char **environ;

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

/* Take what comes from both pipes until they end. */
static void listen_to(pid_t pid, int out_fd, int err_fd, const volatile sig_atomic_t *stop,
                      char *out, size_t out_cap, struct said *said)
{
    struct pollfd fds[2] = {{.fd = out_fd, .events = POLLIN}, {.fd = err_fd, .events = POLLIN}};
    size_t out_len = 0;
    char buf[4096];

    while (fds[0].fd >= 0 || fds[1].fd >= 0) {
        int ready = poll(fds, 2, 500);

        if (*stop != 0)
            kill(pid, SIGTERM);
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
}

static bool start(const char *const *argv, int out_fd, int err_fd, pid_t *pid)
{
    posix_spawn_file_actions_t actions;
    posix_spawnattr_t attributes;
    sigset_t none;
    int error;

    sigemptyset(&none);
    posix_spawn_file_actions_init(&actions);
    posix_spawn_file_actions_addopen(&actions, 0, "/dev/null", O_RDONLY, 0);
    posix_spawn_file_actions_adddup2(&actions, out_fd, 1);
    posix_spawn_file_actions_adddup2(&actions, err_fd, 2);
    posix_spawnattr_init(&attributes);
    posix_spawnattr_setsigmask(&attributes, &none);
    /* The terminal's interrupt reaches us, and we end it. */
    posix_spawnattr_setpgroup(&attributes, 0);
    posix_spawnattr_setflags(&attributes, POSIX_SPAWN_SETSIGMASK | POSIX_SPAWN_SETPGROUP);
    error = posix_spawnp(pid, argv[0], &actions, &attributes, (char *const *)argv, environ);
    posix_spawn_file_actions_destroy(&actions);
    posix_spawnattr_destroy(&attributes);
    errno = error;
    return error == 0;
}

/* Where root's programs are, too. Once: others may be reading the environment by then. */
static void extend_path(void)
{
    const char *env = getenv("PATH");
    char path[4096];

    snprintf(path, sizeof(path), "%s:/usr/sbin:/sbin:/usr/bin:/bin", env != NULL ? env : "");
    setenv("PATH", path, 1);
}

bool program_run(const char *const *argv, const volatile sig_atomic_t *stop, char *out,
                 size_t out_cap, char *why, size_t why_cap)
{
    struct said said = {.len = 0};
    static pthread_once_t once = PTHREAD_ONCE_INIT;
    int out_pipe[2], err_pipe[2], status = 0;
    pid_t pid;

    pthread_once(&once, extend_path);
    if (pipe2(out_pipe, O_CLOEXEC) != 0 || pipe2(err_pipe, O_CLOEXEC) != 0) {
        snprintf(why, why_cap, "no pipe for %s: %s", argv[0], strerror(errno));
        return false;
    }
    bool good = start(argv, out_pipe[1], err_pipe[1], &pid);

    close(out_pipe[1]);
    close(err_pipe[1]);
    if (!good) {
        snprintf(why, why_cap, "%s cannot be started: %s", argv[0], strerror(errno));
    } else {
        listen_to(pid, out_pipe[0], err_pipe[0], stop, out, out_cap, &said);
        while (waitpid(pid, &status, 0) < 0 && errno == EINTR)
            continue;
        good = WIFEXITED(status) && WEXITSTATUS(status) == 0;
        if (*stop != 0)
            snprintf(why, why_cap, "interrupted; nothing of the bundle was left");
        else if (!good)
            snprintf(why, why_cap, "%s failed: %s", argv[0], said.text);
    }
    close(out_pipe[0]);
    close(err_pipe[0]);
    return good && *stop == 0;
}
