/* SPDX-License-Identifier: MIT */
/*
 * A client of xenstore, over the ring that start_info names. One request at a time, each with a
 * deadline; paths without a leading slash are below this domain's own directory.
 *
 * "There is no such node" is an answer, not an error. An error's sentence cannot hold the path, so
 * xenstore_failed_path() keeps that of the last failed call, for the caller's message.
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
#define XENSTORE_PATH_MAX  256 /* ours are short: device/vbd/N/..., a backend's directory */

/* A transaction's number; XENSTORE_NO_TX outside of any. */
typedef uint32_t xs_tx_t;
#define XENSTORE_NO_TX 0u

/* ring: the page that start_info names, mapped. */
MUST_CHECK struct err xenstore_init(struct xenstore_domain_interface *ring, evtchn_port_t port);

/* The value of a node, terminated (len: without the terminator; may be NULL). ERR_LIMIT when it
 * does not fit; *found false and an empty text when there is none. */
MUST_CHECK struct err xenstore_read(xs_tx_t tx, const char *path, char *buf, size_t cap,
                                    size_t *len, bool *found);

/* The same for a decimal number; anything else in the node is ERR_PEER. */
MUST_CHECK struct err xenstore_read_u64(xs_tx_t tx, const char *path, uint64_t *value, bool *found);

MUST_CHECK struct err xenstore_write(xs_tx_t tx, const char *path, const char *value);
MUST_CHECK struct err xenstore_write_u64(xs_tx_t tx, const char *path, uint64_t value);

/* Remove a node and all below it; none there is fine. */
MUST_CHECK struct err xenstore_rm(xs_tx_t tx, const char *path);

/* The names below a node, each terminated, one after the other: *len bytes of buf in all. */
MUST_CHECK struct err xenstore_directory(xs_tx_t tx, const char *path, char *buf, size_t cap,
                                         size_t *len);

/* *again: somebody else changed what the transaction saw, nothing was written; start over. */
MUST_CHECK struct err xenstore_tx_start(xs_tx_t *tx);
MUST_CHECK struct err xenstore_tx_end(xs_tx_t tx, bool commit, bool *again);

/*
 * Be told of changes at and below a path. Xenstored reports once right after the watch is set.
 * There is no telling watches apart: on any event, look at everything that was waited for.
 */
MUST_CHECK struct err xenstore_watch(const char *path);
MUST_CHECK struct err xenstore_unwatch(const char *path);

/* Wait for a report since the last call, OK, or the deadline, ERR_TIMEOUT. */
MUST_CHECK struct err xenstore_wait_change(uint64_t deadline_ns);

/* The path of the last call, if that failed; otherwise an empty text. */
const char *xenstore_failed_path(void);

#endif
