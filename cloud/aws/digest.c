/* SPDX-License-Identifier: MIT */
#include "cloud/aws/digest.h"

#include <errno.h>
#include <openssl/evp.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "host/xenhost/buf.h"

#define BLOCK_BYTES ((size_t)256 << 10)

struct digesting {
    EVP_MD_CTX *sha1, *md5, *sha256;
};

static bool begin(struct digesting *g)
{
    g->sha1 = EVP_MD_CTX_new();
    g->md5 = EVP_MD_CTX_new();
    g->sha256 = EVP_MD_CTX_new();
    return g->sha1 != NULL && g->md5 != NULL && g->sha256 != NULL &&
           EVP_DigestInit_ex(g->sha1, EVP_sha1(), NULL) == 1 &&
           EVP_DigestInit_ex(g->md5, EVP_md5(), NULL) == 1 &&
           EVP_DigestInit_ex(g->sha256, EVP_sha256(), NULL) == 1;
}

static bool add(struct digesting *g, const void *bytes, size_t len)
{
    return EVP_DigestUpdate(g->sha1, bytes, len) == 1 &&
           EVP_DigestUpdate(g->md5, bytes, len) == 1 &&
           EVP_DigestUpdate(g->sha256, bytes, len) == 1;
}

/* Frees g; what was wrong with libcrypto is told as being out of memory. */
static bool end(struct digesting *g, struct digest *out, bool good)
{
    good = good && EVP_DigestFinal_ex(g->sha1, out->sha1, NULL) == 1 &&
           EVP_DigestFinal_ex(g->md5, out->md5, NULL) == 1 &&
           EVP_DigestFinal_ex(g->sha256, out->sha256, NULL) == 1;
    EVP_MD_CTX_free(g->sha1);
    EVP_MD_CTX_free(g->md5);
    EVP_MD_CTX_free(g->sha256);
    return good;
}

bool digest_file(int fd, const stop_flag *stop, struct digest *out)
{
    struct digesting g;
    char *block = xalloc(BLOCK_BYTES);
    ssize_t len = 1;
    int error = ENOMEM;
    bool good = begin(&g);

    out->size_bytes = 0;
    while (good && len > 0) {
        len = pread(fd, block, BLOCK_BYTES, (off_t)out->size_bytes);
        if (stop != NULL && *stop != 0) {
            errno = EINTR;
            len = -1;
        }
        if (len < 0)
            error = errno;
        good = len >= 0 && add(&g, block, (size_t)len);
        out->size_bytes += good ? (uint64_t)len : 0;
    }
    good = end(&g, out, good);
    free(block);
    errno = good ? 0 : error;
    return good;
}

void digest_base64(const struct digest *d, char out[25])
{
    EVP_EncodeBlock((unsigned char *)out, d->md5, DIGEST_MD5_BYTES);
}
