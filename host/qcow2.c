/* SPDX-License-Identifier: MIT */
/*
 * qcow2: a table (L1) of tables (L2) of clusters. The last L2 table and the last unpacked cluster
 * are kept; the images that commands look into are read mostly in order.
 */
#include "host/qcow2.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <zlib.h>
#include <zstd.h>

#include "core/base/bytes.h"

#define CLUSTER_BITS_MIN 9
#define CLUSTER_BITS_MAX 21                   /* QEMU's own limit, 2 MiB */
#define L1_BYTES_MAX     ((uint64_t)32 << 20) /* the same */

struct qcow2_disk_header {
    uint8_t magic[4], version[4];
    uint8_t backing_file_offset[8], backing_file_size[4];
    uint8_t cluster_bits[4], size[8], crypt_method[4];
    uint8_t l1_size[4], l1_table_offset[8];
    uint8_t refcount_table_offset[8], refcount_table_clusters[4];
    uint8_t nb_snapshots[4], snapshots_offset[8];
    /* Version 3. */
    uint8_t incompatible_features[8], compatible_features[8], autoclear_features[8];
    uint8_t refcount_order[4], header_length[4];
    uint8_t compression_type[1];
};
STATIC_ASSERT(offsetof(struct qcow2_disk_header, incompatible_features) == 72, "version 3");
STATIC_ASSERT(offsetof(struct qcow2_disk_header, compression_type) == 104, "compression type");

#define INCOMPAT_DIRTY       1 /* reference counts, which a reader does not need */
#define INCOMPAT_CORRUPT     2
#define INCOMPAT_DATA_FILE   4
#define INCOMPAT_COMPRESSION 8
#define INCOMPAT_EXTENDED_L2 16

#define ENTRY_COMPRESSED ((uint64_t)1 << 62)
#define ENTRY_ZERO       ((uint64_t)1)
#define ENTRY_OFFSET     UINT64_C(0x00fffffffffffe00)

struct qcow2 {
    int fd;
    uint64_t file_bytes, size_bytes;
    uint32_t cluster_bits, nr_l1;
    uint64_t cluster_bytes;
    bool version3, zstd;
    struct qcow2_below below; /* read NULL: there is nothing */
    uint8_t *l1;              /* as on the disk */
    uint8_t *l2;              /* the table at l2_off; 0: none */
    uint64_t l2_off;
    uint8_t *unpacked; /* the cluster whose entry is unpacked_entry; 0: none */
    uint64_t unpacked_entry;
    uint8_t *packed;
};

static struct err read_file(const struct qcow2 *q, uint64_t off, void *buf, uint64_t len)
{
    uint8_t *p = buf;

    if (!in_range(off, len, q->file_bytes))
        return ERR_AT(ERR_READ, off, "the qcow2 image is cut: it has %a bytes", q->file_bytes, 0);
    while (len > 0) {
        ssize_t n = pread(q->fd, p, (size_t)len, (off_t)off);

        if (n < 0 && errno == EINTR)
            continue;
        if (n <= 0)
            return ERR_AT(ERR_READ, off, "reading the image failed with errno %a",
                          n < 0 ? errno : 0, 0);
        p += n;
        off += (uint64_t)n;
        len -= (uint64_t)n;
    }
    return OK;
}

static struct err check_features(struct qcow2 *q, const struct qcow2_disk_header *h)
{
    uint64_t features = be64(h->incompatible_features);

    if (features & INCOMPAT_CORRUPT)
        return ERR(ERR_FS_DAMAGED,
                   "the qcow2 image is marked as corrupt; run qemu-img check on it");
    if (features & INCOMPAT_DATA_FILE)
        return ERR(ERR_REFUSED, "a qcow2 image whose data is in another file");
    if (features & INCOMPAT_EXTENDED_L2)
        return ERR(ERR_REFUSED, "a qcow2 image with extended L2 entries; convert it with qemu-img");
    if (features & ~(uint64_t)(INCOMPAT_DIRTY | INCOMPAT_COMPRESSION))
        return ERR1(ERR_REFUSED, "a qcow2 image with unknown features %A", features);
    if ((features & INCOMPAT_COMPRESSION) && be32(h->header_length) >= sizeof(*h)) {
        if (h->compression_type[0] > 1)
            return ERR1(ERR_REFUSED, "a qcow2 image with compression of type %a",
                        h->compression_type[0]);
        q->zstd = h->compression_type[0] == 1;
    }
    return OK;
}

static struct err parse_header(struct qcow2 *q)
{
    struct qcow2_disk_header h = {0};

    TRY(read_file(q, 0, &h, min_u64(sizeof(h), q->file_bytes)));
    uint32_t version = be32(h.version);

    if (memcmp(h.magic, "QFI\xfb", 4) != 0)
        return ERR(ERR_NOT_MINE, "no qcow2 image");
    if (version != 2 && version != 3)
        return ERR1(ERR_REFUSED, "a qcow2 image of version %a", version);
    if (be64(h.backing_file_offset) != 0 && q->below.read == NULL)
        return ERR(ERR_REFUSED, "a qcow2 image with a backing file: what is not in this file is in "
                                "another; merge them with qemu-img convert");
    if (be32(h.crypt_method) != 0)
        return ERR(ERR_REFUSED, "an encrypted qcow2 image");
    q->version3 = version == 3;
    if (q->version3)
        TRY(check_features(q, &h));
    q->cluster_bits = be32(h.cluster_bits);
    if (q->cluster_bits < CLUSTER_BITS_MIN || q->cluster_bits > CLUSTER_BITS_MAX)
        return ERR1(ERR_FS_DAMAGED, "a qcow2 image with clusters of 2^%a bytes", q->cluster_bits);
    q->cluster_bytes = (uint64_t)1 << q->cluster_bits;
    q->size_bytes = be64(h.size);
    q->nr_l1 = be32(h.l1_size);
    /* One L1 entry covers cluster_bytes / 8 clusters. */
    uint64_t covered = (uint64_t)q->nr_l1 << (2 * q->cluster_bits - 3);

    if ((uint64_t)q->nr_l1 * 8 > L1_BYTES_MAX || q->size_bytes > covered)
        return ERR2(ERR_FS_DAMAGED, "a qcow2 image of %a bytes with %b L1 entries", q->size_bytes,
                    q->nr_l1);
    q->l1 = malloc((size_t)q->nr_l1 * 8 + 1);
    q->l2 = malloc((size_t)q->cluster_bytes);
    q->unpacked = malloc((size_t)q->cluster_bytes);
    q->packed = malloc((size_t)(2 * q->cluster_bytes + 512));
    if (q->l1 == NULL || q->l2 == NULL || q->unpacked == NULL || q->packed == NULL)
        return ERR(ERR_NO_MEMORY, "the tables of a qcow2 image");
    return read_file(q, be64(h.l1_table_offset), q->l1, (uint64_t)q->nr_l1 * 8);
}

struct err qcow2_open(struct qcow2 **out, int fd)
{
    return qcow2_open_over(out, fd, &(struct qcow2_below){0});
}

struct err qcow2_open_over(struct qcow2 **out, int fd, const struct qcow2_below *below)
{
    struct qcow2 *q = calloc(1, sizeof(*q));
    off_t end = lseek(fd, 0, SEEK_END);

    if (q == NULL)
        return ERR(ERR_NO_MEMORY, "a qcow2 image");
    q->fd = fd;
    q->below = *below;
    q->file_bytes = end < 0 ? 0 : (uint64_t)end;
    struct err e = parse_header(q);

    if (failed(e)) {
        qcow2_close(q);
        return e;
    }
    *out = q;
    return OK;
}

void qcow2_close(struct qcow2 *q)
{
    if (q == NULL)
        return;
    free(q->l1);
    free(q->l2);
    free(q->unpacked);
    free(q->packed);
    free(q);
}

uint64_t qcow2_size_bytes(const struct qcow2 *q)
{
    return q->size_bytes;
}

static bool inflate_cluster(struct qcow2 *q, size_t packed_len)
{
    z_stream z = {0};
    int status;

    z.next_in = q->packed;
    z.avail_in = (uInt)packed_len;
    z.next_out = q->unpacked;
    z.avail_out = (uInt)q->cluster_bytes;
    if (inflateInit2(&z, -15) != Z_OK)
        return false;
    status = inflate(&z, Z_FINISH);
    inflateEnd(&z);
    /* What follows the stream in its last sector is of no account. */
    return (status == Z_STREAM_END || status == Z_BUF_ERROR) && z.avail_out == 0;
}

static bool unzstd_cluster(struct qcow2 *q, size_t packed_len)
{
    ZSTD_DCtx *dctx = ZSTD_createDCtx();
    ZSTD_inBuffer in = {.src = q->packed, .size = packed_len};
    ZSTD_outBuffer out = {.dst = q->unpacked, .size = (size_t)q->cluster_bytes};
    size_t status = 1;

    while (dctx != NULL && out.pos < out.size && in.pos < in.size && status != 0) {
        status = ZSTD_decompressStream(dctx, &out, &in);
        if (ZSTD_isError(status))
            break;
    }
    ZSTD_freeDCtx(dctx);
    return out.pos == out.size;
}

static struct err unpack(struct qcow2 *q, uint64_t entry)
{
    uint32_t offset_bits = 62 - (q->cluster_bits - 8);
    uint64_t off = entry & (((uint64_t)1 << offset_bits) - 1);
    uint64_t nr_sectors = ((entry & (ENTRY_COMPRESSED - 1)) >> offset_bits) + 1;
    uint64_t len = nr_sectors * 512 - off % 512;

    if (q->unpacked_entry == entry)
        return OK;
    q->unpacked_entry = 0;
    if (off >= q->file_bytes)
        return ERR_AT(ERR_READ, off, "the qcow2 image is cut: it has %a bytes", q->file_bytes, 0);
    len = min_u64(len, q->file_bytes - off); /* the last sector of a file may be short */
    TRY(read_file(q, off, q->packed, len));
    if (!(q->zstd ? unzstd_cluster(q, (size_t)len) : inflate_cluster(q, (size_t)len)))
        return ERR_AT(ERR_READ, off, "a compressed cluster of the qcow2 image is damaged", 0, 0);
    q->unpacked_entry = entry;
    return OK;
}

/* The L2 entry of a cluster; 0 when there is no table for it. */
static struct err find_entry(struct qcow2 *q, uint64_t cluster, uint64_t *entry)
{
    uint64_t per_table = q->cluster_bytes / 8;
    uint64_t l2_off = be64(q->l1 + 8 * (cluster / per_table)) & ENTRY_OFFSET;

    *entry = 0;
    if (l2_off == 0)
        return OK;
    if (l2_off != q->l2_off) {
        q->l2_off = 0;
        TRY(read_file(q, l2_off, q->l2, q->cluster_bytes));
        q->l2_off = l2_off;
    }
    *entry = be64(q->l2 + 8 * (cluster % per_table));
    return OK;
}

static struct err read_below(const struct qcow2 *q, uint64_t off_bytes, uint8_t *buf,
                             uint64_t len_bytes)
{
    if (q->below.read != NULL)
        return q->below.read(q->below.ctx, off_bytes, buf, len_bytes);
    memset(buf, 0, (size_t)len_bytes);
    return OK;
}

struct err qcow2_read(struct qcow2 *q, uint64_t off_bytes, uint8_t *buf, uint64_t len_bytes)
{
    while (len_bytes > 0) {
        uint64_t skip = off_bytes % q->cluster_bytes;
        uint64_t n = min_u64(q->cluster_bytes - skip, len_bytes);
        uint64_t entry, at;

        TRY(find_entry(q, off_bytes / q->cluster_bytes, &entry));
        at = entry & ENTRY_OFFSET;
        if (entry & ENTRY_COMPRESSED) {
            TRY(unpack(q, entry));
            memcpy(buf, q->unpacked + skip, (size_t)n);
        } else if (q->version3 && (entry & ENTRY_ZERO)) {
            memset(buf, 0, (size_t)n);
        } else if (at == 0) {
            TRY(read_below(q, off_bytes, buf, n));
        } else {
            TRY(read_file(q, at + skip, buf, n));
        }
        off_bytes += n;
        buf += n;
        len_bytes -= n;
    }
    return OK;
}
