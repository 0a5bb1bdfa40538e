/* SPDX-License-Identifier: MIT */
/*
 * LVM2: labels, metadata, and the logical volumes that they describe.
 *
 *     lvm_label.c  labels of physical volumes, metadata areas: bytes -> the text of a volume group
 *     lvm_text.c   that text -> a tree of sections and values
 *     lvm_vg.c     the tree -> struct lvm_vg
 *     lvm.c        physical volumes and groups of a machine; which group's text is the newest
 *     lvm_map.c    a logical volume -> a disk
 *
 * Volumes of the segment types linear, striped, mirror and raid1 are read, and origins of thick
 * snapshots as what they are; anything else is refused by name. A physical volume that is missing
 * costs the volumes that lie on it, and no others.
 *
 * What is ignored, and why: tags, creation times, activation hints, allocation policies (they say
 * nothing about where data lies); a mirror's log and a raid1's bitmap (reads come from one leg that
 * is in sync).
 */
#ifndef PVBOOT_DISK_LVM_H
#define PVBOOT_DISK_LVM_H

#include "core/base/log.h"
#include "core/base/text.h"
#include "core/disk/disk.h"

#define LVM_ID_LEN         32
#define LVM_NAME_MAX       127  /* of a group, of a volume, and of "GROUP-VOLUME" */
#define LVM_START_BYTES    2048 /* the label is in one of the first four sectors of 512 bytes */
#define LVM_TEXT_MAX       ((uint64_t)4 << 20)
#define LVM_TEXTS_MAX      ((uint64_t)32 << 20) /* of all that is read on a machine */
#define LVM_AREAS_MAX      8                    /* of metadata, on one physical volume */
#define LVM_PVS_MAX        1024
#define LVM_VGS_MAX        64
#define LVM_GROUP_PVS_MAX  512
#define LVM_LVS_MAX        2048
#define LVM_SEGMENTS_MAX   16384 /* of one group */
#define LVM_SEGMENT_LEGS   128   /* stripes or mirrors */
#define LVM_REFERENCES_MAX 32768 /* of one group's segments to volumes */
#define LVM_DEPTH_MAX      8     /* volumes on volumes, sections in sections */

/* ---- labels and metadata areas ----------------------------------------------------------------
 */

struct lvm_range {
    uint64_t off_bytes, len_bytes;
};

struct lvm_label {
    char id[LVM_ID_LEN];
    uint32_t nr_areas;
    struct lvm_range areas[LVM_AREAS_MAX];
};

/* The label in a disk's first bytes. Pure. ERR_NOT_MINE: no physical volume. */
struct err lvm_label_read(const uint8_t start[LVM_START_BYTES], struct lvm_label *out);

/* The text of a volume group as a metadata area holds it; len_bytes 0: no group. */
struct lvm_text {
    char *bytes; /* arena_pages */
    uint64_t len_bytes;
    uint32_t crc;
};

/* ERR_FS_DAMAGED: the area's header or its text fail their checks. */
struct err lvm_area_read(struct disk *d, struct lvm_range area, struct arena *a,
                         struct lvm_text *out);

/* ---- the text ---------------------------------------------------------------------------------
 */

enum lvm_kind { LVM_SECTION, LVM_STRING, LVM_NUMBER, LVM_LIST };

struct lvm_node {
    enum lvm_kind kind;
    const char *key; /* key_len bytes of the text; none in a list */
    size_t key_len;
    const char *str; /* LVM_STRING: what stands between the quotes, as it stands */
    size_t str_len;
    uint64_t number;
    struct lvm_node *child, *next; /* of LVM_SECTION and LVM_LIST */
};

/*
 * Read a text of len bytes into a tree. Pure; the tree points into the text. An error's `where` is
 * a place in the text.
 */
struct err lvm_text_parse(const char *text, size_t len, struct arena *a, struct lvm_node **root);

/* The child of that name, or NULL. */
const struct lvm_node *lvm_child(const struct lvm_node *section, const char *key);
bool lvm_is(const struct lvm_node *string, const char *s);

/* ---- groups -----------------------------------------------------------------------------------
 */

struct lvm_pv {
    const char *key; /* "pv0" in the text */
    char id[LVM_ID_LEN];
    uint64_t start_bytes, nr_extents;
    bool marked_missing; /* by the group: what it holds is old */
    struct disk *disk;   /* NULL: missing */
};

struct lvm_lv;

struct lvm_leg {
    struct lvm_pv *pv; /* one of both */
    struct lvm_lv *lv;
    struct lvm_lv *meta; /* of raid1: where this leg's superblock lies; may be NULL */
    uint64_t start_extent;
};

enum lvm_type { LVM_STRIPED, LVM_MIRROR, LVM_RAID1, LVM_OTHER };

struct lvm_segment {
    uint64_t start_extent, nr_extents;
    enum lvm_type type;
    const char *type_name;
    uint64_t stripe_bytes; /* LVM_STRIPED with more than one leg */
    uint32_t nr_legs;
    struct lvm_leg *legs;
    uint32_t nr_used; /* of mirrors: legs that can be read, the first one first */
    uint8_t used[LVM_SEGMENT_LEGS];
};

enum lvm_state { LVM_NOT_CHECKED, LVM_BEING_CHECKED, LVM_CHECKED };

struct lvm_lv {
    struct lvm_vg *vg;
    const char *name;
    bool visible;
    bool snapshot; /* holds the old data of another volume */
    bool merging;  /* a snapshot is being merged into it */
    bool has_snapshot;
    bool read_only;
    uint64_t nr_extents;
    uint32_t nr_segments;
    struct lvm_segment *segments;
    enum lvm_state state;
    struct err bad; /* once checked */
    bool said;      /* that a leg could not be read */
    struct disk *disk;
};

struct lvm_vg {
    struct lvm_vg *next;
    const char *name;
    char id[LVM_ID_LEN];
    uint64_t seqno, extent_bytes;
    bool read_only;
    struct err bad; /* none of its volumes is read: exported, clustered, ... */
    uint32_t nr_pvs, nr_lvs;
    struct lvm_pv *pvs;
    struct lvm_lv *lvs;
    uint32_t nr_segments, nr_references; /* so far, while it is read */
    bool shadowed;                       /* another group has its name: nothing of it is offered */
    struct arena *arena;
    const struct log *log;
};

/* The tree -> a group; names and sentences are copied to the arena. */
struct err lvm_vg_read(const struct lvm_node *root, struct arena *a, struct lvm_vg **out);

/* An id as the text has it, with its hyphens, to 32 bytes. */
bool lvm_id_read(const char *s, size_t len, char id[LVM_ID_LEN]);

/* ---- a machine's ------------------------------------------------------------------------------
 */

struct lvm_found {
    struct lvm_found *next;
    struct disk *disk;
    struct lvm_label label;
    struct lvm_vg *vg; /* NULL: of no group */
};

struct lvm {
    struct arena *arena;
    const struct log *log;
    uint32_t nr_found, nr_vgs, nr_crcs;
    uint64_t text_bytes;        /* read so far; the same text counts once */
    uint32_t crcs[LVM_VGS_MAX]; /* of texts that were read already */
    struct lvm_found *found;    /* physical volumes */
    struct lvm_vg *vgs;
};

void lvm_init(struct lvm *lvm, struct arena *a, const struct log *log);

/* A physical volume: its metadata is read. What is damaged is a line, and the rest goes on. */
struct err lvm_add(struct lvm *lvm, struct disk *d, const struct lvm_label *label);

/* All have been added: give each group its physical volumes, and say which are missing. */
struct err lvm_finish(struct lvm *lvm);

/*
 * The volume as a disk, made when it is first asked for. Else why it cannot be read; the error's
 * sentence lies in the arena.
 */
struct err lvm_open(struct lvm_lv *lv, struct disk **out);

/* An id as LVM shows it, with its hyphens. */
#define LVM_ID_TEXT (4 * LVM_ID_LEN + 7)
void lvm_id_text(const char id[LVM_ID_LEN], char out[LVM_ID_TEXT]);

/* "physical volume pv0 (its id)" */
void lvm_pv_put(struct text *t, const struct lvm_pv *pv);

/* "vg--a-lv": as device-mapper writes it, with hyphens in names doubled. false: too long. */
bool lvm_full_name(const struct lvm_lv *lv, char *buf, size_t cap);

#endif
