/* SPDX-License-Identifier: MIT */
/* core/disk/lvm: where the bytes of a logical volume are written to, and where not. */
#include "core/disk/lvm.h"
#include "tests/unit/support.h"
#include "tests/unit/test.h"

#define EXTENT ((uint64_t)4096)
#define START  ((uint64_t)8192)

#define PV(name, c)                                                                                \
    name " {\nid = \"" c c c c c c "-" c c c c "-" c c c c "-" c c c c "-" c c c c "-" c c c c     \
         "-" c c c c c c "\"\npe_start = 16\npe_count = 100\n}\n"
#define LV(name, status, type, more)                                                               \
    name " {\nstatus = [\"READ\", " status "\"VISIBLE\"]\nsegment1 {\nstart_extent = 0\n"          \
         "extent_count = 6\ntype = \"" type "\"\n" more "\n}\n}\n"
#define ON(pv, extent) "stripe_count = 1\nstripes = [\"" pv "\", " extent "]"

#define TEXT(group_status)                                                                         \
    "vg {\nid = \"vvvvvv-vvvv-vvvv-vvvv-vvvv-vvvv-vvvvvv\"\nseqno = 1\nextent_size = 8\n"          \
    "status = [\"READ\"" group_status "]\nphysical_volumes {\n" PV("pv0", "a")                     \
        PV("pv1", "b") "}\nlogical_volumes {\n" LV("plain", "\"WRITE\", ", "striped",              \
                                                   ON("pv1", "10"))                                \
            LV("stripes", "\"WRITE\", ", "striped",                                                \
               "stripe_count = 2\nstripe_size = 2\nstripes = [\"pv1\", 4, \"pv0\", 8]")            \
                LV("mirror", "\"WRITE\", ", "mirror",                                              \
                   "mirror_count = 2\nmirrors = [\"pv0\", 20, \"pv1\", 20]")                       \
                    LV("upon", "\"WRITE\", ", "striped", ON("plain", "0"))                         \
                        LV("locked", "", "striped", ON("pv1", "50"))                               \
                            LV("origin", "\"WRITE\", ", "striped", ON("pv1", "60"))                \
                                LV("store", "\"WRITE\", ", "striped", ON("pv1", "70"))             \
                                    LV("link", "\"WRITE\", ", "snapshot",                          \
                                       "chunk_size = 8\norigin = \"origin\"\n"                     \
                                       "cow_store = \"store\"") "}\n}\nversion = 1\n"

static struct mem_disk disks[2];
static struct arena arena;
static struct lvm_vg *vg;

static void read_group(const char *text)
{
    struct lvm_node *root;

    CHECK_OK(lvm_text_parse(text, strlen(text), &arena, &root));
    CHECK_OK(lvm_vg_read(root, &arena, &vg));
    for (uint32_t i = 0; i < 2; i++) {
        mem_disk_init(&disks[i], NULL, START + 100 * EXTENT, 512);
        vg->pvs[i].disk = &disks[i].disk;
    }
}

/* Where byte off of the volume is written; on disk UINT32_MAX: refused with `why`. */
static void check_place(const char *name, uint64_t off, uint32_t disk, uint64_t extent, uint64_t at,
                        const char *why)
{
    struct disk *d = NULL, *device = NULL;
    uint64_t got = 0;
    struct err e;

    for (uint32_t i = 0; i < vg->nr_lvs; i++) {
        if (strcmp(vg->lvs[i].name, name) == 0)
            CHECK_OK(lvm_open(&vg->lvs[i], &d));
    }
    CHECK(d != NULL);
    if (d == NULL)
        return;
    e = disk_place(d, off, &device, &got);
    if (disk == UINT32_MAX) {
        CHECK_ERR(e, ERR_REFUSED);
        CHECK(e.msg != NULL && strstr(e.msg, why) != NULL);
        return;
    }
    CHECK_OK(e);
    CHECK(device == &disks[disk].disk);
    CHECK_U64(got, START + extent * EXTENT + at);
}

static void places(void)
{
    arena_init(&arena, &test_memory);
    read_group(TEXT(", \"WRITE\""));
    check_place("plain", EXTENT + 700, 1, 11, 700, NULL);
    check_place("plain", 6 * EXTENT - 1, 1, 15, EXTENT - 1, NULL);
    check_place("stripes", 0, 1, 4, 0, NULL);
    check_place("stripes", 1024 + 5, 0, 8, 5, NULL);
    check_place("stripes", 2048, 1, 4, 1024, NULL);
    check_place("mirror", 0, UINT32_MAX, 0, 0, "mirrored");
    check_place("upon", 0, UINT32_MAX, 0, 0, "lies on other volumes");
    check_place("locked", 0, UINT32_MAX, 0, 0, "read-only");
    check_place("origin", 0, UINT32_MAX, 0, 0, "has snapshots");
    arena_reset(&arena);
}

static void a_group_that_is_only_read(void)
{
    arena_init(&arena, &test_memory);
    read_group(TEXT(""));
    check_place("plain", 0, UINT32_MAX, 0, 0, "read-only");
    arena_reset(&arena);
}

int main(void)
{
    RUN(places);
    RUN(a_group_that_is_only_read);
    return test_done();
}
