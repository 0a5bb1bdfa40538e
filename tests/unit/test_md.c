/* SPDX-License-Identifier: MIT */
/* core/disk/md: superblocks, and which members make an array. */
#include <stdlib.h>

#include "core/base/bytes.h"
#include "core/disk/md.h"
#include "tests/unit/support.h"
#include "tests/unit/test.h"
#include "tests/unit/volgen.h"

#define DISK_BYTES ((size_t)1 << 20)
#define DATA_BYTES ((uint64_t)512 << 10)
#define NR_DISKS   4

static const uint16_t two[] = {0, 1};

struct rig {
    struct arena arena;
    struct mem_disk disks[NR_DISKS];
    uint8_t *data[NR_DISKS];
    uint32_t nr;
    struct md_member *members, **end;
    struct md_array *arrays;
    char log[2000];
};

static void log_add(void *ctx, const char *line)
{
    struct rig *r = ctx;

    strncat(r->log, line, sizeof(r->log) - strlen(r->log) - 2);
    strcat(r->log, "\n");
}

static void start(struct rig *r)
{
    *r = (struct rig){0};
    arena_init(&r->arena, &test_memory);
    r->end = &r->members;
}

static void stop(struct rig *r)
{
    arena_reset(&r->arena);
    for (uint32_t i = 0; i < r->nr; i++)
        free(r->data[i]);
}

static struct gen_md usual(enum md_version version, uint32_t number)
{
    return (struct gen_md){
        .version = version,
        .name = version == MD_0_90 ? "3" : "host:home",
        .uuid = 7,
        .events = 20,
        .level = 1,
        .nr_disks = 2,
        .number = number,
        .roles = two,
        .nr_roles = 2,
        .data_off_bytes = version == MD_1_0 || version == MD_0_90 ? 0 : 16384,
        .size_bytes = DATA_BYTES,
    };
}

/* A disk more; every byte of its data is 'a', 'b', ... */
static struct err add(struct rig *r, const struct gen_md *md)
{
    static _Alignas(4096) uint8_t pages[MD_PROBE_BYTES];
    struct mem_disk *m = &r->disks[r->nr];
    struct md_member *found = NULL;

    r->data[r->nr] = aligned_alloc(4096, DISK_BYTES);
    memset(r->data[r->nr], 'a' + (int)r->nr, DISK_BYTES);
    mem_disk_init(m, r->data[r->nr], DISK_BYTES, 512);
    m->disk.name[3] = (char)('0' + r->nr++);
    gen_md(m->data, DISK_BYTES, md);
    TRY(md_probe(&m->disk, pages, &r->arena, &found));
    CHECK(found->disk == &m->disk);
    *r->end = found;
    r->end = &found->next;
    return OK;
}

static struct md_array *assemble(struct rig *r)
{
    static struct log log = {.line = log_add};

    log.ctx = r;
    CHECK_OK(md_arrays(r->members, &r->arena, &log, &r->arrays));
    CHECK(r->arrays != NULL);
    return r->arrays;
}

/* What the array's byte at off is; 0 when it cannot be read. */
static char byte_at(struct md_array *a, uint64_t off)
{
    char c = 0;

    CHECK(a->disk != NULL);
    return a->disk != NULL && !failed(disk_read(a->disk, off, &c, 1)) ? c : 0;
}

static bool said(const struct rig *r, const char *what)
{
    if (strstr(r->log, what) != NULL)
        return true;
    printf("the log is: %s", r->log);
    return false;
}

static void places_are_those_of_mdadm(void)
{
    uint64_t at = 1;

    CHECK(md_place(MD_1_1, 4096, &at));
    CHECK_U64(at, 0);
    CHECK(!md_place(MD_1_1, 4095, &at));
    CHECK(md_place(MD_1_2, 8192, &at));
    CHECK_U64(at, 4096);
    CHECK(!md_place(MD_1_2, 8191, &at));
    CHECK(md_place(MD_1_0, 1 << 20, &at));
    CHECK_U64(at, (1 << 20) - 8192);
    CHECK(md_place(MD_1_0, (1 << 20) + 512 * 7, &at));
    CHECK_U64(at, (1 << 20) - 8192);
    CHECK(!md_place(MD_1_0, 8192, &at));
    CHECK(md_place(MD_0_90, 1 << 20, &at));
    CHECK_U64(at, (1 << 20) - 65536);
    CHECK(md_place(MD_0_90, (1 << 20) + 65535, &at));
    CHECK_U64(at, (1 << 20) - 65536);
    CHECK(!md_place(MD_0_90, 65536 * 2 - 1, &at));
    CHECK(!md_place(MD_0_90, 0, &at));
}

static void reads_all_versions(void)
{
    for (int v = 0; v < MD_NR_VERSIONS; v++) {
        struct rig r;
        struct gen_md md = usual((enum md_version)v, 1);

        start(&r);
        CHECK_OK(add(&r, &md));
        CHECK_U64(r.members->version, v);
        CHECK_STR(r.members->name, v == MD_0_90 ? "3" : "home");
        CHECK_U64(r.members->events, 20);
        CHECK_U64(r.members->data_off_bytes, md.data_off_bytes);
        CHECK_U64(r.members->size_bytes, DATA_BYTES);
        CHECK_U64(r.members->uuid[15], 7);
        struct md_array *a = assemble(&r);

        CHECK_OK(a->bad);
        CHECK_U64(a->disk->size_bytes, DATA_BYTES);
        CHECK(said(&r, "1 of 2 members of this RAID1 are here"));
        r.data[0][md.data_off_bytes + 70000] = 'x';
        CHECK_U64(byte_at(a, 70000), 'x');
        CHECK_U64(byte_at(a, 70001), 'a');
        struct disk *device;
        uint64_t at;

        CHECK_ERR(disk_place(a->disk, 70000, &device, &at), ERR_REFUSED);
        stop(&r);
    }
}

static void the_first_member_in_sync_is_read(void)
{
    static const uint16_t swapped[] = {1, 0};
    struct rig r;
    struct gen_md md = usual(MD_1_2, 0);

    start(&r);
    md.roles = swapped;
    CHECK_OK(add(&r, &md));
    md.number = 1;
    CHECK_OK(add(&r, &md));
    CHECK_U64(byte_at(assemble(&r), 0), 'b');
    CHECK_STR(r.log, "");
    /* A place that it cannot read comes from the other one, and that is said once. */
    r.disks[1].fail_off_bytes = 16384 + 8192;
    CHECK_U64(byte_at(r.arrays, 8192), 'a');
    CHECK_U64(byte_at(r.arrays, 8191), 'b');
    CHECK_U64(byte_at(r.arrays, 8193), 'a');
    CHECK_STR(r.log, "(md/home): a member cannot be read everywhere; another one is read there\n");
    r.disks[0].fail_off_bytes = 16384 + 8192;
    char c;
    struct err e = disk_read(r.arrays->disk, 8192, &c, 1);

    CHECK_ERR(e, ERR_READ);
    CHECK_U64(e.where, 8192);
    stop(&r);
}

/* Member 0 with `fresh`, member 1 with `other`: what is said of member 1, which is not used. */
static void not_used(struct gen_md fresh, struct gen_md other, const char *why)
{
    for (int turn = 0; turn < 2; turn++) {
        struct rig r;

        start(&r);
        CHECK_OK(add(&r, turn == 0 ? &fresh : &other));
        CHECK_OK(add(&r, turn == 0 ? &other : &fresh));
        struct md_array *a = assemble(&r);

        CHECK_OK(a->bad);
        CHECK_U64(a->nr_used, 1);
        CHECK_U64(byte_at(a, 0), turn == 0 ? 'a' : 'b');
        CHECK(said(&r, why));
        stop(&r);
    }
}

static void other_members_are_not_used(void)
{
    static const uint16_t one_failed[] = {0, 0xfffe}, one_spare[] = {0, 0xffff}, beyond[] = {0, 2};

    for (int v = 0; v < MD_NR_VERSIONS; v++) {
        struct gen_md fresh = usual((enum md_version)v, 0), other = usual((enum md_version)v, 1);

        other.events = 18;
        not_used(fresh, other, "is not used: it is out of date");
        other.events = 19;
        fresh.roles = one_failed;
        not_used(fresh, other, "is not used: it has failed");
        fresh.roles = beyond;
        not_used(fresh, other, "is not used: it has failed");
        other.events = 20;
        fresh.roles = other.roles = one_spare;
        not_used(fresh, other, "is not used: it is a spare");
        fresh.roles = other.roles = two;
        fresh.events = 21;
        other.size_bytes -= 65536;
        not_used(fresh, other, "is not used: its superblock contradicts");
        other.size_bytes += 65536;
        if (v == MD_0_90)
            continue;
        other.features = 2;
        not_used(fresh, other, "is not used: it is not in sync yet");
        other.features = 8;
        not_used(fresh, other, "is not used: it has a list of bad blocks");
        other.features = 0x100;
        not_used(fresh, other, "is not used: a clustered RAID");
    }
}

static void copies_of_a_member_are_not_used(void)
{
    struct rig r;
    struct gen_md md = usual(MD_1_2, 0);

    start(&r);
    CHECK_OK(add(&r, &md));
    CHECK_OK(add(&r, &md));
    CHECK_U64(assemble(&r)->nr_used, 1);
    CHECK(said(&r, "is not used: it is a copy of another member"));
    stop(&r);
}

static void arrays_are_told_apart(void)
{
    struct rig r;
    struct gen_md md = usual(MD_1_2, 0);

    start(&r);
    CHECK_OK(add(&r, &md));
    md.uuid = 9;
    CHECK_OK(add(&r, &md));
    md.uuid = 0xab;
    md.name = "with space)";
    CHECK_OK(add(&r, &md));
    CHECK_STR(assemble(&r)->name, "home");
    CHECK_STR(r.arrays->next->name, "09090909090909090909090909090909");
    CHECK_STR(r.arrays->next->next->name, "abababababababababababababababab");
    CHECK(r.arrays->next->next->next == NULL);
    CHECK(said(&r, "another array has this name"));
    stop(&r);
}

static void arrays_past_the_cap_are_left_out(void)
{
    static _Alignas(4096) uint8_t pages[MD_PROBE_BYTES];
    struct gen_md md = usual(MD_1_2, 0);
    uint32_t nr = 0;
    struct rig r;

    start(&r);
    CHECK_OK(add(&r, &md));
    for (uint32_t i = 0; i < MD_ARRAYS_MAX + 3; i++) {
        md.uuid = (uint8_t)(100 + i);
        gen_md(r.data[0], DISK_BYTES, &md);
        CHECK_OK(md_probe(&r.disks[0].disk, pages, &r.arena, r.end));
        r.end = &(*r.end)->next;
    }
    CHECK_ERR(md_arrays(r.members, &r.arena, NULL, &r.arrays), ERR_LIMIT);
    for (struct md_array *a = r.arrays; a != NULL; a = a->next) {
        CHECK_OK(a->bad);
        CHECK(a->disk != NULL);
        nr++;
    }
    CHECK_U64(nr, MD_ARRAYS_MAX);
    stop(&r);
}

static void refused(struct gen_md md, const char *why)
{
    struct rig r;

    start(&r);
    CHECK_OK(add(&r, &md));
    CHECK_ERR(assemble(&r)->bad, ERR_REFUSED);
    CHECK(r.arrays->disk == NULL);
    CHECK(strstr(r.arrays->bad.msg, why) != NULL);
    stop(&r);
}

static void what_is_not_read_is_refused_by_name(void)
{
    static const struct {
        uint32_t features;
        const char *why;
    } features[] = {{4, "being reshaped"}, {0x20, "being reshaped"},  {0x40, "being reshaped"},
                    {0x100, "clustered"},  {0x200, "with a journal"}, {0x400, "with a journal"},
                    {0x2000, "not known"}};
    static const int32_t levels[] = {0, -1, -4, 5, 6, 10, -7};
    struct gen_md md = usual(MD_1_2, 0);

    for (size_t i = 0; i < sizeof(features) / sizeof(features[0]); i++) {
        md.features = features[i].features;
        refused(md, features[i].why);
    }
    md.features = 0;
    for (size_t i = 0; i < sizeof(levels) / sizeof(levels[0]); i++) {
        md.level = levels[i];
        refused(md, levels[i] == -7 ? "not known" : "only RAID1 is read");
    }
}

static void damage_is_said(void)
{
    struct md_member m;
    uint8_t *disk = aligned_alloc(4096, DISK_BYTES);
    struct arena arena;

    arena_init(&arena, &test_memory);
    for (int v = 0; v < MD_NR_VERSIONS; v++) {
        enum md_version version = (enum md_version)v;
        struct gen_md md = usual(version, 0);
        uint64_t at = gen_md(disk, DISK_BYTES, &md);
        uint8_t *sb = disk + at;

        CHECK_OK(md_parse(version, sb, at, DISK_BYTES, &arena, &m));
        /* Every bit counts, but for what lies behind a superblock of version 1. */
        for (size_t i = 4; i < (version == MD_0_90 ? 4096 : 260); i += 3) {
            sb[i] ^= 0x10;
            struct err e = md_parse(version, sb, at, DISK_BYTES, &arena, &m);

            CHECK(e.code == ERR_FS_DAMAGED || e.code == ERR_NOT_MINE);
            sb[i] ^= 0x10;
        }
        md.size_bytes = DISK_BYTES + 65536;
        gen_md(disk, DISK_BYTES, &md);
        CHECK(failed(md_parse(version, sb, at, DISK_BYTES, &arena, &m)));
        md.size_bytes = DATA_BYTES;
        md.number = 300;
        gen_md(disk, DISK_BYTES, &md);
        CHECK_ERR(md_parse(version, sb, at, DISK_BYTES, &arena, &m), ERR_FS_DAMAGED);
        md.number = 0;
        md.nr_disks = 0;
        gen_md(disk, DISK_BYTES, &md);
        CHECK_ERR(md_parse(version, sb, at, DISK_BYTES, &arena, &m), ERR_FS_DAMAGED);
        if (version == MD_0_90)
            continue;
        md.nr_disks = 2;
        gen_md(disk, DISK_BYTES, &md);
        CHECK_ERR(md_parse(version, sb, at + 4096, DISK_BYTES, &arena, &m), ERR_NOT_MINE);
        gen_le32(sb + 220, 1921);
        CHECK_ERR(md_parse(version, sb, at, DISK_BYTES, &arena, &m), ERR_FS_DAMAGED);
        gen_le32(sb + 220, 2);
        gen_le64(sb + 128, UINT64_MAX / 4);
        gen_md_sum(sb, version);
        CHECK_ERR(md_parse(version, sb, at, DISK_BYTES, &arena, &m), ERR_FS_DAMAGED);
    }
    arena_reset(&arena);
    free(disk);
}

int main(void)
{
    RUN(places_are_those_of_mdadm);
    RUN(reads_all_versions);
    RUN(the_first_member_in_sync_is_read);
    RUN(other_members_are_not_used);
    RUN(copies_of_a_member_are_not_used);
    RUN(arrays_are_told_apart);
    RUN(arrays_past_the_cap_are_left_out);
    RUN(what_is_not_read_is_refused_by_name);
    RUN(damage_is_said);
    return test_done();
}
