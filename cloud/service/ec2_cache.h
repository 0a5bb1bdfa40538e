/* SPDX-License-Identifier: MIT */
/*
 * Answers that are given again while nothing has changed.
 *
 * Clients ask the same question again and again while they wait for something. An answer that
 * depends on nothing but the account, the parameters and the state is kept, and is the answer to
 * the same question until the next commit. Only the request's id differs: it stands in the head of
 * the answer, which is made anew; what follows is shared by all that send it off.
 */
#ifndef PVBOOT_CLOUD_SERVICE_EC2_CACHE_H
#define PVBOOT_CLOUD_SERVICE_EC2_CACHE_H

#include "cloud/service/ec2.h"

/* Bytes that several answers send off at once. */
struct shared_bytes;

const char *shared_text(const struct shared_bytes *b);
size_t shared_len(const struct shared_bytes *b);
void shared_drop(struct shared_bytes *b); /* the last one frees them; NULL is allowed */

struct ec2_cache;

struct ec2_cache *ec2_cache_make(void);
void ec2_cache_free(struct ec2_cache *c);

/* Of a request: its key, and the state that it saw before it was carried out. */
struct ec2_cache_key {
    char hash[SIGN_SHA256_HEX];
    uint64_t commits;
};

void ec2_cache_key(struct ec2_call *call, struct ec2_cache_key *out);

/* True: the request is answered. */
bool ec2_cache_answer(struct ec2_call *call, const struct ec2_cache_key *key);

/* Keep the answer that was just made, if it is a good one. */
void ec2_cache_keep(struct ec2_call *call, const struct ec2_cache_key *key);

#endif
