/* SPDX-License-Identifier: MIT */
#include "core/menu/crypt.h"

#include <string.h>

#include "core/base/bytes.h"

#define MD5_ROUNDS    1000u
#define SHA_ROUNDS    5000u
#define MD5_SALT_MAX  8
#define SHA_SALT_MAX  16
#define ROUNDS_DIGITS 9 /* of the specification's highest number */
#define KIND_LEN      3 /* "$6$" */
#define BAD_KIND      "a password's hash begins with $1$ (MD5), $5$ (SHA-256) or $6$ (SHA-512)"
#define BAD_ROUNDS    "rounds= in a password's hash is followed by a number and a $"
#define TOO_MANY                                                                                   \
    "a password's hash wants more than %a rounds, which would hold the machine too long"
#define NO_SUM      "a password's hash has a $ behind its salt, and the sum behind that"
#define BAD_SUM_LEN "a password's hash ends with %a characters behind its last $; %b belong there"
#define BAD_SUM                                                                                    \
    "a password's hash ends with characters that no password gives (./0-9A-Za-z are used)"
#define TOO_LONG       "a password has at most %b bytes, and this one has %a"
#define LIBRARY_FAILED "the digest library failed, so no password can be checked"

const char crypt_alphabet[65] = "./0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz";

/*
 * The order in which a sum shows a digest's bytes: three give four characters, the first byte
 * highest; what is left over at the end gives as many characters as its bits need.
 */
static const uint8_t md5_order[16] = {0, 6, 12, 1, 7, 13, 2, 8, 14, 3, 9, 15, 4, 10, 5, 11};
static const uint8_t sha256_order[32] = {0,  10, 20, 21, 1,  11, 12, 22, 2,  3,  13,
                                         23, 24, 4,  14, 15, 25, 5,  6,  16, 26, 27,
                                         7,  17, 18, 28, 8,  9,  19, 29, 31, 30};
static const uint8_t sha512_order[64] = {
    0,  21, 42, 22, 43, 1,  44, 2,  23, 3,  24, 45, 25, 46, 4,  47, 5,  26, 6,  27, 48, 28,
    49, 7,  50, 8,  29, 9,  30, 51, 31, 52, 10, 53, 11, 32, 12, 33, 54, 34, 55, 13, 56, 14,
    35, 15, 36, 57, 37, 58, 16, 59, 17, 38, 18, 39, 60, 40, 61, 19, 62, 20, 41, 63};

size_t crypt_sum_len(enum digest_kind kind)
{
    return (digest_bytes(kind) * 8 + 5) / 6;
}

static void show_sum(enum digest_kind kind, const uint8_t *digest, char *out)
{
    const uint8_t *order = kind == DIGEST_MD5      ? md5_order
                           : kind == DIGEST_SHA256 ? sha256_order
                                                   : sha512_order;
    size_t nr = digest_bytes(kind), w = 0;

    for (size_t i = 0; i < nr; i += 3) {
        size_t nr_here = nr - i < 3 ? nr - i : 3;
        uint32_t v = 0;

        for (size_t k = 0; k < nr_here; k++)
            v = v << 8 | digest[order[i + k]];
        for (size_t bits = nr_here * 8; bits > 0; bits -= bits < 6 ? bits : 6) {
            out[w++] = crypt_alphabet[v & 63];
            v >>= 6;
        }
    }
}

/* "rounds=N$", if it stands at *at, sets the rounds and moves *at behind it. */
static struct err take_rounds(uint32_t *rounds, const char *text, size_t len, size_t *at)
{
    static const char word[] = "rounds=";
    size_t p = *at, digits_at;
    uint64_t v = 0;

    if (len - p < sizeof(word) - 1 || memcmp(text + p, word, sizeof(word) - 1) != 0)
        return OK;
    p += sizeof(word) - 1;
    digits_at = p;
    for (; p < len && text[p] >= '0' && text[p] <= '9'; p++) {
        if (v <= CRYPT_ROUNDS_MAX)
            v = v * 10 + (uint64_t)(text[p] - '0');
    }
    if (p == digits_at || p == len || text[p] != '$')
        return ERR(ERR_BAD_ARGUMENT, BAD_ROUNDS);
    if (v > CRYPT_ROUNDS_MAX)
        return ERR1(ERR_LIMIT, TOO_MANY, CRYPT_ROUNDS_MAX);
    *rounds = v < CRYPT_ROUNDS_MIN ? CRYPT_ROUNDS_MIN : (uint32_t)v;
    *at = p + 1;
    return OK;
}

/* Is s[0..len) a sum? Its last character has only the bits that are left over. */
static struct err check_sum(enum digest_kind kind, const char *s, size_t len)
{
    size_t want = crypt_sum_len(kind), spare_bits = want * 6 - digest_bytes(kind) * 8;

    if (len != want)
        return ERR2(ERR_BAD_ARGUMENT, BAD_SUM_LEN, len, want);
    for (size_t i = 0; i < len; i++) {
        size_t nr_values = i + 1 < len ? 64 : 64u >> spare_bits;

        if (memchr(crypt_alphabet, s[i], nr_values) == NULL)
            return ERR(ERR_BAD_ARGUMENT, BAD_SUM);
    }
    return OK;
}

struct err crypt_split(struct crypt_hash *out, const char *text, size_t len)
{
    struct crypt_hash h = {.digest = DIGEST_MD5, .rounds = MD5_ROUNDS};
    size_t at = KIND_LEN, salt_max = MD5_SALT_MAX;
    const char *end;

    if (len < KIND_LEN || text[0] != '$' || text[2] != '$' ||
        (text[1] != '1' && text[1] != '5' && text[1] != '6'))
        return ERR(ERR_BAD_ARGUMENT, BAD_KIND);
    if (text[1] != '1') {
        h.digest = text[1] == '5' ? DIGEST_SHA256 : DIGEST_SHA512;
        h.rounds = SHA_ROUNDS;
        salt_max = SHA_SALT_MAX;
        TRY(take_rounds(&h.rounds, text, len, &at));
    }
    h.salt = text + at;
    end = memchr(h.salt, '$', len - at);
    if (end == NULL)
        return ERR(ERR_BAD_ARGUMENT, NO_SUM);
    h.salt_len = (size_t)min_u64((uint64_t)(end - h.salt), salt_max);
    h.sum = end + 1;
    TRY(check_sum(h.digest, h.sum, len - (size_t)(h.sum - text)));
    *out = h;
    return OK;
}

/* Add the first len bytes of the digest, repeated as often as it takes. */
static void add_repeated(struct digest *d, const uint8_t *digest, size_t len)
{
    size_t size = digest_bytes(d->kind);

    for (; len > size; len -= size)
        digest_add(d, digest, size);
    digest_add(d, digest, len);
}

/* What the password and the salt are in one round: themselves, or bytes that stand for them. */
struct round_input {
    const void *typed, *salt;
    size_t len, salt_len;
};

/* The rounds, which MD5 and SHA have in common: digest is the start and the result. */
static void run_rounds(struct digest *d, uint32_t nr_rounds, const struct round_input *in,
                       uint8_t *digest)
{
    size_t size = digest_bytes(d->kind);

    for (uint32_t i = 0; i < nr_rounds; i++) {
        digest_begin(d);
        if (i % 2 == 1)
            digest_add(d, in->typed, in->len);
        else
            digest_add(d, digest, size);
        if (i % 3 != 0)
            digest_add(d, in->salt, in->salt_len);
        if (i % 7 != 0)
            digest_add(d, in->typed, in->len);
        if (i % 2 == 1)
            digest_add(d, digest, size);
        else
            digest_add(d, in->typed, in->len);
        digest_end(d, digest);
    }
}

/* Digest of password, salt, password: where both schemes begin. */
static void digest_sandwich(struct digest *d, const struct round_input *in, uint8_t *out)
{
    digest_begin(d);
    digest_add(d, in->typed, in->len);
    digest_add(d, in->salt, in->salt_len);
    digest_add(d, in->typed, in->len);
    digest_end(d, out);
}

static void md5_crypt(struct digest *d, const struct round_input *in, uint8_t *out)
{
    digest_sandwich(d, in, out);
    digest_begin(d);
    digest_add(d, in->typed, in->len);
    digest_add(d, "$1$", 3);
    digest_add(d, in->salt, in->salt_len);
    add_repeated(d, out, in->len);
    /* For each bit of the length a zero or the first byte: the original's slip, now the scheme. */
    for (size_t bits = in->len; bits > 0; bits >>= 1)
        digest_add(d, bits & 1 ? "" : in->typed, 1);
    digest_end(d, out);
    run_rounds(d, MD5_ROUNDS, in, out);
}

static void sha_crypt(struct digest *d, uint32_t nr_rounds, const struct round_input *in,
                      uint8_t *out)
{
    uint8_t typed[CRYPT_TYPED_MAX], sum[DIGEST_BYTES_MAX], salt[DIGEST_BYTES_MAX];
    struct round_input replaced = {typed, salt, in->len, in->salt_len};
    size_t size = digest_bytes(d->kind);

    digest_sandwich(d, in, sum);
    digest_begin(d);
    digest_add(d, in->typed, in->len);
    digest_add(d, in->salt, in->salt_len);
    add_repeated(d, sum, in->len);
    for (size_t bits = in->len; bits > 0; bits >>= 1) {
        if (bits & 1)
            digest_add(d, sum, size);
        else
            digest_add(d, in->typed, in->len);
    }
    digest_end(d, out);

    /* In the rounds, digests stand for the password and the salt, cut to the lengths of those. */
    digest_begin(d);
    for (size_t i = 0; i < in->len; i++)
        digest_add(d, in->typed, in->len);
    digest_end(d, sum);
    for (size_t i = 0; i < in->len; i++)
        typed[i] = sum[i % size];
    digest_begin(d);
    for (uint32_t i = 0; i < 16u + out[0]; i++)
        digest_add(d, in->salt, in->salt_len);
    digest_end(d, salt);
    run_rounds(d, nr_rounds, &replaced, out);
}

struct err crypt_sum(const struct crypt_hash *h, const char *typed, size_t len,
                     char out[CRYPT_SUM_MAX])
{
    struct round_input in = {typed, h->salt, len, h->salt_len};
    uint8_t result[DIGEST_BYTES_MAX];
    struct digest d;
    bool bad;

    if (len > CRYPT_TYPED_MAX)
        return ERR2(ERR_LIMIT, TOO_LONG, len, CRYPT_TYPED_MAX);
    digest_init(&d, h->digest);
    if (h->digest == DIGEST_MD5)
        md5_crypt(&d, &in, result);
    else
        sha_crypt(&d, h->rounds, &in, result);
    bad = d.bad;
    digest_wipe(&d);
    if (bad)
        return ERR(ERR_REFUSED, LIBRARY_FAILED);
    show_sum(h->digest, result, out);
    return OK;
}
