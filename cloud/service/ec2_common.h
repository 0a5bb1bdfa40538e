/* SPDX-License-Identifier: MIT */
/* What actions on stored objects share: ids, pages, tags, and requests that are sent again. */
#ifndef PVBOOT_CLOUD_SERVICE_EC2_COMMON_H
#define PVBOOT_CLOUD_SERVICE_EC2_COMMON_H

#include "cloud/service/ec2.h"
#include "cloud/service/keeper.h"

#define EC2_ID_BYTES  32
#define EC2_TAGS_MAX  50  /* of one resource */
#define EC2_TAG_KEY   127 /* characters */
#define EC2_TAG_VALUE 256

#define EC2_DESCRIPTION_MAX 255 /* characters */

/* A new id: the kind ("i", "ami", "vol", "snap", "r"), a dash, and 17 random digits. */
void ec2_new_id(const char *kind, char out[EC2_ID_BYTES]);

/*
 * Is `id` of this kind's form, with 8 or 17 digits? False: the answer is the error `code` +
 * ".Malformed".
 */
bool ec2_check_id(struct ec2_call *call, const char *kind, const char *id, const char *code);

/* ---- pages: MaxResults and NextToken ----------------------------------------------------------
 */

struct ec2_page {
    int64_t max;       /* rows of this answer; INT64_MAX when the request names none */
    const char *after; /* the id that the last page ended with, or "" */
};

/* MaxResults alone. False: the answer is an error. */
bool ec2_take_max(struct ec2_call *call, int64_t min, int64_t max, int64_t *out);

/* False: the answer is an error. Objects are listed by their ids. */
bool ec2_take_page(struct ec2_call *call, int64_t min, int64_t max, struct ec2_page *out);

/* <nextToken> of an answer that goes on behind this id. */
void ec2_write_next(struct buf *out, const char *last_id);

/* ---- changes ----------------------------------------------------------------------------------
 */

/* A transaction; NULL: the answer is an error. */
sqlite3 *ec2_begin_change(struct ec2_call *call);

/*
 * Commits it; a dry run is rolled back here, and answered. False: nothing is changed; without an
 * answer the state failed.
 */
bool ec2_commit(struct ec2_call *call);

/*
 * Its end: a commit, if everything was `good` and there is no answer yet. False: nothing is changed
 * and the answer is an error.
 */
bool ec2_end_change(struct ec2_call *call, bool good);

/* <return>true</return> */
void ec2_answer_true(struct ec2_call *call);

/* Does the text come back as it is, in at most so many characters? */
bool ec2_text_good(const char *text, size_t max);

/* Is it a description, or NULL? False: the answer is an error. */
bool ec2_check_description(struct ec2_call *call, const char *text);

/* ---- tags -------------------------------------------------------------------------------------
 */

struct ec2_tags {
    struct {
        const char *key, *value;
    } tag[EC2_TAGS_MAX];
    size_t nr;
};

/*
 * TagSpecification.N of one type ("instance", "volume", ...); those of other types that `types`
 * (ended by NULL) does not list are an error. False: the answer is an error.
 */
bool ec2_take_tags(struct ec2_call *call, const char *type, const char *const *types,
                   struct ec2_tags *out);

/* False: the state could not be written. */
bool ec2_insert_tags(sqlite3 *c, const char *account, const char *resource,
                     const struct ec2_tags *tags);

/* <tagSet> of a resource that this account gave tags; nothing for one that has none. */
void ec2_write_tags(struct buf *out, sqlite3 *c, const char *account, const char *resource);

/*
 * Do the filters tag:KEY and tag-key fit? An action that wants them lists "tag:" and "tag-key"
 * among its known filters.
 */
bool ec2_tags_fit(const struct ec2_filters *f, sqlite3 *c, const char *account,
                  const char *resource);

void ec2_create_tags(struct ec2_call *call);
void ec2_delete_tags(struct ec2_call *call);
void ec2_describe_tags(struct ec2_call *call);

/* ---- ClientToken ------------------------------------------------------------------------------
 */

struct ec2_token {
    const char *token;            /* NULL: the request has none */
    char sha256[SIGN_SHA256_HEX]; /* of the request's parameters */
};

/* Of what the request asks for, whatever the order of its parameters and whoever signed when. */
void ec2_hash_request(struct ec2_call *call, char out[SIGN_SHA256_HEX]);

/* Takes ClientToken, 1 to 64 characters of ASCII. False: the answer is an error. */
bool ec2_take_token(struct ec2_call *call, struct ec2_token *out);

enum ec2_token_state { EC2_TOKEN_NEW, EC2_TOKEN_SAME, EC2_TOKEN_OTHER };

/*
 * In the transaction that makes the object: was the request there before? SAME: `made` is what it
 * made then. OTHER: the answer is IdempotentParameterMismatch.
 */
enum ec2_token_state ec2_find_token(struct ec2_call *call, sqlite3 *c, const struct ec2_token *t,
                                    char made[EC2_ID_BYTES]);
bool ec2_keep_token(struct ec2_call *call, sqlite3 *c, const struct ec2_token *t, const char *made);
/* Those that are more than a day old, and of whose objects nothing is left. */
bool ec2_drop_tokens(sqlite3 *c);

#endif
