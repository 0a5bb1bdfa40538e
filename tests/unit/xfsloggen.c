/* SPDX-License-Identifier: MIT */
#include "tests/unit/xfsloggen.h"

#include <stdlib.h>
#include <string.h>

#include "core/base/bytes.h"
#include "core/fs/crc.h"
#include "core/fs/xfs_disk.h"
#include "core/fs/xfs_log_disk.h"

void log_le64(uint8_t *p, uint64_t v)
{
    for (int i = 0; i < 8; i++)
        p[i] = (uint8_t)(v >> (8 * i));
}

void log_le32(uint8_t *p, uint32_t v)
{
    for (int i = 0; i < 4; i++)
        p[i] = (uint8_t)(v >> (8 * i));
}

void log_le16(uint8_t *p, uint32_t v)
{
    p[0] = (uint8_t)v;
    p[1] = (uint8_t)(v >> 8);
}

void log_be64(uint8_t *p, uint64_t v)
{
    for (int i = 0; i < 8; i++)
        p[i] = (uint8_t)(v >> (56 - 8 * i));
}

void log_be32(uint8_t *p, uint32_t v)
{
    for (int i = 0; i < 4; i++)
        p[i] = (uint8_t)(v >> (24 - 8 * i));
}

void log_be16(uint8_t *p, uint32_t v)
{
    p[0] = (uint8_t)(v >> 8);
    p[1] = (uint8_t)v;
}

uint8_t *loggen_block(struct loggen *g, uint32_t bb)
{
    g->touched[bb % g->nr_bb] = true;
    return g->image + g->log_off + (size_t)(bb % g->nr_bb) * LOGGEN_BB;
}

void loggen_restart(struct loggen *g, uint32_t cycle, uint32_t bb)
{
    for (uint32_t i = 0; i < g->nr_bb; i++) {
        uint8_t *block = g->image + g->log_off + (size_t)i * LOGGEN_BB;
        uint32_t stamp_of_block = i < bb ? cycle : cycle - 1;

        if (g->touched[i])
            memset(block, 0x5c, LOGGEN_BB);
        if (g->touched[i] || be32(block) != stamp_of_block)
            log_be32(block, stamp_of_block);
        g->touched[i] = false;
    }
    g->cycle = g->tail_cycle = cycle;
    g->bb = g->tail_bb = bb;
}

void loggen_init(struct loggen *g, uint8_t *image, uint32_t buf_bytes)
{
    const struct xfs_disk_super *sb = (const struct xfs_disk_super *)image;
    uint64_t start = be64(sb->logstart), block = be32(sb->blocksize);
    uint64_t ag = start >> sb->agblklog[0], in_ag = start & ((UINT64_C(1) << sb->agblklog[0]) - 1);

    *g = (struct loggen){.image = image,
                         .log_off = (ag * be32(sb->agblocks) + in_ag) * block,
                         .nr_bb = (uint32_t)(be32(sb->logblocks) * block / LOGGEN_BB),
                         .v2 = (be16(sb->versionnum) & XFS_VERSION_LOGV2) != 0,
                         .buf_bytes = buf_bytes,
                         .fmt = XLOG_FMT_LE};
    memcpy(g->uuid, sb->uuid, sizeof(g->uuid));
    g->body = malloc(LOGGEN_BODY_MAX);
    g->touched = malloc(g->nr_bb);
    memset(g->touched, 1, g->nr_bb);
    loggen_restart(g, 3, 8);
}

void loggen_free(struct loggen *g)
{
    free(g->body);
    free(g->touched);
}

uint64_t loggen_lsn(const struct loggen *g)
{
    return (uint64_t)g->cycle << 32 | g->bb;
}

void loggen_op(struct loggen *g, uint32_t tid, uint8_t flags, const void *data, size_t len)
{
    uint8_t *op = g->body + g->len;

    if (LOGGEN_BODY_MAX - g->len < 12 + len)
        return;
    log_be32(op, tid);
    log_be32(op + 4, (uint32_t)len);
    op[8] = XLOG_CLIENT_TRANSACTION;
    op[9] = flags;
    op[10] = op[11] = 0;
    if (len > 0)
        memcpy(op + 12, data, len);
    g->len += 12 + len;
    g->nr_ops++;
}

/* At least one. */
static uint32_t nr_headers(const struct loggen *g)
{
    uint32_t nr = (g->buf_bytes + XLOG_RECORD_V1_BYTES - 1) / XLOG_RECORD_V1_BYTES;

    return g->v2 && nr > 1 ? nr : 1;
}

void loggen_seal(struct loggen *g, uint32_t bb)
{
    struct xlog_disk_header *h = (struct xlog_disk_header *)loggen_block(g, bb);
    uint32_t len = be32(h->len), headers = nr_headers(g), crc;

    memset(h->crc, 0, sizeof(h->crc));
    crc = crc32c(UINT32_MAX, h, sizeof(*h));
    for (uint32_t i = 1; i < headers && i * XLOG_RECORD_V1_BYTES < len; i++)
        crc = crc32c(crc, loggen_block(g, bb + i), sizeof(struct xlog_disk_ext_header));
    for (uint32_t at = 0; at < len && len <= LOGGEN_BODY_MAX; at += LOGGEN_BB)
        crc = crc32c(crc, loggen_block(g, bb + headers + at / LOGGEN_BB),
                     len - at < LOGGEN_BB ? len - at : LOGGEN_BB);
    log_le32(h->crc, g->no_crc ? 0 : ~crc);
}

/* A block of the record, at the i-th place: what lies past the end has the next cycle. */
static void stamp(struct loggen *g, uint32_t i, uint8_t *cycle_field)
{
    log_be32(cycle_field, g->bb + i >= g->nr_bb ? g->cycle + 1 : g->cycle);
}

void loggen_end(struct loggen *g)
{
    uint32_t headers = nr_headers(g), nr = (uint32_t)((g->len + LOGGEN_BB - 1) / LOGGEN_BB);
    struct xlog_disk_header *h = (struct xlog_disk_header *)loggen_block(g, g->bb);

    for (uint32_t i = 0; i < headers; i++) {
        memset(loggen_block(g, g->bb + i), 0, LOGGEN_BB);
        if (i > 0)
            stamp(g, i, loggen_block(g, g->bb + i));
    }
    log_be32(h->magic, XLOG_MAGIC);
    log_be32(h->cycle, g->cycle);
    log_be32(h->version, g->v2 ? 2 : 1);
    log_be32(h->len, (uint32_t)g->len);
    log_be64(h->lsn, loggen_lsn(g));
    log_be64(h->tail_lsn, (uint64_t)g->tail_cycle << 32 | g->tail_bb);
    log_be32(h->nr_ops, g->nr_ops);
    log_be32(h->fmt, g->fmt);
    memcpy(h->fs_uuid, g->uuid, sizeof(h->fs_uuid));
    log_be32(h->size, g->v2 ? g->buf_bytes : 0);
    memset(g->body + g->len, 0, LOGGEN_BODY_MAX - g->len);
    for (uint32_t i = 0; i < nr; i++) {
        uint8_t *block = loggen_block(g, g->bb + headers + i);
        uint8_t *head = loggen_block(g, g->bb + i / XLOG_CYCLES % headers);

        memcpy(block, g->body + (size_t)i * LOGGEN_BB, LOGGEN_BB);
        memcpy(head + (i < XLOG_CYCLES ? offsetof(struct xlog_disk_header, cycle_data) : 4) +
                   (size_t)(i % XLOG_CYCLES) * 4,
               block, 4);
        stamp(g, headers + i, block);
    }
    loggen_seal(g, g->bb);
    g->last_bb = g->bb;
    g->bb += headers + nr;
    if (g->bb >= g->nr_bb) {
        g->bb -= g->nr_bb;
        g->cycle++;
    }
    g->len = 0;
    g->nr_ops = 0;
}

void loggen_begin(struct loggen *g, uint32_t tid)
{
    uint8_t header[XLOG_TRANS_HEADER_BYTES] = {0};

    loggen_op(g, tid, XLOG_OP_START, NULL, 0);
    log_le32(header, XLOG_TRANS_MAGIC);
    log_le32(header + 4, 40);
    loggen_op(g, tid, 0, header, sizeof(header));
}

void loggen_commit(struct loggen *g, uint32_t tid)
{
    loggen_op(g, tid, XLOG_OP_COMMIT, NULL, 0);
}

void loggen_buf(struct loggen *g, uint32_t tid, uint64_t daddr, uint32_t nr_bb, uint32_t flags,
                uint32_t first, uint32_t nr, const void *data)
{
    uint8_t item[sizeof(struct xlog_disk_buf) + 17 * 4] = {0};

    log_le16(item, XFS_LI_BUF);
    log_le16(item + 2, nr > 0 ? 2 : 1);
    log_le16(item + 4, flags);
    log_le16(item + 6, nr_bb);
    log_le64(item + 8, daddr);
    log_le32(item + 16, 17);
    for (uint32_t i = first; i < first + nr; i++)
        item[20 + i / 8] = (uint8_t)(item[20 + i / 8] | 1u << (i % 8));
    loggen_op(g, tid, 0, item, sizeof(item));
    if (nr > 0)
        loggen_op(g, tid, 0, data, (size_t)nr * XLOG_BUF_CHUNK);
}

void loggen_unmount(struct loggen *g)
{
    uint8_t magic[8] = {0x6e, 0x55};

    loggen_op(g, 0xb0c0d0d0, XLOG_OP_UNMOUNT, magic, sizeof(magic));
    loggen_end(g);
}
