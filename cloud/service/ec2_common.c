/* SPDX-License-Identifier: MIT */
/* Ids, pages and client tokens; see ec2_common.h. */
#include "cloud/service/ec2_common.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "core/base/text.h"

#define ID_DIGITS       17
#define TOKEN_BYTES_MAX 64
#define TOKEN_S         86400 /* how long a client token is good, whatever became of what it made */

void ec2_new_id(const char *kind, char out[EC2_ID_BYTES])
{
    char digits[ID_DIGITS + 2];

    random_hex(digits, (ID_DIGITS + 1) / 2);
    snprintf(out, EC2_ID_BYTES, "%.8s-%.*s", kind, ID_DIGITS, digits);
}

bool ec2_check_id(struct ec2_call *call, const char *kind, const char *id, const char *code)
{
    size_t len = strlen(kind), digits = 0;
    char whole[64];

    if (strncmp(id, kind, len) == 0 && id[len] == '-')
        digits = strspn(id + len + 1, "0123456789abcdef");
    if ((digits == 8 || digits == ID_DIGITS) && !id[len + 1 + digits])
        return true;
    snprintf(whole, sizeof(whole), "%.48s.Malformed", code);
    reply_error(call->r, 400, whole,
                "\"%.100s\" is no id of this kind: %s- and 8 or %d hexadecimal digits.", id, kind,
                ID_DIGITS);
    return false;
}

bool ec2_take_max(struct ec2_call *call, int64_t min, int64_t max, int64_t *out)
{
    const char *text = ec2_take(call, "MaxResults");
    uint64_t number = 0;

    *out = INT64_MAX;
    if (!text)
        return call->r->status == 0;
    if (!text_parse_u64(text, strlen(text), &number) || number < (uint64_t)min ||
        number > (uint64_t)max)
        reply_error(call->r, 400, "InvalidParameterValue",
                    "MaxResults is a number from %lld to %lld, not \"%.100s\".", (long long)min,
                    (long long)max, text);
    *out = (int64_t)number;
    return call->r->status == 0;
}

bool ec2_take_page(struct ec2_call *call, int64_t min, int64_t max, struct ec2_page *out)
{
    const char *next = ec2_take(call, "NextToken");

    out->after = next ? next : "";
    if (!ec2_take_max(call, min, max, &out->max))
        return false;
    if (strlen(out->after) >= EC2_ID_BYTES ||
        out->after[strspn(out->after, "abcdefghijklmnopqrstuvwxyz0123456789-")])
        reply_error(call->r, 400, "InvalidNextToken",
                    "NextToken is not one that an answer of this service held.");
    return call->r->status == 0;
}

void ec2_write_next(struct buf *out, const char *last_id)
{
    xml_element(out, "nextToken", last_id);
}

sqlite3 *ec2_begin_change(struct ec2_call *call)
{
    sqlite3 *c = db_begin(call->r->svc->db);

    if (!c)
        reply_state_failed(call->r);
    return c;
}

bool ec2_commit(struct ec2_call *call)
{
    if (!call->dry_run)
        return db_commit(call->r->svc->db);
    ec2_answer_dry_run(call);
    db_rollback(call->r->svc->db);
    return false;
}

bool ec2_end_change(struct ec2_call *call, bool good)
{
    if (good && call->r->status == 0) {
        if (ec2_commit(call))
            return true;
        reply_state_failed(call->r); /* unless there is an answer already */
        return false;
    }
    reply_state_failed(call->r); /* unless there is an answer already */
    db_rollback(call->r->svc->db);
    return false;
}

void ec2_answer_true(struct ec2_call *call)
{
    ec2_open(call, call->r->action);
    buf_puts(&call->r->reply, "<return>true</return>");
    ec2_close(call, call->r->action);
}

bool ec2_text_good(const char *text, size_t max)
{
    size_t nr = 0;

    for (const char *at = text; *at; at++)
        nr += ((unsigned char)*at & 0xc0) != 0x80; /* UTF-8: all but the bytes that follow */
    return nr <= max && xml_keeps(text);
}

bool ec2_check_description(struct ec2_call *call, const char *text)
{
    if (text && !ec2_text_good(text, EC2_DESCRIPTION_MAX))
        reply_error(call->r, 400, "InvalidParameterValue",
                    "A description has at most %d characters, and no controls other than tab and "
                    "line ends.",
                    EC2_DESCRIPTION_MAX);
    return call->r->status == 0;
}

static int by_name_and_value(const void *a, const void *b)
{
    const struct uri_pair *x = a, *y = b;
    int names = strcmp(x->name, y->name);

    return names ? names : strcmp(x->value, y->value);
}

void ec2_hash_request(struct ec2_call *call, char out[SIGN_SHA256_HEX])
{
    const struct uri_pairs *p = &call->r->parameters;
    struct uri_pair *sorted = xalloc((p->nr + 1) * sizeof(*sorted));
    struct buf all = {0};

    memcpy(sorted, p->pair, p->nr * sizeof(*sorted));
    qsort(sorted, p->nr, sizeof(*sorted), by_name_and_value);
    for (size_t i = 0; i < p->nr; i++) {
        if (ec2_is_envelope(sorted[i].name))
            continue;
        buf_add(&all, sorted[i].name, strlen(sorted[i].name) + 1);
        buf_add(&all, sorted[i].value, strlen(sorted[i].value) + 1);
    }
    sign_sha256_hex(all.text ? all.text : "", all.len, out);
    buf_free(&all);
    free(sorted);
}

static bool token_good(const char *token)
{
    size_t n = 0;

    while (token[n] >= ' ' && token[n] <= '~')
        n++;
    return n >= 1 && n <= TOKEN_BYTES_MAX && !token[n];
}

bool ec2_take_token(struct ec2_call *call, struct ec2_token *out)
{
    out->token = ec2_take(call, "ClientToken");
    if (!out->token)
        return call->r->status == 0;
    if (!token_good(out->token)) {
        reply_error(call->r, 400, "InvalidParameterValue",
                    "ClientToken has 1 to %d characters of ASCII.", TOKEN_BYTES_MAX);
        return false;
    }
    ec2_hash_request(call, out->sha256);
    return call->r->status == 0;
}

enum ec2_token_state ec2_find_token(struct ec2_call *call, sqlite3 *c, const struct ec2_token *t,
                                    char made[EC2_ID_BYTES])
{
    enum ec2_token_state state = EC2_TOKEN_NEW;
    sqlite3_stmt *s;

    if (!t->token)
        return state;
    s = db_query(c,
                 "SELECT request_sha256, made FROM client_token"
                 " WHERE account = ? AND action = ? AND token = ?",
                 "sss", call->r->account->id, call->r->action, t->token);
    if (s && sqlite3_step(s) == SQLITE_ROW) {
        state = strcmp(db_text(s, 0), t->sha256) == 0 ? EC2_TOKEN_SAME : EC2_TOKEN_OTHER;
        snprintf(made, EC2_ID_BYTES, "%s", db_text(s, 1));
    }
    db_finish(s);
    if (state == EC2_TOKEN_OTHER)
        reply_error(call->r, 400, "IdempotentParameterMismatch",
                    "The client token \"%.64s\" was used before, with other parameters; use a new "
                    "one.",
                    t->token);
    return state;
}

bool ec2_keep_token(struct ec2_call *call, sqlite3 *c, const struct ec2_token *t, const char *made)
{
    return !t->token ||
           db_run(c, "INSERT INTO client_token VALUES(?,?,?,?,?,?)", "sssssi", call->r->account->id,
                  call->r->action, t->token, t->sha256, made, (int64_t)time(NULL));
}

bool ec2_drop_tokens(sqlite3 *c)
{
    return db_run(c,
                  "DELETE FROM client_token WHERE created < unixepoch() - ? AND NOT EXISTS"
                  " (SELECT 1 FROM reservation r WHERE r.id = made) AND NOT EXISTS"
                  " (SELECT 1 FROM volume v WHERE v.id = made)",
                  "i", (int64_t)TOKEN_S);
}
