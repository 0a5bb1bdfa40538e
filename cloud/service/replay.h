/* SPDX-License-Identifier: MIT */
/*
 * Requests that change something, by their signatures: one that was carried out is not carried out
 * again for whoever recorded it.
 *
 * A signature is made of the second of signing, so a client that asks for the same thing twice
 * within a second, or that repeats a request whose answer got lost, sends the same one again and
 * means it. For a few seconds a repetition is therefore let through; later, and until the signature
 * is too old anyway, it is refused. What was signed before the service was started may have been
 * carried out by the one before, and is refused, too.
 *
 * Not kept are requests that only look, and those with a ClientToken, which cannot happen twice.
 */
#ifndef PVBOOT_CLOUD_SERVICE_REPLAY_H
#define PVBOOT_CLOUD_SERVICE_REPLAY_H

#include <stdint.h>

#define REPLAY_GRACE_S     5
#define REPLAY_ENTRIES_MAX 65536

enum replay_verdict {
    REPLAY_FINE,
    REPLAY_SEEN,  /* carried out before */
    REPLAY_EARLY, /* signed before the service was started */
    REPLAY_FULL,  /* too many to remember */
};

struct replay;

struct replay *replay_new(int64_t started_s);
void replay_free(struct replay *p);

/*
 * A request with this signature, made at signed_at_s and good until valid_until_s, is about to be
 * carried out at now_s. Safe from any thread.
 */
enum replay_verdict replay_check(struct replay *p, const char *signature, int64_t signed_at_s,
                                 int64_t valid_until_s, int64_t now_s);

#endif
