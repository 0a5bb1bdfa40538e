/* SPDX-License-Identifier: MIT */
/*
 * The socket between the service and a runner; see runner.h. Messages keep their bounds
 * (SOCK_SEQPACKET), so that each read is a whole request or answer.
 */
#include "cloud/engine/runner.h"

#include <errno.h>
#include <poll.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include "host/xenhost/xenhost.h"

#define SOCKET     "control"
#define BACKLOG    16
#define REQUEST_MS 1000 /* from the connection to its request, which the client sends at once */
#define LOOK_MS    200  /* how often `stop` is looked at */

/* The folder's path may be longer than an address can be: it is named by a descriptor. */
static int connect_to(int dir_fd)
{
    struct sockaddr_un to = {.sun_family = AF_UNIX};
    int fd = socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0);

    snprintf(to.sun_path, sizeof(to.sun_path), "/proc/self/fd/%d/" SOCKET, dir_fd);
    if (fd >= 0 && connect(fd, (struct sockaddr *)&to, sizeof(to)) != 0) {
        int error = errno;

        close(fd);
        errno = error;
        return -1;
    }
    return fd;
}

/* Waits until an answer can be read; false: not in time. */
static bool wait_answer(int fd, int timeout_ms, const stop_flag *stop)
{
    uint64_t end = xh_now_ns() + (uint64_t)timeout_ms * 1000000u;
    struct pollfd p = {.fd = fd, .events = POLLIN};

    while (!(stop && *stop) && (timeout_ms < 0 || xh_now_ns() < end))
        if (poll(&p, 1, LOOK_MS) > 0)
            return true;
    return false;
}

enum control_said control_ask(int dir_fd, const char *request, int timeout_ms,
                              const stop_flag *stop, struct buf *answer)
{
    enum control_said said = CONTROL_NOBODY;
    char bytes[RUNNER_REQUEST_MAX];
    int fd = connect_to(dir_fd);
    ssize_t n;

    buf_clear(answer);
    if (fd < 0)
        return errno == ENOENT ? CONTROL_NOT_YET : CONTROL_NOBODY;
    if (send(fd, request, strlen(request), MSG_NOSIGNAL) > 0) {
        if (!wait_answer(fd, timeout_ms, stop)) {
            said = CONTROL_SILENT;
        } else if ((n = recv(fd, bytes, sizeof(bytes) - 1, 0)) > 0) {
            bytes[n] = 0;
            said = strncmp(bytes, "ok", 2) == 0 ? CONTROL_OK : CONTROL_REFUSED;
            buf_puts(answer, bytes + strcspn(bytes, " ") + (strchr(bytes, ' ') != NULL));
        }
    }
    close(fd);
    return said;
}

/* The name appears when the socket listens already: who finds it reaches the runner, or the place
 * where one was. */
int control_listen(void)
{
    static const struct sockaddr_un at = {.sun_family = AF_UNIX, .sun_path = SOCKET ".new"};
    int fd = socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);

    unlink(at.sun_path);
    if (fd >= 0 && bind(fd, (const struct sockaddr *)&at, sizeof(at)) == 0 &&
        listen(fd, BACKLOG) == 0 && rename(at.sun_path, SOCKET) == 0)
        return fd;
    if (fd >= 0)
        close(fd);
    return -1;
}

int control_take(int listener, char *request, size_t size)
{
    int fd = accept4(listener, NULL, NULL, SOCK_CLOEXEC | SOCK_NONBLOCK);
    struct pollfd p = {.fd = fd, .events = POLLIN};
    ssize_t n = -1;

    if (fd < 0)
        return -1;
    if (poll(&p, 1, REQUEST_MS) == 1)
        n = recv(fd, request, size - 1, 0);
    if (n > 0) {
        request[n] = 0;
        return fd;
    }
    close(fd);
    return -1;
}

void control_answer(int fd, const char *answer)
{
    /* who does not wait for it any more does not need it */
    (void)!send(fd, answer, strlen(answer), MSG_NOSIGNAL | MSG_DONTWAIT);
    close(fd);
}

bool control_gone(int fd)
{
    struct pollfd p = {.fd = fd, .events = POLLIN};

    return poll(&p, 1, 0) > 0;
}
