/* SPDX-License-Identifier: MIT */
/* Finds out which partition table a disk has; the formats are in files of their own. */
#include "core/disk/part.h"

#include "core/disk/table.h"

void part_say(struct part_table *t, const char *text, struct err why)
{
    for (uint32_t i = 0; i < t->nr_notes; i++) {
        if (t->notes[i].text == text)
            return; /* said once is enough */
    }
    if (t->nr_notes < PART_NOTES_MAX)
        t->notes[t->nr_notes++] = (struct part_note){text, why};
}

void part_note_text(struct text *t, const struct part_note *note)
{
    text_str(t, note->text);
    if (!failed(note->why) || t->len >= t->cap)
        return;
    text_str(t, ": ");
    t->len += err_format(note->why, NULL, t->buf + t->len, t->cap - t->len);
}

/*
 * What makes an entry unusable, or OK. The entries before it that are usable come first: of two
 * that overlap it is the later one that is refused. Numbers in these messages are GRUB's, from 0.
 */
static struct err check(const struct disk *d, const struct part_table *t, const struct part *p)
{
    if (!in_range(p->off_bytes, p->len_bytes, d->size_bytes))
        return ERR2(ERR_BAD_PART_TABLE,
                    "partition %a reaches past the end of the disk, which has %b bytes", p->index,
                    d->size_bytes);
    if (p->off_bytes % d->sector_bytes != 0)
        return ERR2(ERR_BAD_PART_TABLE,
                    "partition %a does not begin on one of the disk's sectors of %b bytes",
                    p->index, d->sector_bytes);
    for (uint32_t i = 0; i < t->nr_parts && !p->extended; i++) {
        const struct part *q = &t->parts[i];

        if (!failed(q->bad) && !q->extended && p->off_bytes < q->off_bytes + q->len_bytes &&
            q->off_bytes < p->off_bytes + p->len_bytes)
            return ERR2(ERR_BAD_PART_TABLE, "partition %b overlaps partition %a", q->index,
                        p->index);
    }
    return OK;
}

bool part_add(const struct disk *d, struct part_table *t, const struct part *p)
{
    if (t->nr_parts == PART_MAX) {
        part_say(t, "not all partitions are known",
                 ERR1(ERR_LIMIT, "the table has more than %a", PART_MAX));
        return false;
    }
    t->parts[t->nr_parts] = *p;
    t->parts[t->nr_parts].bad = check(d, t, p);
    t->nr_parts++;
    return true;
}

struct err part_scan(struct disk *d, struct part_table *out)
{
    struct mbr_disk mbr;

    out->scheme = "none";
    out->unit_bytes = 0;
    out->nr_parts = 0;
    out->nr_notes = 0;
    if (d->size_bytes < sizeof(mbr))
        return OK;
    TRY(disk_read(d, 0, &mbr, sizeof(mbr)));
    if (!mbr_is_table(&mbr))
        return OK;
    if (mbr_protective(&mbr) != NULL)
        return gpt_scan(d, &mbr, out);
    mbr_scan(d, &mbr, out);
    return OK;
}
