/* SPDX-License-Identifier: MIT */
/*
 * Operations gathered into transactions.
 *
 * A record holds operations of several transactions, told apart by their tid. The first carries the
 * transaction's header, each further one a region of an item; an item's first region says how many
 * it has. A region that did not fit into a record goes on in the next one. What a transaction holds
 * is kept until its commit is seen, or is forgotten when the log ends without one.
 */
#include <string.h>

#include "core/fs/xfs_log.h"

/* Memory of a transaction, cut from front to back. Small ones first: most transactions are. */
struct xlog_chunk {
    struct xlog_chunk *next;
    uint32_t nr_bytes, used;
    uint32_t class;
};
static const uint32_t chunk_bytes[XLOG_CHUNK_CLASSES] = {4096, 16384, 65536,
                                                         XLOG_REGION_MAX + 4096};

struct xlog_trans {
    struct xlog_trans *next; /* in its slot */
    uint32_t tid;
    uint64_t lsn; /* of the record in which it began */
    struct xlog_chunk *chunks;
    uint8_t header_got; /* bytes of the transaction's header */
    struct xlog_item *items, **items_end, *last;
};

#define ALIGN ((uint32_t)sizeof(void *))

/* Of transactions in a slot: never by chance, but the tids are a log's own choice. */
#define SLOT_TRANS_MAX 32u

static struct err new_chunk(struct xlog *log, uint32_t class, struct xlog_chunk **out)
{
    struct xlog_chunk *c = log->spare[class];

    if (c != NULL)
        log->spare[class] = c->next;
    else
        TRY(xlog_pages(log, chunk_bytes[class], "a transaction of %a bytes", &c));
    *c = (struct xlog_chunk){
        .nr_bytes = chunk_bytes[class], .used = (uint32_t)align_up(sizeof(*c), 16), .class = class};
    *out = c;
    return OK;
}

static void put_chunks(struct xlog *log, struct xlog_chunk *c)
{
    while (c != NULL) {
        struct xlog_chunk *next = c->next;

        c->next = log->spare[c->class];
        log->spare[c->class] = c;
        c = next;
    }
}

void xlog_drop_chunks(struct xlog *log)
{
    for (uint32_t class = 0; class < XLOG_CHUNK_CLASSES; class ++) {
        while (log->spare[class] != NULL) {
            struct xlog_chunk *c = log->spare[class];

            log->spare[class] = c->next;
            xlog_drop(log, c, chunk_bytes[class]);
        }
    }
}

/* nr_bytes of the transaction's memory, at most XLOG_REGION_MAX; not zeroed. */
static struct err take(struct xlog *log, struct xlog_trans *t, uint32_t nr_bytes, void *out)
{
    struct xlog_chunk *c = t->chunks;
    uint32_t need = (uint32_t)align_up(nr_bytes, ALIGN), class = c == NULL ? 0 : c->class;

    if (c == NULL || c->nr_bytes - c->used < need) {
        class = c == NULL || class == XLOG_CHUNK_CLASSES - 1 ? class : class + 1;
        while (class < XLOG_CHUNK_CLASSES - 1 && chunk_bytes[class] - 64 < need)
            class ++;
        TRY(new_chunk(log, class, &c));
        c->next = t->chunks;
        t->chunks = c;
    }
    *(void **)out = (uint8_t *)c + c->used;
    c->used += need;
    return OK;
}

static struct err bad(const struct xlog *log, const struct xlog_record *r, const char *msg,
                      uint64_t a, uint64_t b)
{
    return ERR_AT(ERR_FS_DAMAGED, xlog_where(log, r->bb), msg, a, b);
}

static struct xlog_trans **slot_of(struct xlog *log, uint32_t tid)
{
    return &log->open[(tid * 2654435769u >> 16) % XLOG_TRANS_SLOTS];
}

static struct xlog_trans **find_trans(struct xlog *log, uint32_t tid)
{
    struct xlog_trans **link = slot_of(log, tid);

    while (*link != NULL && (*link)->tid != tid)
        link = &(*link)->next;
    return link;
}

static struct err start(struct xlog *log, const struct xlog_record *r, uint32_t tid)
{
    struct xlog_trans first = {.tid = tid, .lsn = r->lsn}, **slot = slot_of(log, tid), *t;
    uint32_t nr_in_slot = 0;

    if (log->nr_open == XLOG_TRANS_MAX)
        return ERR1(ERR_LIMIT, "more than %a transactions are open in the log", XLOG_TRANS_MAX);
    for (t = *slot; t != NULL; t = t->next)
        nr_in_slot++;
    if (nr_in_slot == SLOT_TRANS_MAX)
        return ERR1(ERR_LIMIT, "more than %a open transactions of the log share a place",
                    SLOT_TRANS_MAX);
    TRY(take(log, &first, sizeof(*t), &t));
    *t = first;
    t->items_end = &t->items;
    t->next = *slot;
    *slot = t;
    log->nr_open++;
    return OK;
}

/* The transaction lies in its own chunks: *link is gone after this. */
static void end(struct xlog *log, struct xlog_trans **link)
{
    struct xlog_trans *t = *link;

    *link = t->next;
    log->nr_open--;
    put_chunks(log, t->chunks);
}

void xlog_forget_open(struct xlog *log)
{
    for (size_t i = 0; i < XLOG_TRANS_SLOTS; i++) {
        while (log->open[i] != NULL)
            end(log, &log->open[i]);
    }
}

/* The transaction's header may be split as any region. Nothing in it is needed but its magic. */
static struct err take_header(struct xlog *log, const struct xlog_record *r, struct xlog_trans *t,
                              const uint8_t *bytes, uint32_t len)
{
    if (len > XLOG_TRANS_HEADER_BYTES - t->header_got)
        return bad(log, r, "a transaction's header of %a bytes", len + (uint64_t)t->header_got, 0);
    if (t->header_got == 0 && (len < 4 || le32(bytes) != XLOG_TRANS_MAGIC))
        return bad(log, r, "a transaction without its header", 0, 0);
    t->header_got = (uint8_t)(t->header_got + len);
    return OK;
}

static struct err new_item(struct xlog *log, const struct xlog_record *r, struct xlog_trans *t,
                           const uint8_t *bytes, uint32_t len)
{
    struct xlog_item *item;

    if (len < 4)
        return bad(log, r, "a log item of %a bytes", len, 0);
    uint32_t nr = le16(bytes + 2);

    if (nr == 0 || nr > XLOG_REGIONS_MAX)
        return bad(log, r, "a log item of %a regions", nr, 0);
    TRY(take(log, t, sizeof(*item), &item));
    *item = (struct xlog_item){.type = le16(bytes), .nr = (uint16_t)nr};
    TRY(take(log, t, nr * (uint32_t)sizeof(*item->regions), &item->regions));
    *t->items_end = item;
    t->items_end = &item->next;
    t->last = item;
    return OK;
}

static struct err add_region(struct xlog *log, const struct xlog_record *r, struct xlog_trans *t,
                             const uint8_t *bytes, uint32_t len)
{
    uint8_t *copy;

    if (len == 0)
        return OK;
    if (t->header_got < XLOG_TRANS_HEADER_BYTES)
        return take_header(log, r, t, bytes, len);
    if (len > XLOG_REGION_MAX)
        return bad(log, r, "a log region of %a bytes", len, 0);
    if (t->last == NULL || t->last->got == t->last->nr)
        TRY(new_item(log, r, t, bytes, len));
    TRY(take(log, t, len, &copy));
    memcpy(copy, bytes, len);
    t->last->regions[t->last->got++] = (struct xlog_region){.bytes = copy, .len = len};
    return OK;
}

/* The last region goes on: in place when it is the last thing in its chunk and there is room. */
static struct err continue_region(struct xlog *log, const struct xlog_record *r,
                                  struct xlog_trans *t, const uint8_t *bytes, uint32_t len)
{
    if (t->header_got < XLOG_TRANS_HEADER_BYTES)
        return len == 0 ? OK : take_header(log, r, t, bytes, len);
    if (t->last == NULL)
        return bad(log, r, "a log region goes on that has not begun", 0, 0);
    struct xlog_region *g = &t->last->regions[t->last->got - 1];
    struct xlog_chunk *c = t->chunks;
    uint32_t held = (uint32_t)align_up(g->len, ALIGN);

    if (len > XLOG_REGION_MAX - g->len)
        return bad(log, r, "a log region of %a bytes", (uint64_t)g->len + len, 0);
    uint32_t need = (uint32_t)align_up(g->len + len, ALIGN);

    if (g->bytes + held == (uint8_t *)c + c->used && c->nr_bytes - c->used >= need - held) {
        c->used += need - held;
    } else {
        uint8_t *longer;

        TRY(take(log, t, need, &longer));
        memcpy(longer, g->bytes, g->len);
        g->bytes = longer;
    }
    memcpy(g->bytes + g->len, bytes, len);
    g->len += len;
    return OK;
}

static struct err commit(struct xlog *log, const struct xlog_record *r, struct xlog_trans **link)
{
    struct xlog_trans *t = *link;
    struct err e = OK;

    if (t->last != NULL && t->last->got < t->last->nr)
        e = bad(log, r, "a transaction ends within an item, after region %a of %b", t->last->got,
                t->last->nr);
    if (!failed(e))
        e = xlog_commit(log, t->items, t->lsn);
    log->n.transactions += log->pass == 2;
    end(log, link);
    return e;
}

static struct err take_op(struct xlog *log, const struct xlog_record *r,
                          const struct xlog_disk_op *op, const uint8_t *bytes, uint32_t len)
{
    uint32_t tid = be32(op->tid), flags = op->flags[0];
    struct xlog_trans **link = find_trans(log, tid);

    /* What belongs to a transaction that began before the tail is of no interest. */
    if (*link == NULL)
        return flags & XLOG_OP_START ? start(log, r, tid) : OK;
    flags &= ~XLOG_OP_END;
    if (flags & XLOG_OP_WAS_CONT)
        flags &= ~XLOG_OP_CONTINUE;
    switch (flags) {
    case 0:
    case XLOG_OP_CONTINUE:
        return add_region(log, r, *link, bytes, len);
    case XLOG_OP_WAS_CONT:
        return continue_region(log, r, *link, bytes, len);
    case XLOG_OP_COMMIT:
        return commit(log, r, link);
    case XLOG_OP_UNMOUNT:
        end(log, link);
        return OK;
    default:
        return bad(log, r, "a log operation with the flags %A", flags, 0);
    }
}

struct err xlog_take_record(struct xlog *log, const struct xlog_record *r)
{
    uint32_t at = 0;

    for (uint32_t i = 0; i < r->nr_ops && at < r->len_bytes; i++) {
        const struct xlog_disk_op *op = (const struct xlog_disk_op *)(r->ops + at);

        if (r->len_bytes - at < sizeof(*op))
            return bad(log, r, "a log record of %a bytes ends within an operation's header",
                       r->len_bytes, 0);
        uint32_t len = be32(op->len), client = op->client[0];

        at += (uint32_t)sizeof(*op);
        if (client != XLOG_CLIENT_TRANSACTION && client != XLOG_CLIENT_LOG)
            return bad(log, r, "a log operation of client %A", client, 0);
        if (len > r->len_bytes - at)
            return bad(log, r, "a log operation of %a bytes, %b before the record's end", len,
                       r->len_bytes - at);
        TRY(take_op(log, r, op, r->ops + at, len));
        at += len;
    }
    log->n.records += log->pass == 2;
    return OK;
}
