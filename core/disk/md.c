/* SPDX-License-Identifier: MIT */
/*
 * Superblocks of Linux's md. Source: "RAID superblock formats" of the Linux RAID wiki, and the
 * kernel's documentation of md. Version 1 numbers are little endian; version 0.90 has the byte
 * order of the machine that made it, of which only little endian is read.
 */
#include "core/disk/md.h"

#include <string.h>

#include "core/base/bytes.h"
#include "core/base/text.h"

#define MD_MAGIC 0xa92b4efcu
#define SECTOR   ((uint64_t)512)

struct md_disk_super_1 {
    uint8_t magic[4];
    uint8_t major_version[4]; /* 1 */
    uint8_t feature_map[4];
    uint8_t pad0[4];
    uint8_t set_uuid[16];
    uint8_t set_name[32]; /* "host:name" */
    uint8_t ctime[8];
    uint8_t level[4];
    uint8_t layout[4];
    uint8_t size[8]; /* sectors used of each member */
    uint8_t chunksize[4];
    uint8_t raid_disks[4];
    uint8_t bitmap_offset[4];
    uint8_t new_level[4];
    uint8_t reshape_position[8];
    uint8_t delta_disks[4];
    uint8_t new_layout[4];
    uint8_t new_chunk[4];
    uint8_t new_offset[4];
    uint8_t data_offset[8]; /* sectors */
    uint8_t data_size[8];
    uint8_t super_offset[8]; /* sectors: its own place */
    uint8_t recovery_offset[8];
    uint8_t dev_number[4];
    uint8_t cnt_corrected_read[4];
    uint8_t device_uuid[16];
    uint8_t devflags[1];
    uint8_t bblog_shift[1];
    uint8_t bblog_size[2];
    uint8_t bblog_offset[4];
    uint8_t utime[8];
    uint8_t events[8];
    uint8_t resync_offset[8];
    uint8_t sb_csum[4];
    uint8_t max_dev[4];
    uint8_t pad3[32];
    uint8_t dev_roles[][2]; /* max_dev of them, by dev_number */
};
STATIC_ASSERT(sizeof(struct md_disk_super_1) == 256, "the fixed part is 256 bytes");
STATIC_ASSERT(offsetof(struct md_disk_super_1, level) == 72, "level");
STATIC_ASSERT(offsetof(struct md_disk_super_1, data_offset) == 128, "data_offset");
STATIC_ASSERT(offsetof(struct md_disk_super_1, devflags) == 184, "devflags");
STATIC_ASSERT(offsetof(struct md_disk_super_1, events) == 200, "events");
STATIC_ASSERT(offsetof(struct md_disk_super_1, sb_csum) == 216, "sb_csum");

/* What a member of RAID1 may have, and is read in spite of: */
#define FEATURE_BITMAP          0x0001u /* see md.h */
#define FEATURE_RECOVERY_OFFSET 0x0002u /* this member is not in sync yet */
#define FEATURE_RESHAPE         0x0004u
#define FEATURE_BAD_BLOCKS      0x0008u /* places of this member hold old data */
#define FEATURE_REPLACEMENT     0x0010u /* once in sync a copy as good as the one it replaces */
#define FEATURE_BACKWARDS       0x0020u
#define FEATURE_NEW_OFFSET      0x0040u
#define FEATURE_RECOVERY_BITMAP 0x0080u /* this member is being brought up to date */
#define FEATURE_CLUSTERED       0x0100u
#define FEATURE_JOURNAL         0x0200u
#define FEATURE_PPL             0x0400u
#define FEATURE_MULTIPLE_PPL    0x0800u
#define FEATURE_RAID0_LAYOUT    0x1000u /* of RAID0, which its level refuses */
#define FEATURE_KNOWN           0x1fffu

#define DEVFLAG_WRITE_MOSTLY 1

struct md_disk_descriptor {
    uint8_t number[4];
    uint8_t major[4];
    uint8_t minor[4];
    uint8_t raid_disk[4];
    uint8_t state[4];
    uint8_t reserved[108];
};
STATIC_ASSERT(sizeof(struct md_disk_descriptor) == 128, "a descriptor is 128 bytes");

#define NR_DESCRIPTORS     27
#define STATE_FAULTY       0x001u
#define STATE_ACTIVE       0x002u
#define STATE_SYNC         0x004u
#define STATE_REMOVED      0x008u
#define STATE_WRITE_MOSTLY 0x200u

struct md_disk_super_0 {
    uint8_t magic[4];
    uint8_t major_version[4]; /* 0 */
    uint8_t minor_version[4]; /* 90; 91 while it is reshaped */
    uint8_t patch_version[4];
    uint8_t gvalid_words[4];
    uint8_t set_uuid0[4];
    uint8_t ctime[4];
    uint8_t level[4];
    uint8_t size[4]; /* KiB used of each member */
    uint8_t nr_disks[4];
    uint8_t raid_disks[4];
    uint8_t md_minor[4];
    uint8_t not_persistent[4];
    uint8_t set_uuid123[12];
    uint8_t reserved0[64];
    uint8_t utime[4];
    uint8_t state[4];
    uint8_t counts[16]; /* active, working, failed, spare */
    uint8_t sb_csum[4];
    uint8_t events[8];
    uint8_t reserved1[348];
    struct md_disk_descriptor disks[NR_DESCRIPTORS];
    struct md_disk_descriptor this_disk;
};
STATIC_ASSERT(sizeof(struct md_disk_super_0) == MD_SUPER_BYTES, "a superblock is 4096 bytes");
STATIC_ASSERT(offsetof(struct md_disk_super_0, sb_csum) == 152, "sb_csum");
STATIC_ASSERT(offsetof(struct md_disk_super_0, disks) == 512, "disks");

const char *md_version_name(enum md_version version)
{
    static const char *const names[MD_NR_VERSIONS] = {"1.1", "1.2", "1.0", "0.90"};

    return names[version];
}

bool md_place(enum md_version version, uint64_t size_bytes, uint64_t *off_bytes)
{
    uint64_t sectors = size_bytes / SECTOR, at = 0;

    switch (version) {
    case MD_1_1:
        break;
    case MD_1_2:
        at = 8;
        break;
    case MD_1_0:
        at = sectors < 16 ? 0 : align_down(sectors - 16, 8);
        break;
    case MD_0_90:
        at = align_down(sectors, 128);
        at = at < 128 ? 0 : at - 128;
        break;
    }
    if (at == 0 && version != MD_1_1)
        return false;
    *off_bytes = at * SECTOR;
    return in_range(*off_bytes, MD_SUPER_BYTES, size_bytes);
}

/* The sum of all 32-bit words but the one at csum_at; what is left over counts as 16 bits. */
static uint32_t checksum(const uint8_t *super, size_t len, size_t csum_at)
{
    uint64_t sum = 0;
    size_t i = 0;

    for (; len - i >= 4; i += 4)
        sum += i == csum_at ? 0 : le32(super + i);
    if (len - i == 2)
        sum += le16(super + i);
    return (uint32_t)(sum + (sum >> 32));
}

static struct err check_sum(const uint8_t *super, size_t len, size_t csum_at, uint64_t where)
{
    uint32_t want = le32(super + csum_at), got = checksum(super, len, csum_at);

    if (got != want)
        return ERR_AT(ERR_FS_DAMAGED, where, "the checksum of an md superblock is %A, should be %B",
                      want, got);
    return OK;
}

/* A name that can stand in (md/NAME); anything else gets one made of its UUID. */
static bool is_name(const char *s, size_t len)
{
    for (size_t i = 0; i < len; i++) {
        char c = s[i];

        if (!((c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
              c == '_' || c == '-' || c == '.' || c == '+'))
            return false;
    }
    return len > 0;
}

static void name_by_uuid(struct md_member *m)
{
    for (size_t i = 0; i < 16; i++) {
        m->name[2 * i] = "0123456789abcdef"[m->uuid[i] >> 4];
        m->name[2 * i + 1] = "0123456789abcdef"[m->uuid[i] & 15];
    }
    m->name[32] = '\0';
}

/* "host:name" is `name` here: the host's name is nothing that a menu should have to know. */
static void take_name(struct md_member *m, const uint8_t set_name[32])
{
    const char *s = (const char *)set_name;
    size_t len = 0, from = 0;

    while (len < 32 && s[len] != '\0') {
        if (s[len] == ':')
            from = len + 1;
        len++;
    }
    if (is_name(s + from, len - from)) {
        memcpy(m->name, s + from, len - from);
        m->name[len - from] = '\0';
    } else {
        name_by_uuid(m);
    }
}

static const char *refused_feature(uint32_t features)
{
    if (features & ~FEATURE_KNOWN)
        return "a feature of md that is not known here";
    if (features & (FEATURE_RESHAPE | FEATURE_BACKWARDS | FEATURE_NEW_OFFSET))
        return "a RAID (md) that is being reshaped; let that end";
    if (features & FEATURE_CLUSTERED)
        return "a clustered RAID (md)";
    if (features & (FEATURE_JOURNAL | FEATURE_PPL | FEATURE_MULTIPLE_PPL))
        return "a RAID (md) with a journal";
    return NULL;
}

/* The data lies on the member, on whole sectors, and not below the superblock. */
static struct err check_data(const struct md_member *m, uint64_t super_off, uint64_t size_bytes)
{
    if (m->size_bytes == 0 || !in_range(m->data_off_bytes, m->size_bytes, size_bytes))
        return ERR_AT(ERR_FS_DAMAGED, super_off,
                      "an md superblock says that %a bytes of data begin at byte %b", m->size_bytes,
                      m->data_off_bytes);
    if (m->nr_disks == 0 || m->number >= m->nr_roles)
        return ERR_AT(ERR_FS_DAMAGED, super_off, "an md superblock is that of device %a of %b",
                      m->number, m->nr_roles);
    return OK;
}

static struct err parse_1(const uint8_t *super, uint64_t off_bytes, struct md_member *m)
{
    const struct md_disk_super_1 *sb = (const struct md_disk_super_1 *)super;
    uint32_t features = le32(sb->feature_map), max_dev = le32(sb->max_dev);
    uint64_t size = le64(sb->size), data = le64(sb->data_offset);

    if (le32(sb->magic) != MD_MAGIC || le32(sb->major_version) != 1)
        return ERR(ERR_NOT_MINE, "no md superblock of version 1");
    if (max_dev > (MD_SUPER_BYTES - sizeof(*sb)) / 2)
        return ERR_AT(ERR_FS_DAMAGED, off_bytes, "an md superblock has %a roles", max_dev, 0);
    TRY(check_sum(super, sizeof(*sb) + (size_t)max_dev * 2,
                  offsetof(struct md_disk_super_1, sb_csum), off_bytes));
    /* One at the end of a partition may also be found at the end of the whole disk. */
    if (le64(sb->super_offset) != off_bytes / SECTOR)
        return ERR(ERR_NOT_MINE, "an md superblock that belongs to another place");
    if (size > UINT64_MAX / SECTOR || data > UINT64_MAX / SECTOR)
        return ERR_AT(ERR_FS_DAMAGED, off_bytes, "an md superblock says %a sectors at sector %b",
                      size, data);
    memcpy(m->uuid, sb->set_uuid, sizeof(m->uuid));
    take_name(m, sb->set_name);
    m->events = le64(sb->events);
    m->level = (int32_t)le32(sb->level);
    m->nr_disks = le32(sb->raid_disks);
    m->data_off_bytes = data * SECTOR;
    m->size_bytes = size * SECTOR;
    m->number = le32(sb->dev_number);
    m->nr_roles = max_dev;
    m->refused = refused_feature(features);
    m->last_choice = sb->devflags[0] & DEVFLAG_WRITE_MOSTLY;
    if (features & (FEATURE_RECOVERY_OFFSET | FEATURE_RECOVERY_BITMAP))
        m->not_used = "it is not in sync yet";
    else if (features & FEATURE_BAD_BLOCKS)
        m->not_used = "it has a list of bad blocks";
    return OK;
}

static struct err parse_0(const uint8_t *super, uint64_t off_bytes, struct md_member *m)
{
    const struct md_disk_super_0 *sb = (const struct md_disk_super_0 *)super;
    struct text t = text_on(m->name, sizeof(m->name));

    if (le32(sb->magic) != MD_MAGIC || le32(sb->major_version) != 0)
        return ERR(ERR_NOT_MINE, "no md superblock of version 0.90");
    TRY(check_sum(super, MD_SUPER_BYTES, offsetof(struct md_disk_super_0, sb_csum), off_bytes));
    memcpy(m->uuid, sb->set_uuid0, 4);
    memcpy(m->uuid + 4, sb->set_uuid123, 12);
    text_u64(&t, le32(sb->md_minor));
    m->events = le64(sb->events);
    m->level = (int32_t)le32(sb->level);
    m->nr_disks = le32(sb->raid_disks);
    m->size_bytes = (uint64_t)le32(sb->size) * 1024;
    m->number = le32(sb->this_disk.number);
    m->nr_roles = NR_DESCRIPTORS;
    if (le32(sb->minor_version) == 91)
        m->refused = "a RAID (md) that is being reshaped; let that end";
    else if (le32(sb->minor_version) != 90)
        m->refused = "a version of md that is not known here";
    m->last_choice = le32(sb->this_disk.state) & STATE_WRITE_MOSTLY;
    /* Its data ends before the superblock. */
    if (m->level == 1 && m->size_bytes > off_bytes)
        return ERR(ERR_NOT_MINE, "an md superblock that belongs to a larger disk");
    return OK;
}

struct err md_parse(enum md_version version, const uint8_t super[MD_SUPER_BYTES],
                    uint64_t off_bytes, uint64_t size_bytes, struct arena *a, struct md_member *out)
{
    uint8_t *copy;

    *out = (struct md_member){.version = version};
    TRY(version == MD_0_90 ? parse_0(super, off_bytes, out) : parse_1(super, off_bytes, out));
    /* What other levels say of their data is not ours to judge. */
    if (out->level == 1 && out->refused == NULL)
        TRY(check_data(out, off_bytes, size_bytes));
    copy = arena_alloc(a, MD_SUPER_BYTES);
    if (copy == NULL)
        return arena_exhausted("a superblock of %a bytes", MD_SUPER_BYTES);
    memcpy(copy, super, MD_SUPER_BYTES);
    out->super = copy;
    return OK;
}

struct err md_probe(struct disk *d, uint8_t *pages, struct arena *a, struct md_member **out)
{
    struct disk_req reqs[MD_NR_VERSIONS];
    struct err results[MD_NR_VERSIONS];
    struct md_member found;
    bool damaged = false;
    struct err first = ERR(ERR_NOT_MINE, "no member of a RAID");

    memset(pages, 0, MD_PROBE_BYTES);
    for (size_t i = 0; i < MD_NR_VERSIONS; i++) {
        uint64_t off = 0;

        results[i] = ERR(ERR_NOT_MINE, "too small");
        reqs[i] = (struct disk_req){.op = DISK_READ, .buf = pages + i * MD_SUPER_BYTES};
        if (!md_place((enum md_version)i, d->size_bytes, &off) && i != 0)
            continue;
        reqs[i].off_bytes = off;
        reqs[i].len_bytes = min_u64(MD_SUPER_BYTES, d->size_bytes - off);
        results[i] = OK;
        disk_submit(d, &reqs[i]);
    }
    for (size_t i = 0; i < MD_NR_VERSIONS; i++) {
        if (!failed(results[i]))
            results[i] = disk_wait(d, &reqs[i]);
    }
    TRY(results[0]);
    for (size_t i = 0; i < MD_NR_VERSIONS; i++) {
        struct err e = results[i];
        uint64_t off;

        if (failed(e) || !md_place((enum md_version)i, d->size_bytes, &off))
            continue;
        e = md_parse((enum md_version)i, pages + i * MD_SUPER_BYTES, off, d->size_bytes, a, &found);
        if (!failed(e)) {
            found.disk = d;
            *out = arena_alloc(a, sizeof(**out));
            if (*out == NULL)
                return arena_exhausted("a member of a RAID, %a bytes", sizeof(**out));
            **out = found;
            return OK;
        }
        if (e.code != ERR_NOT_MINE && !damaged) {
            damaged = true;
            first = e;
        }
    }
    return first;
}
