/* SPDX-License-Identifier: MIT */
/*
 * Arrays of md: which members belong together, which of them are up to date, and the disk that they
 * make. RAID1 is read from its first member in sync; the others serve places that cannot be read.
 *
 * Up to date: the member's count of events is the highest, or one below it (a crash may come
 * between the writes of two superblocks), and the freshest superblock gives it a place in the
 * array. The second is what tells a member that has failed from one that is merely a write behind.
 */
#include <string.h>

#include "core/base/bytes.h"
#include "core/base/text.h"
#include "core/disk/mapped.h"
#include "core/disk/md.h"

#define ROLE_SPARE   0xffffu
#define ROLE_FAULTY  0xfffeu
#define ROLE_JOURNAL 0xfffdu
#define LINE_BYTES   256

/* Places in a superblock of version 1, and of version 0.90. */
#define ROLES_OFF        256
#define DESCRIPTORS_OFF  512
#define DESCRIPTOR_BYTES 128
#define RAID_DISK_OFF    12
#define STATE_OFF        16
#define STATE_ACTIVE     0x2u
#define STATE_SYNC       0x4u
#define STATE_BAD        0x9u /* faulty or removed */

/* What the superblock of `m` says of the device of that number. */
static uint32_t role_in(const struct md_member *m, uint32_t number)
{
    const uint8_t *d = m->super + DESCRIPTORS_OFF + (size_t)number * DESCRIPTOR_BYTES;

    if (number >= m->nr_roles)
        return ROLE_FAULTY;
    if (m->version != MD_0_90)
        return le16(m->super + ROLES_OFF + (size_t)number * 2);
    uint32_t state = le32(d + STATE_OFF);

    if (state & STATE_BAD)
        return ROLE_FAULTY;
    return (state & STATE_ACTIVE) && (state & STATE_SYNC) ? le32(d + RAID_DISK_OFF) : ROLE_SPARE;
}

static void say(const struct md_array *array, const struct md_member *m, const char *what)
{
    char line[LINE_BYTES];
    struct text t = text_on(line, sizeof(line));

    text_str(&t, "(md/");
    text_str(&t, array->name);
    text_str(&t, "): ");
    if (m != NULL) {
        text_str(&t, m->disk->name);
        text_str(&t, " is not used: ");
    }
    text_str(&t, what);
    log_line(array->log, line);
}

static const struct md_member *freshest(const struct md_array *array)
{
    const struct md_member *best = array->members;

    for (const struct md_member *m = best->next; m != NULL; m = m->next) {
        if (m->events > best->events)
            best = m;
    }
    return best;
}

/* Why nothing is read from the member; NULL: it is in sync. */
static const char *why_not(const struct md_array *array, const struct md_member *fresh,
                           const struct md_member *m)
{
    uint32_t role = role_in(fresh, m->number);

    if (m->level != fresh->level || m->size_bytes != fresh->size_bytes ||
        m->version != fresh->version)
        return "its superblock contradicts the newest one";
    if (m->refused != NULL)
        return m->refused;
    if (fresh->events - m->events > 1)
        return "it is out of date";
    if (role == ROLE_SPARE || role_in(m, m->number) == ROLE_SPARE)
        return "it is a spare";
    if (role == ROLE_JOURNAL)
        return "it is a journal";
    if (role >= fresh->nr_disks)
        return "it has failed, the newest superblock says";
    if (m->not_used != NULL)
        return m->not_used;
    for (uint32_t i = 0; i < array->nr_used; i++) {
        if (array->used[i]->number == m->number)
            return "it is a copy of another member that is here";
    }
    return array->nr_used == MD_MEMBERS_MAX ? "there are too many members" : NULL;
}

static bool goes_before(const struct md_member *fresh, const struct md_member *a,
                        const struct md_member *b)
{
    if (a->last_choice != b->last_choice)
        return b->last_choice;
    return role_in(fresh, a->number) < role_in(fresh, b->number);
}

static void choose_members(struct md_array *array, const struct md_member *fresh)
{
    for (struct md_member *m = array->members; m != NULL; m = m->next) {
        uint32_t at = array->nr_used;

        m->not_used = why_not(array, fresh, m);
        if (m->not_used != NULL) {
            say(array, m, m->not_used);
            continue;
        }
        for (; at > 0 && goes_before(fresh, m, array->used[at - 1]); at--)
            array->used[at] = array->used[at - 1];
        array->used[at] = m;
        array->nr_used++;
    }
}

static struct err find_piece(void *ctx, uint64_t off_bytes, uint64_t len_bytes, uint32_t copy,
                             struct piece *out)
{
    struct md_array *array = ctx;
    const struct md_member *m;

    if (copy >= array->nr_used)
        return ERR(ERR_READ, "there is no other copy");
    if (copy > 0 && !array->said) {
        array->said = true;
        say(array, NULL, "a member cannot be read everywhere; another one is read there");
    }
    m = array->used[copy];
    *out = (struct piece){.kind = PIECE_DISK,
                          .disk = m->disk,
                          .off_bytes = m->data_off_bytes + off_bytes,
                          .len_bytes = len_bytes};
    return OK;
}

static struct err may_write(void *ctx, uint64_t off_bytes)
{
    (void)ctx;
    (void)off_bytes;
    return ERR(ERR_REFUSED, "it lies on a RAID1, whose members would differ");
}

static struct err refuse_level(int32_t level)
{
    switch (level) {
    case 0:
        return ERR(ERR_REFUSED, "a RAID0 (md): only RAID1 is read");
    case -1:
        return ERR(ERR_REFUSED, "a linear array (md): only RAID1 is read");
    case -4:
        return ERR(ERR_REFUSED, "a multipath array (md): only RAID1 is read");
    default:
        if (level > 0)
            return ERR1(ERR_REFUSED, "a RAID%a (md): only RAID1 is read", level);
        return ERR(ERR_REFUSED, "an array (md) of a level that is not known here");
    }
}

static struct err make_disk(struct md_array *array, struct arena *a)
{
    const struct md_member *fresh = freshest(array);
    char name[MD_NAME_MAX + 8], line[LINE_BYTES];
    struct text t = text_on(name, sizeof(name));
    uint32_t sector_bytes = 512;

    if (fresh->refused != NULL)
        return ERR(ERR_REFUSED, fresh->refused);
    if (array->level != 1)
        return refuse_level(array->level);
    choose_members(array, fresh);
    if (array->nr_used == 0)
        return ERR(ERR_NO_DISK, "no member of the RAID that is here is up to date");
    text_str(&t, "(md/");
    text_str(&t, array->name);
    text_char(&t, ')');
    t = text_on(line, sizeof(line));
    text_u64(&t, array->nr_used);
    text_str(&t, " of ");
    text_u64(&t, array->nr_disks);
    text_str(&t, " members of this RAID1 are here and up to date");
    if (array->nr_used < array->nr_disks)
        say(array, NULL, line);
    for (uint32_t i = 0; i < array->nr_used; i++) {
        if (array->used[i]->disk->sector_bytes > sector_bytes)
            sector_bytes = array->used[i]->disk->sector_bytes;
    }
    for (uint32_t i = 0; i < array->nr_used; i++) {
        if (array->used[i]->data_off_bytes % sector_bytes != 0)
            return ERR1(ERR_REFUSED,
                        "the data of a member of the RAID begins between sectors of "
                        "%a bytes",
                        sector_bytes);
    }
    return mapped_disk_new(&array->disk, a, find_piece, may_write, array, fresh->size_bytes,
                           sector_bytes, name);
}

static struct md_array *array_of(struct md_array *list, const struct md_member *m)
{
    while (list != NULL && memcmp(list->uuid, m->uuid, sizeof(m->uuid)) != 0)
        list = list->next;
    return list;
}

/* Names are unique: of two arrays with the same one, the later one has its UUID for a name. */
static void name_array(struct md_array *array, const struct md_array *others)
{
    struct text t;

    for (; others != NULL; others = others->next) {
        if (others == array || strcmp(others->name, array->name) != 0)
            continue;
        say(array, NULL, "another array has this name; it is called by its UUID");
        t = text_on(array->name, sizeof(array->name));
        for (size_t i = 0; i < sizeof(array->uuid); i++) {
            text_char(&t, "0123456789abcdef"[array->uuid[i] >> 4]);
            text_char(&t, "0123456789abcdef"[array->uuid[i] & 15]);
        }
        return;
    }
}

/* Put the members, in the order in which they were found, into arrays. Past the cap they are left
 * out. */
static struct err group(struct md_member *members, struct arena *a, const struct log *log,
                        struct md_array **out)
{
    struct md_array **end = out;
    struct md_member *next;
    struct err e = OK;
    uint32_t nr = 0;

    for (struct md_member *m = members; m != NULL; m = next) {
        struct md_array *array = array_of(*out, m);
        struct md_member **last;

        next = m->next;
        m->next = NULL;
        if (array == NULL) {
            if (nr++ >= MD_ARRAYS_MAX) {
                e = ERR1(ERR_LIMIT, "more than %a arrays (md); the rest is left out",
                         MD_ARRAYS_MAX);
                continue;
            }
            array = arena_alloc(a, sizeof(*array));
            if (array == NULL)
                return arena_exhausted("an array of %a bytes", sizeof(*array));
            array->log = log;
            memcpy(array->uuid, m->uuid, sizeof(array->uuid));
            *end = array;
            end = &array->next;
        }
        for (last = &array->members; *last != NULL;)
            last = &(*last)->next;
        *last = m;
        m->array = array;
    }
    return e;
}

struct err md_arrays(struct md_member *members, struct arena *a, const struct log *log,
                     struct md_array **out)
{
    struct err e;

    *out = NULL;
    e = group(members, a, log, out);
    for (struct md_array *array = *out; array != NULL; array = array->next) {
        const struct md_member *fresh = freshest(array);

        memcpy(array->name, fresh->name, sizeof(array->name));
        array->version = fresh->version;
        array->level = fresh->level;
        array->nr_disks = fresh->nr_disks;
        name_array(array, *out);
        array->bad = make_disk(array, a);
        if (failed(array->bad))
            array->disk = NULL;
    }
    return e;
}
