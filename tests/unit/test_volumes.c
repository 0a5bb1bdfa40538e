/* SPDX-License-Identifier: MIT */
/* core/fs/vols with arrays and logical volumes: their names, and that each is read as what it is.
 */
#include <stdlib.h>

#include "core/base/bytes.h"
#include "core/fs/vols.h"
#include "core/menu/locate.h"
#include "tests/unit/mkfs.h"
#include "tests/unit/support.h"
#include "tests/unit/test.h"
#include "tests/unit/volgen.h"

#define MIB       ((size_t)1 << 20)
#define DISKS_MAX 4

static const char id_a[] = "AAAAAAaaaaaaaaaaaaaaaaaaaaaaaaaa",
                  id_b[] = "BBBBBBbbbbbbbbbbbbbbbbbbbbbbbbbb";

/* A group of one physical volume (its id is ccc...) with one linear volume of 2 MiB. */
#define GROUP(vg, id, pv, lv, more)                                                                \
    vg " {\nid = \"" id "-vvvv-vvvv-vvvv-vvvv-vvvv-vvvvvv\"\nseqno = 1\nextent_size = 2048\n"      \
       "physical_volumes {\npv0 {\nid = \"" pv "\"\npe_start = 2048\npe_count = 2\n}\n}\n"         \
       "logical_volumes {\n" lv " {\nstatus = [\"VISIBLE\"]\nsegment1 {\nstart_extent = 0\n"       \
       "extent_count = 2\ntype = \"striped\"\nstripe_count = 1\nstripes = [\"pv0\", 0]\n}\n}\n"    \
       "" more "}\n}\n"
#define PV_A "AAAAAA-aaaa-aaaa-aaaa-aaaa-aaaa-aaaaaa"
#define PV_B "BBBBBB-bbbb-bbbb-bbbb-bbbb-bbbb-bbbbbb"

struct rig {
    struct arena arena;
    struct mem_disk disks[DISKS_MAX];
    uint8_t *data[DISKS_MAX], *fs;
    uint32_t nr;
    struct vols *vols;
    struct log logger;
    char log[4000];
};

static void log_add(void *ctx, const char *line)
{
    struct rig *r = ctx;

    strncat(r->log, line, sizeof(r->log) - strlen(r->log) - 2);
    strcat(r->log, "\n");
}

static void start(struct rig *r)
{
    size_t len;

    *r = (struct rig){0};
    r->logger = (struct log){.ctx = r, .line = log_add};
    arena_init(&r->arena, &test_memory);
    put_file("tree/boot/grub/menu.lst", "title x", 7);
    r->fs = make_ext("-t ext2 -b 1024", "tree", "2M", &len);
    CHECK_U64(len, 2 * MIB);
    CHECK_OK(vols_new(&r->vols, &r->arena, &r->logger));
}

static void stop(struct rig *r)
{
    arena_reset(&r->arena);
    for (uint32_t i = 0; i < r->nr; i++)
        free(r->data[i]);
    free(r->fs);
}

/* An empty disk; what is on it is put there before it is asked for anything. */
static uint8_t *add_disk(struct rig *r, size_t size)
{
    uint8_t *data = aligned_alloc(4096, size);

    memset(data, 0, size);
    r->data[r->nr] = data;
    mem_disk_init(&r->disks[r->nr], data, size, 512);
    CHECK_OK(vols_add_disk(r->vols, &r->disks[r->nr++].disk));
    return data;
}

static void put_table(uint8_t *disk, uint32_t first, uint32_t count)
{
    memset(disk + 446, 0, 64);
    disk[450] = 0x83;
    gen_le32(disk + 454, first);
    gen_le32(disk + 458, count);
    disk[510] = 0x55;
    disk[511] = 0xaa;
}

static void put_member(uint8_t *disk, size_t size, enum md_version version, uint32_t number,
                       uint64_t events)
{
    static const uint16_t roles[] = {0, 1};
    struct gen_md md = {.version = version,
                        .name = version == MD_0_90 ? "3" : "host:home",
                        .uuid = 5,
                        .events = events,
                        .level = 1,
                        .nr_disks = 2,
                        .number = number,
                        .roles = roles,
                        .nr_roles = 2,
                        .data_off_bytes = version == MD_1_0 || version == MD_0_90 ? 0 : MIB,
                        .size_bytes = 2 * MIB};

    gen_md(disk, size, &md);
}

static struct vol_id id_of(struct rig *r, const char *name)
{
    struct vol_id id = {0, 0};
    size_t used = 0;

    CHECK_OK(vol_parse(r->vols, name, &id, &used));
    CHECK_U64(used, strlen(name));
    return id;
}

static const char *name_of(struct rig *r, struct vol_id id)
{
    static char name[VOL_NAME_MAX];

    vol_format(r->vols, id, name, sizeof(name));
    return name;
}

static void mounts_as(struct rig *r, const char *name, const char *disk_name)
{
    struct fs *fs;

    CHECK_OK(vols_mount(r->vols, id_of(r, name), &fs));
    CHECK_STR(fs->disk->name, disk_name);
}

static void open_error(struct rig *r, const char *name, const char *want)
{
    struct file f;
    char subject[512], text[1024];
    struct err e = vols_open(r->vols, (struct vol_id){0, VOL_WHOLE}, name, &r->arena, &f, subject,
                             sizeof(subject));

    err_format(e, subject, text, sizeof(text));
    CHECK_STR(text, want);
}

/* "(hd0) (hd1) (md/3)": all devices in their order. */
static void devices_are(struct rig *r, const char *want)
{
    char all[500] = "";

    for (uint32_t n = vols_next(r->vols, UINT32_MAX); n != UINT32_MAX; n = vols_next(r->vols, n)) {
        strcat(all, all[0] != '\0' ? " " : "");
        strcat(all, name_of(r, (struct vol_id){n, VOL_WHOLE}));
    }
    CHECK_STR(all, want);
}

static void finds_menu(struct rig *r, const char *want)
{
    static struct menu_file found;
    char subject[512];

    CHECK_OK(
        menu_locate(&found, r->vols, NULL, false, &r->arena, &r->logger, subject, sizeof(subject)));
    CHECK_STR(found.name, want);
}

static void said(const struct rig *r, const char *what)
{
    if (strstr(r->log, what) != NULL)
        return;
    printf("\"%s\" is not in the log: %s", what, r->log);
    CHECK(false);
}

static void a_plain_disk_costs_few_reads(void)
{
    struct rig r;

    start(&r);
    memcpy(add_disk(&r, 4 * MIB), r.fs, 2 * MIB);
    for (int i = 1; i < DISKS_MAX; i++)
        add_disk(&r, 4 * MIB);
    finds_menu(&r, "(hd0)/boot/grub/menu.lst");
    /* Superblock, group descriptors, inodes and directories are 8; places of labels 4. */
    CHECK(r.disks[0].nr_reads <= 16);
    for (int i = 1; i < DISKS_MAX; i++)
        CHECK_U64(r.disks[i].nr_reads, 0); /* nobody has named a volume */
    devices_are(&r, "(hd0) (hd1) (hd2) (hd3)");
    for (int i = 1; i < DISKS_MAX; i++)
        CHECK(r.disks[i].nr_reads <= 7);
    stop(&r);
}

static void members_mean_their_array(void)
{
    for (int v = 0; v < MD_NR_VERSIONS; v++) {
        enum md_version version = (enum md_version)v;
        bool at_start = version == MD_1_0 || version == MD_0_90;
        const char *name = version == MD_0_90 ? "(md/3)" : "(md/home)";
        struct rig r;
        char line[100];

        start(&r);
        for (uint32_t i = 0; i < 2; i++) {
            uint8_t *d = add_disk(&r, 4 * MIB);

            memcpy(d + (at_start ? 0 : MIB), r.fs, 2 * MIB);
            put_member(d, 4 * MIB, version, i, i == 0 ? 5 : 9);
        }
        /* The first half is out of date: what it holds is not what the array holds. */
        memset(r.data[0] + (at_start ? 0 : MIB), 0, MIB);
        mounts_as(&r, "(hd0)", name);
        mounts_as(&r, "(hd1)", name);
        mounts_as(&r, name, name);
        snprintf(line, sizeof(line), "(hd0) is part of a RAID: %s is read\n", name);
        said(&r, line);
        said(&r, ": (hd0) is not used: it is out of date\n");
        CHECK(vols_kind(r.vols, id_of(&r, name).disk) == VOL_ARRAY);
        CHECK(vol_same(vols_resolve(r.vols, id_of(&r, "(hd1)")), id_of(&r, name)));
        finds_menu(&r, "(hd0)/boot/grub/menu.lst");
        stop(&r);
    }
}

static void partitions_in_arrays(void)
{
    struct rig r;
    uint8_t *d;

    start(&r);
    d = add_disk(&r, 4 * MIB);
    put_member(d, 4 * MIB, MD_0_90, 0, 5);
    put_table(d, 64, 2048);
    memcpy(d + 32768, r.fs, MIB);
    const struct part_table *table;

    CHECK_OK(vols_table(r.vols, 0, &table));
    CHECK_U64(table->nr_parts, 1);
    CHECK(vol_same(vols_resolve(r.vols, id_of(&r, "(hd0,0)")), id_of(&r, "(md/3,0)")));
    CHECK_STR(name_of(&r, id_of(&r, "(md/3,0)")), "(md/3,0)");
    open_error(&r, "(md/3,1)/x",
               "Error 22: No such partition: (md/3,1)/x (there is no partition 1 on it)");
    open_error(
        &r, "(md/4)/x",
        "Error 21: Selected disk does not exist: (md/4)/x (no RAID array has this name; there "
        "are (md/3))");
    stop(&r);
}

/* A superblock of 0.90 at the end of a disk whose last partition ends there. */
static void whose_superblock_is_it(void)
{
    struct rig r;
    uint8_t *d;

    start(&r);
    d = add_disk(&r, 4 * MIB);
    memcpy(d + MIB, r.fs, 2 * MIB);
    put_table(d, 2048, 6144); /* 3 MiB, of which the array has 2 */
    put_member(d, 4 * MIB, MD_0_90, 0, 5);
    mounts_as(&r, "(hd0,0)", "(md/3)");
    CHECK(vol_same(vols_resolve(r.vols, id_of(&r, "(hd0)")), id_of(&r, "(hd0)")));
    finds_menu(&r, "(hd0,0)/boot/grub/menu.lst");
    stop(&r);
}

static void volumes_have_names(void)
{
    struct rig r;
    uint8_t *d;

    start(&r);
    d = add_disk(&r, 4 * MIB);
    put_table(d, 2048, 6144);
    gen_pv(d + MIB, id_a, GROUP("vg-a", "vvvvvv", PV_A, "root", ""), 512);
    memcpy(d + 2 * MIB, r.fs, 2 * MIB);
    CHECK_STR(r.log, "");
    mounts_as(&r, "(lvm/vg--a-root)", "(lvm/vg--a-root)");
    mounts_as(&r, "(lvm/vg-a-root)", "(lvm/vg--a-root)");
    CHECK(vols_kind(r.vols, id_of(&r, "(lvm/vg--a-root)").disk) == VOL_LOGICAL);
    devices_are(&r, "(hd0) (lvm/vg--a-root)");
    finds_menu(&r, "(lvm/vg--a-root)/boot/grub/menu.lst");
    open_error(
        &r, "(hd0,0)/x",
        "Error 17: Cannot mount selected partition: (hd0,0)/x (an LVM physical volume of the "
        "group vg-a; its volumes: (lvm/vg--a-root))");
    open_error(
        &r, "(lvm/vg-root)/x",
        "Error 21: Selected disk does not exist: (lvm/vg-root)/x (no logical volume has this "
        "name; there are (lvm/vg--a-root))");
    open_error(&r, "(lvm/vg-a-root,0)/x",
               "Error 22: No such partition: (lvm/vg--a-root,0)/x (there is no partition 0 on it)");
    open_error(&r, "(lvm/vg-a-root)/boot/x",
               "Error 15: File not found: (lvm/vg--a-root)/boot/x (ext2); /boot holds: grub");
    const struct lvm_vg *vg;

    CHECK(vols_is_pv(r.vols, id_of(&r, "(hd0,0)"), &vg));
    CHECK_STR(vg->name, "vg-a");
    CHECK(!vols_is_pv(r.vols, id_of(&r, "(hd0)"), &vg));
    stop(&r);
}

static void plain_names_may_mean_several(void)
{
    struct rig r;
    struct vol_id id;
    size_t used;

    start(&r);
    gen_pv(add_disk(&r, 4 * MIB), id_a, GROUP("a", "vvvvvv", PV_A, "b-c", ""), 512);
    gen_pv(add_disk(&r, 4 * MIB), id_b, GROUP("a-b", "wwwwww", PV_B, "c", ""), 512);
    devices_are(&r, "(hd0) (hd1) (lvm/a-b--c) (lvm/a--b-c)");
    CHECK_ERR(vol_parse(r.vols, "(lvm/a-b-c)", &id, &used), ERR_NO_DISK);
    CHECK_STR(name_of(&r, id_of(&r, "(lvm/a--b-c)")), "(lvm/a--b-c)");
    stop(&r);
}

static void volumes_upon_arrays(void)
{
    struct rig r;

    start(&r);
    for (uint32_t i = 0; i < 2; i++) {
        uint8_t *d = add_disk(&r, 5 * MIB);

        /* Without the array it would be a physical volume by itself. */
        gen_pv(d, id_a, GROUP("vg", "vvvvvv", PV_A, "root", ""), 512);
        memcpy(d + MIB, r.fs, 2 * MIB);
        put_member(d, 5 * MIB, MD_1_0, i, 7);
        /* The volume needs 3 MiB. */
        gen_le64(d + 5 * MIB - 8192 + 80, 3 * MIB / 512);
        gen_md_sum(d + 5 * MIB - 8192, MD_1_0);
    }
    devices_are(&r, "(hd0) (hd1) (md/home) (lvm/vg-root)");
    mounts_as(&r, "(lvm/vg-root)", "(lvm/vg-root)");
    finds_menu(&r, "(lvm/vg-root)/boot/grub/menu.lst");
    CHECK(strstr(r.log, "a copy of another") == NULL);
    open_error(&r, "(hd1)/x",
               "Error 17: Cannot mount selected partition: (hd1)/x (an LVM physical volume of the "
               "group vg; its volumes: (lvm/vg-root))");
    stop(&r);
}

static void old_labels_under_tables_are_no_volumes(void)
{
    struct rig r;
    uint8_t *d;

    start(&r);
    d = add_disk(&r, 4 * MIB);
    gen_pv(d, id_a, GROUP("vg", "vvvvvv", PV_A, "root", ""), 512);
    put_table(d, 2048, 4096);
    memcpy(d + MIB, r.fs, 2 * MIB);
    devices_are(&r, "(hd0)");
    mounts_as(&r, "(hd0,0)", "(hd0,0)");
    stop(&r);
}

static void disks_that_fail_are_said(void)
{
    struct rig r;

    start(&r);
    add_disk(&r, 4 * MIB);
    gen_pv(add_disk(&r, 4 * MIB), id_a, GROUP("vg", "vvvvvv", PV_A, "root", ""), 512);
    r.disks[0].fail_off_bytes = 0;
    devices_are(&r, "(hd0) (hd1) (lvm/vg-root)");
    said(&r,
         "Error 25: Disk read error: (hd0) (its start: no RAID and no LVM is looked for on it)");
    stop(&r);
}

static void empty_groups_are_said(void)
{
    struct rig r;

    start(&r);
    gen_pv(add_disk(&r, 4 * MIB), id_a, NULL, 0);
    open_error(&r, "(hd0)/x",
               "Error 17: Cannot mount selected partition: (hd0)/x (an LVM physical volume that "
               "belongs to no volume group)");
    open_error(&r, "(lvm/a-b)/x",
               "Error 21: Selected disk does not exist: (lvm/a-b)/x (no logical volume has this "
               "name; there is none)");
    stop(&r);
}

int main(void)
{
    RUN(a_plain_disk_costs_few_reads);
    RUN(members_mean_their_array);
    RUN(partitions_in_arrays);
    RUN(whose_superblock_is_it);
    RUN(volumes_have_names);
    RUN(plain_names_may_mean_several);
    RUN(volumes_upon_arrays);
    RUN(old_labels_under_tables_are_no_volumes);
    RUN(disks_that_fail_are_said);
    RUN(empty_groups_are_said);
    return test_done();
}
