/* SPDX-License-Identifier: MIT */
/* A state machine over the pieces of a body, of whatever size they come; see chunked.h. */
#include "cloud/aws/chunked.h"

#include <openssl/crypto.h>
#include <openssl/evp.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "cloud/aws/sign_priv.h"
#include "host/hex.h"

#define LINE_BYTES_MAX     512
#define TRAILERS_BYTES_MAX 4096 /* with their line ends */

static const char signature_name[] = "x-amz-trailer-signature";

enum state { AT_SIZE, AT_DATA, AT_DATA_END, AT_TRAILERS };

struct trailer {
    char name[64];
    char value[128];
    bool came;
};

struct chunked {
    struct chunked_how how;
    bool is_signed;
    struct sign_chain chain;
    enum state state;
    char line[LINE_BYTES_MAX];
    size_t line_len;
    uint64_t left_bytes; /* of this chunk */
    uint64_t data_bytes; /* so far */
    char signature[SIGN_SHA256_HEX];
    EVP_MD_CTX *sha256; /* of this chunk */
    struct trailer trailer[CHUNKED_TRAILERS_MAX];
    size_t nr_trailers;
    size_t trailers_bytes;
    struct buf trailers_text; /* as it is signed */
    bool trailers_checked;
};

static bool read_names(struct chunked *c, const char *names)
{
    while (names && *names) {
        size_t len = strcspn(names, ","), end = len;
        struct trailer *t = &c->trailer[c->nr_trailers];
        const char *next = names + len + (names[len] == ',');

        while (end > 0 && *names == ' ') {
            names++;
            end--;
        }
        while (end > 0 && names[end - 1] == ' ')
            end--;
        if (end == 0 || c->nr_trailers == CHUNKED_TRAILERS_MAX ||
            !sign_copy(t->name, sizeof(t->name), names, end))
            return false;
        c->nr_trailers++;
        names = next;
    }
    return true;
}

struct chunked *chunked_begin(const struct chunked_how *how)
{
    struct chunked *c = xalloc(sizeof(*c));

    c->how = *how;
    c->is_signed = how->claim != NULL;
    buf_clear(&c->trailers_text);
    c->sha256 = EVP_MD_CTX_new();
    if (c->sha256 && EVP_DigestInit_ex(c->sha256, EVP_sha256(), NULL) == 1 &&
        read_names(c, how->trailers) &&
        (!c->is_signed || sign_chain_begin(how->claim, how->secret, &c->chain)))
        return c;
    chunked_free(c);
    return NULL;
}

void chunked_free(struct chunked *c)
{
    if (!c)
        return;
    OPENSSL_cleanse(&c->chain, sizeof(c->chain));
    EVP_MD_CTX_free(c->sha256);
    buf_free(&c->trailers_text);
    free(c);
}

const char *chunked_trailer(const struct chunked *c, const char *name)
{
    for (size_t i = 0; i < c->nr_trailers; i++)
        if (c->trailer[i].came && strcasecmp(c->trailer[i].name, name) == 0)
            return c->trailer[i].value;
    return NULL;
}

/* The data of a chunk is complete, or there is none (the last one). */
static enum chunked_result end_chunk(struct chunked *c, const char **why)
{
    unsigned char md[32];
    char hex[SIGN_SHA256_HEX];

    if (!c->is_signed)
        return CHUNKED_GOOD;
    EVP_DigestFinal_ex(c->sha256, md, NULL);
    EVP_DigestInit_ex(c->sha256, EVP_sha256(), NULL);
    hex_write(md, sizeof(md), hex);
    if (sign_chain_check(&c->chain, SIGN_LINK_DATA, hex, c->signature))
        return CHUNKED_GOOD;
    *why = "The signature of a chunk is not the one that its bytes give.";
    return CHUNKED_WRONG;
}

/* SIZE[;chunk-signature=SIGNATURE] */
static bool read_size(struct chunked *c)
{
    static const char name[] = ";chunk-signature=";
    size_t digits = strspn(c->line, "0123456789abcdefABCDEF");
    const char *rest = c->line + digits;

    if (digits == 0 || digits > 15)
        return false;
    c->left_bytes = strtoull(c->line, NULL, 16);
    if (!c->is_signed)
        return *rest == 0;
    return strncmp(rest, name, sizeof(name) - 1) == 0 &&
           sign_copy(c->signature, sizeof(c->signature), rest + sizeof(name) - 1,
                     strlen(rest + sizeof(name) - 1));
}

static enum chunked_result begin_chunk(struct chunked *c, const char **why)
{
    if (!read_size(c)) {
        *why = c->is_signed ? "A chunk begins with SIZE;chunk-signature=SIGNATURE."
                            : "A chunk begins with its size in hexadecimal digits.";
        return CHUNKED_BROKEN;
    }
    if (c->left_bytes > c->how.data_bytes - c->data_bytes) {
        *why = "The chunks hold more than x-amz-decoded-content-length says.";
        return CHUNKED_LENGTH;
    }
    c->state = c->left_bytes > 0 ? AT_DATA : AT_TRAILERS;
    return c->left_bytes > 0 ? CHUNKED_GOOD : end_chunk(c, why);
}

static enum chunked_result check_trailers(struct chunked *c, const char *signature,
                                          const char **why)
{
    char hex[SIGN_SHA256_HEX];

    sign_sha256_hex(c->trailers_text.text, c->trailers_text.len, hex);
    c->trailers_checked = true;
    if (c->is_signed && sign_chain_check(&c->chain, SIGN_LINK_TRAILER, hex, signature))
        return CHUNKED_GOOD;
    *why = "The signature of the trailers is not the one that they give.";
    return CHUNKED_WRONG;
}

/* Empty lines say nothing: the end of the body is the end of the trailers. */
static enum chunked_result take_trailer(struct chunked *c, const char **why)
{
    char *colon = strchr(c->line, ':'), *value;

    if (!c->line[0])
        return CHUNKED_GOOD;
    *why = "What stands behind the last chunk is no trailer that x-amz-trailer announces.";
    if (!colon || c->trailers_checked)
        return CHUNKED_TRAILER;
    *colon = 0;
    value = colon + 1 + strspn(colon + 1, " \t");
    if (strcasecmp(c->line, signature_name) == 0)
        return check_trailers(c, value, why);
    for (size_t i = 0; i < c->nr_trailers; i++) {
        struct trailer *t = &c->trailer[i];

        if (t->came || strcasecmp(t->name, c->line) != 0)
            continue;
        if (!sign_copy(t->value, sizeof(t->value), value, strlen(value)))
            return CHUNKED_TRAILER;
        t->came = true;
        for (char *p = c->line; *p; p++)
            *p = (char)(*p >= 'A' && *p <= 'Z' ? *p + 32 : *p);
        buf_printf(&c->trailers_text, "%s:%s\n", c->line, value);
        return CHUNKED_GOOD;
    }
    return CHUNKED_TRAILER;
}

static enum chunked_result take_line(struct chunked *c, const char **why)
{
    if (c->line_len > 0 && c->line[c->line_len - 1] == '\r')
        c->line_len--;
    c->line[c->line_len] = 0;
    if (strlen(c->line) != c->line_len) {
        *why = "A line between the chunks holds a NUL.";
        return CHUNKED_BROKEN;
    }
    c->line_len = 0;
    if (c->state == AT_SIZE)
        return begin_chunk(c, why);
    if (c->state == AT_TRAILERS)
        return take_trailer(c, why);
    c->state = AT_SIZE;
    if (!c->line[0])
        return CHUNKED_GOOD;
    *why = "A chunk is longer than its size says.";
    return CHUNKED_BROKEN;
}

static enum chunked_result take_byte(struct chunked *c, char byte, const char **why)
{
    if (c->state == AT_TRAILERS && ++c->trailers_bytes > TRAILERS_BYTES_MAX) {
        *why = "The trailers are too long.";
        return CHUNKED_TRAILER;
    }
    if (byte == '\n')
        return take_line(c, why);
    if (c->line_len + 1 == sizeof(c->line)) {
        *why = "A line between the chunks is too long.";
        return CHUNKED_BROKEN;
    }
    c->line[c->line_len++] = byte;
    return CHUNKED_GOOD;
}

static enum chunked_result take_data(struct chunked *c, const char *bytes, size_t len,
                                     const char **why)
{
    if (!c->how.take(c->how.arg, bytes, len)) {
        *why = "The data could not be taken.";
        return CHUNKED_STOPPED;
    }
    if (c->is_signed)
        EVP_DigestUpdate(c->sha256, bytes, len);
    c->data_bytes += len;
    c->left_bytes -= len;
    if (c->left_bytes > 0)
        return CHUNKED_GOOD;
    c->state = AT_DATA_END;
    return end_chunk(c, why);
}

enum chunked_result chunked_add(struct chunked *c, const void *bytes, size_t len, const char **why)
{
    enum chunked_result result = CHUNKED_GOOD;
    const char *p = bytes;

    *why = NULL;
    while (len > 0 && result == CHUNKED_GOOD) {
        size_t n = 1;

        if (c->state == AT_DATA) {
            n = c->left_bytes < len ? (size_t)c->left_bytes : len;
            result = take_data(c, p, n, why);
        } else {
            result = take_byte(c, *p, why);
        }
        p += n;
        len -= n;
    }
    return result;
}

enum chunked_result chunked_end(struct chunked *c, const char **why)
{
    *why = NULL;
    if (c->state != AT_TRAILERS || c->data_bytes != c->how.data_bytes) {
        *why = "The body ends before its last chunk, or holds less than "
               "x-amz-decoded-content-length says.";
        return CHUNKED_LENGTH;
    }
    *why = "A trailer that x-amz-trailer announces is missing, or is not a whole line.";
    for (size_t i = 0; i < c->nr_trailers; i++)
        if (!c->trailer[i].came)
            return CHUNKED_TRAILER;
    if (c->line_len > 0)
        return CHUNKED_TRAILER;
    *why = "The signature of the trailers is missing.";
    if (c->is_signed && c->nr_trailers > 0 && !c->trailers_checked)
        return CHUNKED_WRONG;
    *why = NULL;
    return CHUNKED_GOOD;
}
