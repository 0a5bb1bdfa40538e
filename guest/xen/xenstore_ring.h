/* SPDX-License-Identifier: MIT */
/*
 * The lower half of the xenstore client: messages over the shared ring. Nobody but xenstore.c uses
 * it. After an error in a transfer the stream of bytes may stand in the middle of a message, so the
 * first such error is final: every later call gives it again. Without a ring every call is an
 * error.
 */
#ifndef PVBOOT_XEN_XENSTORE_RING_H
#define PVBOOT_XEN_XENSTORE_RING_H

#include <stdbool.h>
#include <stdint.h>

#include "core/base/err.h"
#include "guest/xen/xen.h"
#include <xen/io/xs_wire.h>

/* A piece of a request's payload. */
struct xs_piece {
    const void *bytes;
    size_t len;
};

/* For errors that the messages show: the connection is of no use any more. Returns the error. */
struct err xs_ring_give_up(struct err e);

MUST_CHECK struct err xs_ring_init(struct xenstore_domain_interface *ring, evtchn_port_t port);

bool xs_ring_is_open(void);

/* Forget the ring. */
void xs_ring_fini(void);

/* Wait until the daemon has taken all requests. *idle: and it has sent nothing that is unread. */
MUST_CHECK struct err xs_ring_idle(uint64_t deadline_ns, bool *idle);

/* Send header and pieces; hdr->len is the length of all pieces. The daemon is told when next we
 * wait for it, so that a list of requests costs one event. */
MUST_CHECK struct err xs_ring_send(const struct xsd_sockmsg *hdr, const struct xs_piece *pieces,
                                   size_t nr_pieces, uint64_t deadline_ns);

/* Wait until the beginning of a message has arrived (OK) or the deadline has come (ERR_TIMEOUT,
 * after which all goes on as before). */
MUST_CHECK struct err xs_ring_wait(uint64_t deadline_ns);

/* Receive one message; buf has room for XENSTORE_PAYLOAD_MAX bytes. */
MUST_CHECK struct err xs_ring_receive(struct xsd_sockmsg *hdr, void *buf, uint64_t deadline_ns);

#endif
