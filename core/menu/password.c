/* SPDX-License-Identifier: MIT */
#include "core/menu/password.h"

#include <string.h>

#include "core/base/bytes.h"
#include "core/base/text.h"
#include "core/menu/crypt.h"
#include "core/menu/lex.h"

STATIC_ASSERT(PASSWORD_TYPED_MAX == CRYPT_TYPED_MAX, "one cap under two names");

#define USAGE      "password takes [--md5 | --encrypted] PASSWORD [FILE], and no PASSWORD is there"
#define BAD_OPTION "the options of password are --md5 and --encrypted"

static enum password_kind kind_of(enum digest_kind digest)
{
    return digest == DIGEST_MD5      ? PASSWORD_MD5
           : digest == DIGEST_SHA256 ? PASSWORD_SHA256
                                     : PASSWORD_SHA512;
}

struct err password_parse(struct password *out, const char *args, const char **rest)
{
    struct password p = {.kind = PASSWORD_PLAIN};
    const char *at = args;
    bool hashed;

    *out = (struct password){.kind = PASSWORD_NONE};
    *rest = "";
    if (!lex_word(&at, &p.text, &p.len))
        return ERR(ERR_BAD_ARGUMENT, USAGE);
    hashed = lex_is(p.text, p.len, "--md5") || lex_is(p.text, p.len, "--encrypted");
    /* A mistyped option must not become the password, with the hash as a file's name. */
    if (!hashed && p.len >= 2 && memcmp(p.text, "--", 2) == 0)
        return ERR(ERR_BAD_ARGUMENT, BAD_OPTION);
    if (hashed) {
        struct crypt_hash h;

        if (!lex_word(&at, &p.text, &p.len))
            return ERR(ERR_BAD_ARGUMENT, USAGE);
        TRY(crypt_split(&h, p.text, p.len));
        p.kind = kind_of(h.digest);
    }
    while (*at == ' ')
        at++;
    *out = p;
    *rest = at;
    return OK;
}

/* Are a[0..a_len) and b[0..b_len) the same? In a time that only the lengths decide. */
static bool same(const char *a, size_t a_len, const char *b, size_t b_len)
{
    volatile uint8_t differs = a_len != b_len;

    for (size_t i = 0; i < a_len && b_len > 0; i++)
        differs = (uint8_t)(differs | (a[i] ^ b[i % b_len]));
    return differs == 0;
}

struct err password_matches(const struct password *p, const char *typed, size_t len, bool *yes)
{
    char sum[CRYPT_SUM_MAX];
    struct crypt_hash h;

    *yes = false;
    if (p->kind == PASSWORD_NONE)
        return OK;
    if (p->kind == PASSWORD_PLAIN) {
        *yes = p->len > 0 && same(typed, len, p->text, p->len);
        return OK;
    }
    TRY(crypt_split(&h, p->text, p->len));
    TRY(crypt_sum(&h, typed, len, sum));
    *yes = same(sum, crypt_sum_len(h.digest), h.sum, crypt_sum_len(h.digest));
    return OK;
}

void password_salt(uint64_t seed, char salt[PASSWORD_SALT_LEN])
{
    for (size_t i = 0; i < PASSWORD_SALT_LEN; i++, seed >>= 6)
        salt[i] = crypt_alphabet[seed & 63];
}

struct err password_md5crypt(const char *typed, size_t len, const char salt[PASSWORD_SALT_LEN],
                             char *out, size_t cap)
{
    struct crypt_hash h = {.digest = DIGEST_MD5, .salt = salt, .salt_len = PASSWORD_SALT_LEN};
    struct text t = text_on(out, cap);
    char sum[CRYPT_SUM_MAX];

    for (size_t i = 0; i < PASSWORD_SALT_LEN; i++) {
        if (memchr(crypt_alphabet, salt[i], 64) == NULL)
            return ERR(ERR_BAD_ARGUMENT, "a salt consists of the characters ./0-9A-Za-z");
    }
    if (cap < PASSWORD_MD5_BYTES)
        return ERR1(ERR_BAD_ARGUMENT, "an MD5 hash of a password needs %a bytes",
                    PASSWORD_MD5_BYTES);
    TRY(crypt_sum(&h, typed, len, sum));
    text_str(&t, "$1$");
    text_mem(&t, salt, PASSWORD_SALT_LEN);
    text_char(&t, '$');
    text_mem(&t, sum, crypt_sum_len(DIGEST_MD5));
    return OK;
}
