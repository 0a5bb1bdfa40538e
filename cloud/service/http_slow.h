/* SPDX-License-Identifier: MIT */
/*
 * Connections that send too slowly are closed. The library closes those that send nothing; a byte
 * now and then would keep one for ever. From the end of a request, or the beginning of the
 * connection, to the end of the next headers a client has `limit_s` seconds, and a body comes with
 * SLOW_BYTES_S at least. While a request is worked on, its client has all time.
 */
#ifndef PVBOOT_CLOUD_SERVICE_HTTP_SLOW_H
#define PVBOOT_CLOUD_SERVICE_HTTP_SLOW_H

#include <microhttpd.h>

#define SLOW_BYTES_S 1024

struct slow;

/* NULL: no thread can be made. */
struct slow *slow_start(unsigned limit_s);
void slow_stop(struct slow *s); /* after the last connection has ended */

/* MHD_OPTION_NOTIFY_CONNECTION */
void slow_connection(void *arg, struct MHD_Connection *connection, void **context,
                     enum MHD_ConnectionNotificationCode code);

/* A place that goes with the connection, for its server: NULL until it puts something there. */
void **slow_kept(struct MHD_Connection *connection);

/* The client has to send: headers, or a body. */
void slow_wait(struct slow *s, struct MHD_Connection *connection);

/* It sent some of a body. */
void slow_got(struct slow *s, struct MHD_Connection *connection, size_t len);

/* It has sent all, and waits for us. */
void slow_rest(struct slow *s, struct MHD_Connection *connection);

#endif
