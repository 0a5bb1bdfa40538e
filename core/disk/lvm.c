/* SPDX-License-Identifier: MIT */
/*
 * The physical volumes of a machine, and the groups that they make. Each physical volume may hold
 * the text of its whole group, so the same text is met many times: one that was read already is
 * known by the group that it made, and only a newer one replaces it.
 */
#include "core/disk/lvm.h"

#include <string.h>

#include "core/base/bytes.h"
#include "core/base/text.h"

#define LINE_BYTES 400

void lvm_init(struct lvm *lvm, struct arena *a, const struct log *log)
{
    *lvm = (struct lvm){.arena = a, .log = log};
}

static void say_error(const struct lvm *lvm, const struct disk *d, struct err e, const char *then)
{
    char line[LINE_BYTES];
    size_t len = err_format(e, d->name, line, sizeof(line));
    struct text t = text_on(line + len, sizeof(line) - len);

    text_str(&t, then);
    log_line(lvm->log, line);
}

static void say(const struct lvm *lvm, const char *name, const char *what)
{
    char line[LINE_BYTES];
    struct text t = text_on(line, sizeof(line));

    text_str(&t, name);
    text_str(&t, what);
    log_line(lvm->log, line);
}

/* Text to group. The tree is needed for that only. */
static struct err read_group(struct lvm *lvm, const struct lvm_text *text, struct lvm_vg **out)
{
    struct lvm_node *root;
    struct arena scratch;
    struct err e;

    arena_init(&scratch, lvm->arena->source);
    e = lvm_text_parse(text->bytes, (size_t)text->len_bytes, &scratch, &root);
    if (!failed(e))
        e = lvm_vg_read(root, lvm->arena, out);
    arena_reset(&scratch);
    return e;
}

/* The newest text of a group is the group. */
static struct err take_group(struct lvm *lvm, struct lvm_vg *vg)
{
    struct lvm_vg **link = &lvm->vgs;

    vg->log = lvm->log;
    for (; *link != NULL; link = &(*link)->next) {
        if (memcmp((*link)->id, vg->id, LVM_ID_LEN) != 0)
            continue;
        if (vg->seqno > (*link)->seqno) {
            say(lvm, vg->name, ": an older description of this volume group is not used");
            vg->next = (*link)->next;
            *link = vg;
        } else if (vg->seqno < (*link)->seqno) {
            say(lvm, vg->name, ": an older description of this volume group is not used");
        }
        return OK;
    }
    if (lvm->nr_vgs == LVM_VGS_MAX)
        return ERR1(ERR_LIMIT, "more than %a volume groups (LVM)", LVM_VGS_MAX);
    lvm->nr_vgs++;
    *link = vg;
    return OK;
}

/* Has a text of that checksum been read already? Then 20 disks of one group cost one reading. */
static bool known_text(const uint32_t *crcs, uint32_t nr, uint32_t crc)
{
    for (uint32_t i = 0; i < nr; i++) {
        if (crcs[i] == crc)
            return true;
    }
    return false;
}

/* The group of a text, unless it is known; a text of a group that is older changes nothing. */
static struct err take_text(struct lvm *lvm, const struct lvm_text *text)
{
    struct lvm_vg *vg = NULL;

    if (text->len_bytes == 0 || known_text(lvm->crcs, lvm->nr_crcs, text->crc))
        return OK;
    lvm->text_bytes += text->len_bytes;
    if (lvm->text_bytes > LVM_TEXTS_MAX)
        return ERR1(ERR_LIMIT, "more than %a bytes of LVM metadata", LVM_TEXTS_MAX);
    TRY(read_group(lvm, text, &vg));
    TRY(take_group(lvm, vg));
    if (lvm->nr_crcs < ARRAY_LEN(lvm->crcs))
        lvm->crcs[lvm->nr_crcs++] = text->crc;
    return OK;
}

static struct err read_area(struct lvm *lvm, const struct lvm_found *f, uint32_t i)
{
    struct lvm_text text = {0};
    struct err e = lvm_area_read(f->disk, f->label.areas[i], lvm->arena, &text);

    if (!failed(e))
        e = take_text(lvm, &text);
    arena_drop(lvm->arena, text.bytes);
    if (!failed(e) || e.code == ERR_NO_MEMORY)
        return e;
    say_error(lvm, f->disk, e,
              f->label.nr_areas > 1 ? "; this copy of the metadata is not used" : "");
    return OK;
}

struct err lvm_add(struct lvm *lvm, struct disk *d, const struct lvm_label *label)
{
    struct lvm_found *f, **end = &lvm->found;

    for (; *end != NULL; end = &(*end)->next) {
        if (memcmp((*end)->label.id, label->id, LVM_ID_LEN) != 0)
            continue;
        say(lvm, d->name, ": not used: a copy of another LVM physical volume that is here");
        return OK;
    }
    if (lvm->nr_found == LVM_PVS_MAX)
        return ERR1(ERR_LIMIT, "more than %a LVM physical volumes", LVM_PVS_MAX);
    f = arena_alloc(lvm->arena, sizeof(*f));
    if (f == NULL)
        return arena_exhausted("a physical volume of %a bytes", sizeof(*f));
    *f = (struct lvm_found){.disk = d, .label = *label};
    *end = f;
    lvm->nr_found++;
    for (uint32_t i = 0; i < label->nr_areas; i++)
        TRY(read_area(lvm, f, i));
    return OK;
}

static struct lvm_found *find(const struct lvm *lvm, const char id[LVM_ID_LEN])
{
    struct lvm_found *f = lvm->found;

    while (f != NULL && memcmp(f->label.id, id, LVM_ID_LEN) != 0)
        f = f->next;
    return f;
}

void lvm_id_text(const char id[LVM_ID_LEN], char out[LVM_ID_TEXT])
{
    static const uint8_t groups[] = {6, 4, 4, 4, 4, 4, 6};
    struct text t = text_on(out, LVM_ID_TEXT);

    for (size_t i = 0; i < ARRAY_LEN(groups); id += groups[i++]) {
        if (i > 0)
            text_char(&t, '-');
        text_name(&t, id, groups[i]);
    }
}

void lvm_pv_put(struct text *t, const struct lvm_pv *pv)
{
    char id[LVM_ID_TEXT];

    lvm_id_text(pv->id, id);
    text_str(t, "physical volume ");
    text_str(t, pv->key);
    text_str(t, " (");
    text_str(t, id);
    text_char(t, ')');
}

static void say_missing(const struct lvm *lvm, const struct lvm_vg *vg, const struct lvm_pv *pv)
{
    char line[LINE_BYTES];
    struct text t = text_on(line, sizeof(line));

    text_str(&t, "volume group ");
    text_str(&t, vg->name);
    text_str(&t, ": ");
    lvm_pv_put(&t, pv);
    text_str(&t, " is on none of the disks");
    log_line(lvm->log, line);
}

struct err lvm_finish(struct lvm *lvm)
{
    for (struct lvm_vg *vg = lvm->vgs; vg != NULL; vg = vg->next) {
        for (struct lvm_vg *other = lvm->vgs; other != vg; other = other->next) {
            if (strcmp(other->name, vg->name) != 0 || other->shadowed)
                continue;
            vg->shadowed = true;
            say(lvm, vg->name,
                ": another volume group of this name is here; its volumes cannot "
                "be told apart by name, those of the first one are meant");
            break;
        }
        for (uint32_t i = 0; i < vg->nr_pvs; i++) {
            struct lvm_pv *pv = &vg->pvs[i];
            struct lvm_found *f = find(lvm, pv->id);

            if (f == NULL) {
                say_missing(lvm, vg, pv);
                continue;
            }
            pv->disk = f->disk;
            if (f->vg == NULL)
                f->vg = vg;
        }
    }
    return OK;
}
