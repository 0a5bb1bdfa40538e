/* SPDX-License-Identifier: MIT */
/*
 * Percent encoding, and a query string (or a form) taken apart into its names and values.
 *
 * Everything here comes from a client: each list has a cap, a broken escape is an error and not a
 * guess, and a NUL byte inside a name or a value is refused, because nobody means one.
 */
#ifndef PVBOOT_CLOUD_AWS_URI_H
#define PVBOOT_CLOUD_AWS_URI_H

#include <stdbool.h>
#include <stddef.h>

#include "host/xenhost/buf.h"

#define URI_PAIRS_MAX 8192

struct uri_pair {
    char *name;  /* decoded */
    char *value; /* decoded; "" when there was no "=" */
};

struct uri_pairs {
    struct uri_pair *pair;
    size_t nr;
    char *store; /* what name and value point into */
};

/* Write s[0..len) with everything but A-Z a-z 0-9 - . _ ~ as %XX; slashes stay if keep_slash. */
void uri_encode(struct buf *out, const char *s, size_t len, bool keep_slash);

/* Undo it. '+' becomes a space if plus_is_space. False: a broken escape, or one of a NUL. */
bool uri_decode(struct buf *out, const char *s, size_t len, bool plus_is_space);

/* Take a query string or form apart, in the order in which it stands. False: broken, or too many.
 */
bool uri_pairs_parse(const char *query, struct uri_pairs *out);
void uri_pairs_free(struct uri_pairs *p);

/* The value of the first pair with that name, or NULL. */
const char *uri_pairs_get(const struct uri_pairs *p, const char *name);

/*
 * The pairs encoded again, in byte order, joined by '=' and '&': what both signature versions sign.
 * A pair named `leave_out` (may be NULL) is not part of it.
 */
void uri_pairs_canonical(const struct uri_pairs *p, const char *leave_out, struct buf *out);

#endif
