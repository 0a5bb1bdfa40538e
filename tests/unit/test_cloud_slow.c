/* SPDX-License-Identifier: MIT */
/* Connections that are slow, while somebody sets the machine's clock; sockets stand for them. */
#include "cloud/service/http_slow.h"

#include <poll.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

#include "tests/unit/test.h"

#define AHEAD_S    3600
#define PATIENCE_S 60

/*
 * Instead of the C library's: the wall clock reads an hour more than the kernel's, as it does for
 * who read it just before it was set back.
 */
int clock_gettime(clockid_t which, struct timespec *out)
{
    long status = syscall(SYS_clock_gettime, which, out);

    if (which == CLOCK_REALTIME)
        out->tv_sec += AHEAD_S;
    return (int)status;
}

/* Instead of the HTTP library's: the only thing that is asked of a connection is its socket. */
const union MHD_ConnectionInfo *MHD_get_connection_info(struct MHD_Connection *connection,
                                                        enum MHD_ConnectionInfoType type, ...)
{
    static union MHD_ConnectionInfo info;

    (void)type;
    info.connect_fd = *(int *)connection;
    return &info;
}

static void closes_the_slow_whatever_the_wall_clock_does(void)
{
    struct slow *s = slow_start(1);
    struct pollfd client = {.events = POLLIN};
    struct MHD_Connection *connection;
    void *context = NULL;
    int pair[2] = {-1, -1};
    char byte;

    CHECK(s != NULL && socketpair(AF_UNIX, SOCK_STREAM, 0, pair) == 0);
    connection = (struct MHD_Connection *)&pair[0];
    client.fd = pair[1];
    slow_connection(s, connection, &context, MHD_CONNECTION_NOTIFY_STARTED);
    CHECK_U64(poll(&client, 1, PATIENCE_S * 1000), 1);
    CHECK_U64(recv(pair[1], &byte, 1, MSG_DONTWAIT), 0);
    slow_connection(s, connection, &context, MHD_CONNECTION_NOTIFY_CLOSED);
    slow_stop(s);
    close(pair[0]);
    close(pair[1]);
}

int main(void)
{
    RUN(closes_the_slow_whatever_the_wall_clock_does);
    return test_done();
}
