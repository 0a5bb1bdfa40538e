/* SPDX-License-Identifier: MIT */
#include "core/menu/digest.h"

size_t digest_bytes(enum digest_kind kind)
{
    return kind == DIGEST_MD5 ? 16 : kind == DIGEST_SHA256 ? 32 : 64;
}

void digest_init(struct digest *d, enum digest_kind kind)
{
    d->kind = kind;
    d->bad = false;
    if (kind == DIGEST_MD5)
        mbedtls_md5_init(&d->state.md5);
    else if (kind == DIGEST_SHA256)
        mbedtls_sha256_init(&d->state.sha256);
    else
        mbedtls_sha512_init(&d->state.sha512);
}

void digest_begin(struct digest *d)
{
    int result;

    if (d->kind == DIGEST_MD5)
        result = mbedtls_md5_starts_ret(&d->state.md5);
    else if (d->kind == DIGEST_SHA256)
        result = mbedtls_sha256_starts_ret(&d->state.sha256, 0 /* not SHA-224 */);
    else
        result = mbedtls_sha512_starts_ret(&d->state.sha512, 0 /* not SHA-384 */);
    d->bad |= result != 0;
}

void digest_add(struct digest *d, const void *data, size_t len)
{
    int result;

    if (d->kind == DIGEST_MD5)
        result = mbedtls_md5_update_ret(&d->state.md5, data, len);
    else if (d->kind == DIGEST_SHA256)
        result = mbedtls_sha256_update_ret(&d->state.sha256, data, len);
    else
        result = mbedtls_sha512_update_ret(&d->state.sha512, data, len);
    d->bad |= result != 0;
}

void digest_end(struct digest *d, uint8_t *out)
{
    int result;

    if (d->kind == DIGEST_MD5)
        result = mbedtls_md5_finish_ret(&d->state.md5, out);
    else if (d->kind == DIGEST_SHA256)
        result = mbedtls_sha256_finish_ret(&d->state.sha256, out);
    else
        result = mbedtls_sha512_finish_ret(&d->state.sha512, out);
    d->bad |= result != 0;
}

void digest_wipe(struct digest *d)
{
    if (d->kind == DIGEST_MD5)
        mbedtls_md5_free(&d->state.md5);
    else if (d->kind == DIGEST_SHA256)
        mbedtls_sha256_free(&d->state.sha256);
    else
        mbedtls_sha512_free(&d->state.sha512);
}
