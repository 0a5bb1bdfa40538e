/* SPDX-License-Identifier: MIT */
/*
 * Fuzz the reader of qcow2 images: the input is the image. What opens is read at its start, at its
 * end and around every boundary of clusters and tables that the input can hold.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "core/base/bytes.h"
#include "host/qcow2.h"
#include "tests/fuzz/seeds.h"

#define READ_BYTES       8192
#define READS_MAX        64
#define CLUSTER_BITS_AT  20
#define SIZE_AT          24
#define L1_SIZE_AT       36
#define L1_AT            40
#define COMPRESSION_AT   104
#define SEED_CLUSTER     512
#define SEED_BYTES       (6 * SEED_CLUSTER)
#define SEED_L1          512
#define SEED_L2          1024
#define SEED_DATA        1536
#define SEED_PACKED      2048
#define COMPRESSED_ENTRY ((uint64_t)1 << 62)

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);
int LLVMFuzzerInitialize(int *argc, char ***argv);

static int image_fd = -1;

static void must(bool cond, const char *what)
{
    if (cond)
        return;
    fprintf(stderr, "not true: %s\n", what);
    abort();
}

static void put_be(uint8_t *p, uint64_t v, size_t len)
{
    for (size_t i = 0; i < len; i++)
        p[i] = (uint8_t)(v >> 8 * (len - 1 - i));
}

/* Four clusters: plain, compressed, zero and absent. */
static void seed_image(const char *folder, unsigned number, bool zstd)
{
    static const uint8_t magic[4] = {'Q', 'F', 'I', 0xfb};
    static uint8_t image[SEED_BYTES], content[SEED_CLUSTER];
    struct bytes packed;

    memset(image, 0, sizeof(image));
    memset(content, 'x', sizeof(content));
    packed = through_command(zstd ? "zstd -q -c" : "gzip -n -c",
                             (struct bytes){.data = content, .len = sizeof(content)});
    memcpy(image, magic, sizeof(magic));
    put_be(image + 4, 3, 4);
    put_be(image + CLUSTER_BITS_AT, 9, 4);
    put_be(image + SIZE_AT, 4 * SEED_CLUSTER, 8);
    put_be(image + L1_SIZE_AT, 1, 4);
    put_be(image + L1_AT, SEED_L1, 8);
    put_be(image + 72, zstd ? 8 : 0, 8);
    put_be(image + 100, 112, 4);
    image[COMPRESSION_AT] = zstd;
    put_be(image + SEED_L1, SEED_L2, 8);
    put_be(image + SEED_L2, SEED_DATA, 8);
    /* Behind gzip's header of 10 bytes the bare stream begins; 2 sectors more. */
    put_be(image + SEED_L2 + 8,
           COMPRESSED_ENTRY | (uint64_t)1 << 61 | (uint64_t)(SEED_PACKED + (zstd ? 0 : 10)), 8);
    put_be(image + SEED_L2 + 16, 1, 8);
    memcpy(image + SEED_PACKED, packed.data, min_u64(packed.len, 2 * SEED_CLUSTER));
    seed(folder, number, (struct bytes){.data = image, .len = sizeof(image)},
         (struct bytes){.data = image, .len = 0});
    bytes_free(&packed);
}

int LLVMFuzzerInitialize(int *argc, char ***argv)
{
    const char *folder = seed_folder(*argc, *argv);

    image_fd = memfd_create("image", MFD_CLOEXEC);
    must(image_fd >= 0, "a memory file");
    seed_image(folder, 0, false);
    seed_image(folder, 1, true);
    return 0;
}

/* Reading the same twice gives the same, whatever is kept in between. */
static void read_at(struct qcow2 *q, uint64_t off)
{
    static uint8_t once[READ_BYTES], again[READ_BYTES], other[1];
    uint64_t size = qcow2_size_bytes(q), len;

    if (off >= size)
        return;
    len = min_u64(READ_BYTES, size - off);
    memset(once, 0xaa, sizeof(once));
    memset(again, 0x55, sizeof(again));
    struct err e = qcow2_read(q, off, once, len);

    if (failed(qcow2_read(q, size - 1, other, 1)))
        other[0] = 0;
    struct err f = qcow2_read(q, off, again, len);

    must(e.code == f.code, "the same result twice");
    must(failed(e) || memcmp(once, again, (size_t)len) == 0, "the same bytes twice");
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct qcow2 *q = NULL;

    must(ftruncate(image_fd, 0) == 0, "an empty file");
    must(pwrite(image_fd, data, size, 0) == (ssize_t)size, "the image in the file");
    if (failed(qcow2_open(&q, image_fd)))
        return 0;
    uint64_t disk_bytes = qcow2_size_bytes(q);
    uint64_t cluster = (uint64_t)1 << be32(data + CLUSTER_BITS_AT);
    uint64_t table = cluster * (cluster / 8); /* what one L2 table covers */

    for (uint64_t i = 0; i < READS_MAX; i++) {
        read_at(q, i * cluster);
        read_at(q, i * table + cluster / 2 + i);
    }
    if (disk_bytes > 0)
        read_at(q, disk_bytes - 1);
    qcow2_close(q);
    return 0;
}
