/* SPDX-License-Identifier: MIT */
/*
 * Intents: a change that takes several transactions is announced by an intent in the first and
 * ended by a "done" in the last. What is still open when the log ends must be finished, as far as
 * files are seen differently by it:
 *
 *     bmap        an extent goes into a file's mapping, or out of it: finished
 *     exchange    two files exchange a part of their mappings: finished
 *     extent free, rmap, refcount (also real-time)
 *                 who owns which blocks: no reader asks
 *     attr        extended attributes and parent pointers: no reader asks
 */
#include <string.h>

#include "core/fs/xfs_log.h"

#define FINISH_MAX 1024u /* intents that are finished here, at most */

struct xlog_intent {
    struct xlog_intent *next, **link; /* link: what points to this one */
    uint16_t type;
    union {
        struct xlog_disk_bmap_intent bmap;
        struct xlog_disk_exchange_intent exchange;
    };
};

bool xlog_is_intent(uint16_t type)
{
    return type == XFS_LI_EFI || type == XFS_LI_EFD ||
           (type >= XFS_LI_RUI && type <= XFS_LI_CUD_RT);
}

/* Intents have even numbers, and the one after it ends it. */
static bool is_done(uint16_t type)
{
    return type % 2 == 1;
}

/* An id is where the intent lay in the writer's memory: used again once the intent is done. */
static uint64_t key_of(uint16_t type, uint64_t id)
{
    return (id ^ (uint64_t)(type / 2) << 48) & (UINT64_MAX >> 1);
}

static struct err keep(struct xlog *log, const struct xlog_item *item, struct xlog_slot *s)
{
    const struct xlog_region *g = &item->regions[0];
    size_t need = item->type == XFS_LI_BUI ? sizeof(struct xlog_disk_bmap_intent)
                                           : sizeof(struct xlog_disk_exchange_intent);
    struct xlog_intent *in = log->spare_intents;

    if (g->len < need)
        return ERR2(ERR_FS_DAMAGED, "an intent of type %A with %b bytes in the log", item->type,
                    g->len);
    if (in != NULL) {
        log->spare_intents = in->next;
    } else {
        if (log->nr_intents == XLOG_INTENTS_MAX)
            return ERR1(ERR_LIMIT, "the log has more than %a open intents", XLOG_INTENTS_MAX);
        in = arena_alloc(log->arena, sizeof(*in));
        if (in == NULL)
            return arena_exhausted("an intent of %a bytes", sizeof(*in));
        log->nr_intents++;
    }
    *in = (struct xlog_intent){.link = log->intents_end, .type = item->type};
    memcpy(&in->bmap, g->bytes, need);
    *log->intents_end = in;
    log->intents_end = &in->next;
    s->value = (uintptr_t)in;
    return OK;
}

static void forget(struct xlog *log, struct xlog_intent *in)
{
    *in->link = in->next;
    if (in->next != NULL)
        in->next->link = in->link;
    else
        log->intents_end = in->link;
    in->next = log->spare_intents;
    log->spare_intents = in;
}

/* In the table: 0 not open, 1 open and of no interest, else where it is kept. */
struct err xlog_take_intent(struct xlog *log, const struct xlog_item *item)
{
    const struct xlog_region *g = &item->regions[0];
    struct xlog_slot *s;

    if (g->len < XLOG_INTENT_ID_OFF + 8)
        return ERR2(ERR_FS_DAMAGED, "an intent of type %A with %b bytes in the log", item->type,
                    g->len);
    uint64_t key = key_of(item->type, le64(g->bytes + XLOG_INTENT_ID_OFF));

    TRY(xlog_table_put(log, &log->open_intents, key, &s));
    if (s->value > 1)
        forget(log, (struct xlog_intent *)(uintptr_t)s->value);
    s->value = !is_done(item->type);
    if (item->type == XFS_LI_BUI || item->type == XFS_LI_XMI)
        return keep(log, item, s);
    return OK;
}

/* ---- finishing ---- */

static struct err write_back(struct xlog *log, struct xlog_fork *f)
{
    struct err e = f->ino == 0 ? OK : xlog_fork_write(log, f);

    xlog_fork_free(log, f);
    return e;
}

/* *f: the file that was changed last, not written back yet: mostly the same is meant. */
static struct err finish_bmap(struct xlog *log, const struct xlog_disk_bmap_intent *d,
                              struct xlog_fork *f)
{
    uint32_t flags = le32(d->flags), type = flags & XLOG_BMAP_TYPE;
    struct xlog_extent e = {.off = le64(d->startoff),
                            .block = le64(d->startblock),
                            .len = le32(d->len),
                            .unwritten = (flags & XLOG_BMAP_UNWRITTEN) != 0};
    uint64_t ino = le64(d->owner);

    if (le32(d->nr_extents) != 1 || (type != XLOG_BMAP_MAP && type != XLOG_BMAP_UNMAP))
        return ERR2(ERR_FS_DAMAGED, "the log has a mapping intent with flags %A for inode %b",
                    flags, ino);
    /* Attributes, and files that are refused anyway. */
    if (flags & (XLOG_BMAP_ATTR | XLOG_BMAP_REALTIME)) {
        log->n.intents_left++;
        return OK;
    }
    if (ino == 0 || e.len == 0 || e.len > XLOG_EXTENT_BLOCKS_MAX ||
        !in_range(e.off, e.len, XLOG_FILE_BLOCKS) || !xfs_blocks_valid(log->x, e.block, e.len))
        return ERR2(ERR_FS_DAMAGED, "the log has a mapping intent of %a blocks for inode %b", e.len,
                    ino);
    if (f->ino != ino) {
        TRY(write_back(log, f));
        TRY(xlog_fork_read(log, ino, f));
    }
    log->n.intents_done++;
    if (type == XLOG_BMAP_MAP)
        return xlog_fork_map(log, f, &e);
    return xlog_fork_unmap(log, f, e.off, e.len);
}

/* Add what `from` has in [off, off + len) to `to`, moved so that off becomes to_off. */
static struct err copy_range(struct xlog *log, const struct xlog_fork *from, uint64_t off,
                             uint64_t len, struct xlog_fork *to, uint64_t to_off)
{
    for (size_t i = xlog_fork_find(from, off); i < from->nr; i++) {
        struct xlog_extent e = from->extents[i];
        uint64_t skip = e.off < off ? off - e.off : 0;

        if (e.off >= off + len)
            break;
        e.off += skip;
        e.block += skip;
        e.len = min_u64(e.len - skip, off + len - e.off);
        e.off = e.off - off + to_off;
        TRY(xlog_fork_map(log, to, &e));
    }
    return OK;
}

/* Exchange [a_off, a_off + len) of a and [b_off, b_off + len) of b, which may be one file. */
static struct err swap_ranges(struct xlog *log, struct xlog_fork *a, uint64_t a_off,
                              struct xlog_fork *b, uint64_t b_off, uint64_t len)
{
    struct xlog_fork of_a = {.ino = a->ino}, of_b = {.ino = b->ino};
    struct err e = copy_range(log, a, a_off, len, &of_a, b_off);

    if (!failed(e))
        e = copy_range(log, b, b_off, len, &of_b, a_off);
    if (!failed(e))
        e = xlog_fork_unmap(log, a, a_off, len);
    if (!failed(e))
        e = xlog_fork_unmap(log, b, b_off, len);
    if (!failed(e))
        e = copy_range(log, &of_b, a_off, len, a, a_off);
    if (!failed(e))
        e = copy_range(log, &of_a, b_off, len, b, b_off);
    xlog_fork_free(log, &of_a);
    xlog_fork_free(log, &of_b);
    return e;
}

/* Only where the first file has been written: extents of the list as it is before any exchange. */
static struct err swap_written(struct xlog *log, struct xlog_fork *a, uint64_t a_off,
                               struct xlog_fork *b, uint64_t b_off, uint64_t len)
{
    struct xlog_fork was = {.ino = a->ino};
    struct err e = copy_range(log, a, a_off, len, &was, 0);

    for (size_t i = 0; i < was.nr && !failed(e); i++) {
        const struct xlog_extent *w = &was.extents[i];

        if (!w->unwritten)
            e = swap_ranges(log, a, a_off + w->off, b, b_off + w->off, w->len);
    }
    xlog_fork_free(log, &was);
    return e;
}

static struct err set_size(struct xlog *log, const struct xlog_fork *f, uint64_t size)
{
    uint8_t *inode;

    TRY(xlog_inode_at(log, f->inode_off, &inode));
    xlog_put64(((struct xfs_disk_inode *)inode)->size, size);
    return xlog_note_changed(log, f->inode_off / XLOG_BB, log->x->inode_bytes / XLOG_BB);
}

static struct err do_exchange(struct xlog *log, const struct xlog_disk_exchange_intent *d,
                              struct xlog_fork *a, struct xlog_fork *b)
{
    uint64_t a_off = le64(d->startoff1), b_off = le64(d->startoff2), len = le64(d->blockcount);
    uint64_t flags = le64(d->flags);

    if (len > 0)
        TRY((flags & XLOG_EXCHANGE_WRITTEN ? swap_written : swap_ranges)(log, a, a_off, b, b_off,
                                                                         len));
    TRY(xlog_fork_write(log, a));
    if (b != a)
        TRY(xlog_fork_write(log, b));
    if (len == 0 || !(flags & XLOG_EXCHANGE_SET_SIZES))
        return OK;
    TRY(set_size(log, a, le64(d->isize1)));
    return set_size(log, b, le64(d->isize2));
}

static struct err finish_exchange(struct xlog *log, const struct xlog_disk_exchange_intent *d)
{
    uint64_t a_off = le64(d->startoff1), b_off = le64(d->startoff2), len = le64(d->blockcount);
    uint64_t a_ino = le64(d->inode1), b_ino = le64(d->inode2);
    struct xlog_fork a = {0}, b = {0};

    if (le64(d->flags) & XLOG_EXCHANGE_ATTR) {
        log->n.intents_left++;
        return OK;
    }
    if (!in_range(a_off, len, XLOG_FILE_BLOCKS) || !in_range(b_off, len, XLOG_FILE_BLOCKS) ||
        (a_ino == b_ino && (a_off > b_off ? a_off - b_off : b_off - a_off) < len))
        return ERR2(ERR_FS_DAMAGED, "the log exchanges impossible parts of inodes %a and %b", a_ino,
                    b_ino);
    struct err e = xlog_fork_read(log, a_ino, &a);

    if (!failed(e) && a_ino != b_ino)
        e = xlog_fork_read(log, b_ino, &b);
    if (!failed(e))
        e = do_exchange(log, d, &a, a_ino == b_ino ? &a : &b);
    xlog_fork_free(log, &a);
    xlog_fork_free(log, &b);
    log->n.intents_done++;
    return e;
}

static struct err finish_all(struct xlog *log, struct xlog_fork *f)
{
    uint32_t nr = 0;

    for (const struct xlog_intent *in = log->intents; in != NULL; in = in->next) {
        if (++nr > FINISH_MAX)
            return ERR1(ERR_LIMIT, "the log leaves more than %a mapping changes unfinished",
                        FINISH_MAX);
        if (in->type == XFS_LI_BUI) {
            TRY(finish_bmap(log, &in->bmap, f));
        } else {
            TRY(write_back(log, f));
            TRY(finish_exchange(log, &in->exchange));
        }
    }
    return write_back(log, f);
}

struct err xlog_finish_intents(struct xlog *log)
{
    const struct xlog_table *t = &log->open_intents;
    struct xlog_fork f = {0};

    for (size_t i = 0; i < t->nr_slots; i++) {
        if (t->slots[i].key != UINT64_MAX && t->slots[i].value == 1)
            log->n.intents_left++;
    }
    struct err e = finish_all(log, &f);

    xlog_fork_free(log, &f);
    return e;
}
