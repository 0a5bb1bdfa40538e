/* SPDX-License-Identifier: MIT */
/*
 * A client of xenstore, over the ring that start_info names. Paths without a leading slash are
 * below this domain's own directory. "There is no such node" is an answer, not an error.
 *
 * Requests go out in lists: a reply takes as long as the other domain needs to be scheduled, so
 * what can be asked at once is asked at once. Xenstored carries a list out in its order.
 */
#ifndef PVBOOT_XEN_XENSTORE_H
#define PVBOOT_XEN_XENSTORE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "core/base/err.h"
#include "guest/xen/xen.h"
#include <xen/io/xs_wire.h>

#define XENSTORE_VALUE_MAX XENSTORE_PAYLOAD_MAX
#define XENSTORE_PATH_MAX  256 /* ours are short: device/vbd/N/..., a back end's directory */

/*
 * A request, and what became of it.
 *   XS_READ       the node's value into buf, terminated; *found false and an empty text: no node
 *   XS_DIRECTORY  the names below the node into buf, each terminated, len bytes in all
 *   XS_WRITE      value into the node
 *   XS_RM         the node and all below it; none there is fine
 *   XS_WATCH, XS_UNWATCH   be told of changes at and below the path, and no more
 */
struct xs_op {
    enum xsd_sockmsg_type type;
    const char *path;
    const char *value;
    char *buf;
    size_t cap;
    size_t len;
    bool found;
    struct err result; /* of this one alone */
};

/* ring: the page that start_info names, mapped. */
MUST_CHECK struct err xenstore_init(struct xenstore_domain_interface *ring, evtchn_port_t port);

/*
 * Carry out all of them. What xenstored refuses, or answers too long, is the result of that request
 * and hinders no other. An error from here means that the connection itself failed: it is final,
 * and the result of all requests that were not answered.
 */
MUST_CHECK struct err xenstore_run(struct xs_op *ops, size_t nr);

/*
 * The end of the connection: take the reports that are still under way, check that neither side has
 * bytes in the ring, and forget it. An error when it is not idle: the next kernel would find the
 * rest of our conversation. Fine when there is no connection.
 */
MUST_CHECK struct err xenstore_fini(void);

/*
 * Wait for a report of a watch since the last call, OK, or the deadline, ERR_TIMEOUT. Xenstored
 * reports once right after a watch is set. Watches are not told apart: look at everything that was
 * waited for.
 */
MUST_CHECK struct err xenstore_wait_change(uint64_t deadline_ns);

#endif
