/* SPDX-License-Identifier: MIT */
/* CRCs by table, digests by OpenSSL; see checksum.h. */
#include "cloud/aws/checksum.h"

#include <pthread.h>
#include <string.h>
#include <zlib.h>

/* Polynomials with their bits reversed: Castagnoli's, and that of NVM Express. */
#define CRC32C_POLYNOMIAL    UINT32_C(0x82f63b78)
#define CRC64NVME_POLYNOMIAL UINT64_C(0x9a6c9329ac4bc9b5)

static uint64_t table_crc32c[256], table_crc64[256];
static pthread_once_t tables_once = PTHREAD_ONCE_INIT;

const char *checksum_name(enum checksum_kind kind)
{
    static const char *const names[CHECKSUM_KINDS] = {"crc32", "crc32c", "crc64nvme", "sha1",
                                                      "sha256"};

    return names[kind];
}

static void make_table(uint64_t table[256], uint64_t polynomial)
{
    for (unsigned i = 0; i < 256; i++) {
        uint64_t crc = i;

        for (unsigned bit = 0; bit < 8; bit++)
            crc = crc & 1 ? crc >> 1 ^ polynomial : crc >> 1;
        table[i] = crc;
    }
}

static void make_tables(void)
{
    make_table(table_crc32c, CRC32C_POLYNOMIAL);
    make_table(table_crc64, CRC64NVME_POLYNOMIAL);
}

static uint64_t crc_add(const uint64_t table[256], uint64_t crc, const unsigned char *p, size_t len)
{
    for (; len > 0; len--)
        crc = table[(crc ^ *p++) & 255] ^ crc >> 8;
    return crc;
}

bool checksum_begin(struct checksum *c, enum checksum_kind kind)
{
    const EVP_MD *digest = kind == CHECKSUM_SHA1     ? EVP_sha1()
                           : kind == CHECKSUM_SHA256 ? EVP_sha256()
                                                     : NULL;

    pthread_once(&tables_once, make_tables);
    c->kind = kind;
    c->crc = kind == CHECKSUM_CRC32 ? 0 : kind == CHECKSUM_CRC32C ? UINT32_MAX : UINT64_MAX;
    c->md = digest ? EVP_MD_CTX_new() : NULL;
    return !digest || (c->md && EVP_DigestInit_ex(c->md, digest, NULL) == 1);
}

void checksum_add(struct checksum *c, const void *bytes, size_t len)
{
    if (c->md)
        EVP_DigestUpdate(c->md, bytes, len);
    else if (c->kind == CHECKSUM_CRC32)
        c->crc = crc32_z((uLong)c->crc, bytes, len);
    else
        c->crc =
            crc_add(c->kind == CHECKSUM_CRC32C ? table_crc32c : table_crc64, c->crc, bytes, len);
}

void checksum_end(struct checksum *c, char out[CHECKSUM_TEXT_BYTES])
{
    unsigned char raw[EVP_MAX_MD_SIZE];
    unsigned len = c->kind == CHECKSUM_CRC64NVME ? 8 : 4;

    if (c->md) {
        EVP_DigestFinal_ex(c->md, raw, &len);
    } else {
        uint64_t crc = c->kind == CHECKSUM_CRC32 ? c->crc : ~c->crc;

        for (unsigned i = 0; i < len; i++)
            raw[i] = (unsigned char)(crc >> 8 * (len - 1 - i));
    }
    EVP_EncodeBlock((unsigned char *)out, raw, (int)len);
}

void checksum_free(struct checksum *c)
{
    EVP_MD_CTX_free(c->md);
    c->md = NULL;
}
