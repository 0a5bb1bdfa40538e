/* SPDX-License-Identifier: MIT */
#include "cloud/bundle/keys.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <openssl/err.h>
#include <openssl/evp.h>
#include <openssl/pem.h>
#include <openssl/rsa.h>
#include <openssl/x509.h>

#include "cloud/bundle/manifest.h"
#include "host/hex.h"

struct key {
    EVP_PKEY *pkey;
};

/* The last thing that OpenSSL said, for the end of a sentence. */
static const char *openssl_says(void)
{
    unsigned long e = ERR_peek_last_error();
    const char *reason = e != 0 ? ERR_reason_error_string(e) : NULL;

    return reason != NULL ? reason : "no reason was given";
}

__attribute__((format(printf, 3, 4))) static void say(char *why, size_t cap, const char *fmt, ...)
{
    va_list ap;

    va_start(ap, fmt);
    vsnprintf(why, cap, fmt, ap);
    va_end(ap);
    ERR_clear_error();
}

/* ---- reading --------------------------------------------------------------------------------- */

/* Nobody is asked: a tool in a script would wait for ever. */
static int no_passphrase(char *buf, int size, int writing, void *asked)
{
    (void)buf;
    (void)size;
    (void)writing;
    *(bool *)asked = true;
    return -1;
}

static struct key *wrap(EVP_PKEY *pkey, const char *path, char *why, size_t cap)
{
    struct key *k = NULL;

    if (EVP_PKEY_get_base_id(pkey) != EVP_PKEY_RSA)
        say(why, cap, "%s is no RSA key, which bundles need; make one with openssl genrsa", path);
    else if (EVP_PKEY_get_size(pkey) > KEY_RSA_BYTES_MAX || EVP_PKEY_get_size(pkey) < 64)
        say(why, cap, "%s is an RSA key of %d bits; 512 to %d can be used", path,
            EVP_PKEY_get_bits(pkey), KEY_RSA_BYTES_MAX * 8);
    else if ((k = malloc(sizeof(*k))) == NULL)
        say(why, cap, "out of memory");
    if (k == NULL)
        EVP_PKEY_free(pkey);
    else
        k->pkey = pkey;
    return k;
}

static FILE *open_pem(const char *path, char *why, size_t cap)
{
    FILE *f = fopen(path, "re");

    if (f == NULL)
        say(why, cap, "%s cannot be opened: %s", path, strerror(errno));
    return f;
}

struct key *key_private(const char *path, char *why, size_t why_cap)
{
    FILE *f = open_pem(path, why, why_cap);
    bool asked = false;

    if (f == NULL)
        return NULL;
    EVP_PKEY *pkey = PEM_read_PrivateKey(f, NULL, no_passphrase, &asked);

    fclose(f);
    if (pkey != NULL)
        return wrap(pkey, path, why, why_cap);
    if (asked)
        say(why, why_cap,
            "%s is protected by a passphrase; take it off into a file of your own with openssl rsa "
            "-in %s -out FILE",
            path, path);
    else
        say(why, why_cap, "%s is no private key in PEM form (%s)", path, openssl_says());
    return NULL;
}

struct key *key_public(const char *path, char *why, size_t why_cap)
{
    FILE *f = open_pem(path, why, why_cap);
    EVP_PKEY *pkey = NULL;

    if (f == NULL)
        return NULL;
    X509 *cert = PEM_read_X509(f, NULL, NULL, NULL);

    if (cert != NULL) {
        pkey = X509_get_pubkey(cert);
        X509_free(cert);
    } else {
        rewind(f);
        pkey = PEM_read_PUBKEY(f, NULL, NULL, NULL);
    }
    fclose(f);
    if (pkey == NULL) {
        say(why, why_cap, "%s is no certificate and no public key in PEM form (%s)", path,
            openssl_says());
        return NULL;
    }
    return wrap(pkey, path, why, why_cap);
}

void key_free(struct key *k)
{
    if (k == NULL)
        return;
    EVP_PKEY_free(k->pkey);
    free(k);
}

bool key_same(const struct key *a, const struct key *b)
{
    return EVP_PKEY_eq(a->pkey, b->pkey) == 1;
}

/* ---- signatures ------------------------------------------------------------------------------ */

static char *to_hex(const uint8_t *bytes, size_t len)
{
    char *hex = malloc(2 * len + 1);

    if (hex != NULL)
        hex_write(bytes, len, hex);
    return hex;
}

/* How many bytes of out were filled in; 0: it is no hexadecimal text of that length. */
static size_t from_hex(const char *hex, uint8_t out[KEY_RSA_BYTES_MAX])
{
    size_t len = strlen(hex);

    if (len == 0 || len % 2 != 0 || len / 2 > KEY_RSA_BYTES_MAX || !hex_read(hex, out, len / 2))
        return 0;
    return len / 2;
}

char *key_sign(struct key *k, const struct key_range *ranges, size_t nr, char *why, size_t why_cap)
{
    EVP_MD_CTX *ctx = EVP_MD_CTX_new();
    uint8_t signature[KEY_RSA_BYTES_MAX];
    size_t len = sizeof(signature);
    char *hex = NULL;
    bool good = ctx != NULL && EVP_DigestSignInit(ctx, NULL, EVP_sha1(), NULL, k->pkey) == 1;

    for (size_t i = 0; i < nr && good; i++)
        good = EVP_DigestSignUpdate(ctx, ranges[i].bytes, ranges[i].len) == 1;
    if (good && EVP_DigestSignFinal(ctx, signature, &len) == 1)
        hex = to_hex(signature, len);
    if (hex == NULL)
        say(why, why_cap, "signing with the private key failed: %s", openssl_says());
    EVP_MD_CTX_free(ctx);
    return hex;
}

bool key_verify(struct key *k, const struct key_range *ranges, size_t nr, const char *signature_hex,
                char *why, size_t why_cap)
{
    uint8_t signature[KEY_RSA_BYTES_MAX];
    size_t len = from_hex(signature_hex, signature);
    EVP_MD_CTX *ctx = EVP_MD_CTX_new();
    bool good = ctx != NULL && EVP_DigestVerifyInit(ctx, NULL, EVP_sha1(), NULL, k->pkey) == 1;

    for (size_t i = 0; i < nr && good; i++)
        good = EVP_DigestVerifyUpdate(ctx, ranges[i].bytes, ranges[i].len) == 1;
    if (!good)
        say(why, why_cap, "checking the signature failed: %s", openssl_says());
    else if (len == 0 || EVP_DigestVerifyFinal(ctx, signature, len) != 1) {
        say(why, why_cap,
            "the signature does not match: the manifest was changed, or signed with "
            "another key");
        good = false;
    }
    EVP_MD_CTX_free(ctx);
    return good;
}

/* ---- keys of bundles ------------------------------------------------------------------------- */

char *key_encrypt(struct key *k, const char *text, char *why, size_t why_cap)
{
    EVP_PKEY_CTX *ctx = EVP_PKEY_CTX_new(k->pkey, NULL);
    uint8_t out[KEY_RSA_BYTES_MAX];
    size_t len = sizeof(out);
    char *hex = NULL;

    if (ctx != NULL && EVP_PKEY_encrypt_init(ctx) == 1 &&
        EVP_PKEY_CTX_set_rsa_padding(ctx, RSA_PKCS1_PADDING) == 1 &&
        EVP_PKEY_encrypt(ctx, out, &len, (const uint8_t *)text, strlen(text)) == 1)
        hex = to_hex(out, len);
    if (hex == NULL)
        say(why, why_cap, "encrypting the bundle's key failed: %s", openssl_says());
    EVP_PKEY_CTX_free(ctx);
    return hex;
}

bool key_decrypt(struct key *k, const char *hex, char *out, size_t cap, char *why, size_t why_cap)
{
    EVP_PKEY_CTX *ctx = EVP_PKEY_CTX_new(k->pkey, NULL);
    uint8_t in[KEY_RSA_BYTES_MAX], plain[KEY_RSA_BYTES_MAX];
    size_t in_len = from_hex(hex, in), len = sizeof(plain);
    bool good = in_len > 0 && ctx != NULL && EVP_PKEY_decrypt_init(ctx) == 1 &&
                EVP_PKEY_CTX_set_rsa_padding(ctx, RSA_PKCS1_PADDING) == 1 &&
                EVP_PKEY_decrypt(ctx, plain, &len, in, in_len) == 1 && len < cap &&
                memchr(plain, '\0', len) == NULL;

    if (good) {
        memcpy(out, plain, len);
        out[len] = '\0';
    } else {
        say(why, why_cap, "the private key does not open the bundle: it was made for another one");
    }
    OPENSSL_cleanse(plain, sizeof(plain));
    EVP_PKEY_CTX_free(ctx);
    return good;
}
