/* SPDX-License-Identifier: MIT */
/*
 * Fuzz LVM. The first byte chooses: 0 the rest is the text of a group, whose volumes are opened and
 * read over three small disks; 1 the rest lies over a physical volume's start, checksums mended;
 * 2 the same with the checksums as they are.
 */
#include <stdio.h>
#include <stdlib.h>

#include "core/base/bytes.h"
#include "core/base/crc32.h"
#include "core/disk/lvm.h"
#include "tests/fuzz/must.h"
#include "tests/fuzz/seeds.h"
#include "tests/unit/support.h"
#include "tests/unit/volgen.h"

#define DISK_BYTES ((size_t)256 << 10)
#define NR_DISKS   3
#define READS_MAX  64

int LLVMFuzzerInitialize(int *argc, char ***argv);
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static uint8_t *disks[NR_DISKS];

/* clang-format off */
#define PV(name, c, C)                                                                             \
    name " {\nid = \"" C C C C C C "-" c c c c "-" c c c c "-" c c c c "-" c c c c "-" c c c c     \
         "-" c c c c c c "\"\npe_start = 128\npe_count = 40\n}\n"
#define SEG(name, type, count, more)                                                               \
    name " {\nstatus = [\"READ\", \"VISIBLE\"]\nsegment1 {\nstart_extent = 0\nextent_count = "     \
         count "\ntype = \"" type "\"\n" more "\n}\n}\n"

static const char text[] =
    "vg {\nid = \"vvvvvv-vvvv-vvvv-vvvv-vvvv-vvvv-vvvvvv\"\nseqno = 3\nextent_size = 8\n"
    "status = [\"READ\"]\nphysical_volumes {\n"
    PV("pv0", "a", "A")
    PV("pv1", "b", "B")
    PV("pv2", "c", "C")
    "}\nlogical_volumes {\n"
    SEG("lin", "striped", "4", "stripe_count = 1\nstripes = [\"pv0\", 3]")
    SEG("str", "striped", "6",
        "stripe_count = 3\nstripe_size = 2\nstripes = [\"pv2\", 4, \"lin\", 0, \"pv1\", 0]")
    SEG("mir", "mirror", "2", "mirror_count = 2\nmirrors = [\"lin\", 1, \"str\", 0]")
    SEG("rai", "raid1", "2",
        "device_count = 2\nraids = [\"lin\", \"str\", \"lin\", \"mir\"]")
    SEG("snapshot0", "snapshot", "2", "origin = \"str\"\ncow_store = \"lin\"")
    SEG("thin", "thin", "2", "x = 1")
    "}\n}\nversion = 1\n";
/* clang-format on */

int LLVMFuzzerInitialize(int *argc, char ***argv)
{
    const char *folder = seed_folder(*argc, *argv);
    uint8_t zero = 0, one = 1, *pv = calloc(1, GEN_AREA_OFF + GEN_AREA_BYTES);
    struct bytes head = {.data = &zero, .len = 1};

    for (size_t i = 0; i < NR_DISKS; i++) {
        disks[i] = aligned_alloc(4096, DISK_BYTES);
        for (size_t k = 0; k < DISK_BYTES; k++)
            disks[i][k] = (uint8_t)(k / 512 + i);
    }
    seed(folder, 0, head, (struct bytes){.data = (uint8_t *)(uintptr_t)text, .len = sizeof(text)});
    gen_pv(pv, "AAAAAAaaaaaaaaaaaaaaaaaaaaaaaaaa", text, 512);
    head.data = &one;
    seed(folder, 1, head, (struct bytes){.data = pv, .len = GEN_AREA_OFF + 4096});
    free(pv);
    return 0;
}

/* Read the volume here and there. */
static void read_volume(struct disk *d)
{
    static _Alignas(4096) uint8_t buf[16384];
    uint64_t step = d->size_bytes / READS_MAX + 1;

    must(d->size_bytes > 0 && d->sector_bytes == 512, "a volume's size");
    for (uint64_t off = 0; off < d->size_bytes; off += step)
        (void)!failed(disk_read(d, off, buf, min_u64(sizeof(buf), d->size_bytes - off)));
    (void)!failed(disk_read(d, d->size_bytes - 1, buf, 1));
}

static void open_group(struct lvm_vg *vg, struct disk *const *on)
{
    for (uint32_t i = 0; i < vg->nr_pvs; i++) {
        if (vg->pvs[i].id[0] != 'D')
            vg->pvs[i].disk = on[(uint8_t)vg->pvs[i].id[0] % NR_DISKS];
    }
    for (uint32_t i = 0; i < vg->nr_lvs; i++) {
        struct disk *d = NULL;
        char name[300];

        (void)!lvm_full_name(&vg->lvs[i], name, sizeof(name));
        struct err e = lvm_open(&vg->lvs[i], &d);

        must(failed(e) == (d == NULL), "a disk or an error");
        must(!failed(e) || e.msg != NULL, "a sentence");
        if (!failed(e))
            read_volume(d);
    }
}

static void one_text(const uint8_t *data, size_t size, struct arena *a, struct disk *const *on)
{
    char *copy = malloc(size + 1); /* the sanitizer sees a read past it */
    struct lvm_node *root;
    struct lvm_vg *vg;

    memcpy(copy, data, size);
    if (!failed(lvm_text_parse(copy, size, a, &root)) && !failed(lvm_vg_read(root, a, &vg)))
        open_group(vg, on);
    free(copy);
}

static void mend(uint8_t *pv)
{
    uint8_t *area = pv + GEN_AREA_OFF;
    uint64_t off = le64(area + 40), len = le64(area + 48);

    gen_label_sum(pv, 1);
    if (in_range(off, len, GEN_AREA_BYTES))
        gen_le32(area + 56, crc32_ieee(0xf597a6cf, area + off, (size_t)len));
    gen_area_sum(pv);
}

static void one_disk(const uint8_t *data, size_t size, bool mended, struct arena *a,
                     struct disk *const *on)
{
    static _Alignas(4096) uint8_t pv[DISK_BYTES];
    struct mem_disk m;
    struct lvm_label label;
    struct lvm lvm;

    memset(pv, 0, sizeof(pv));
    memcpy(pv, data, min_u64(size, sizeof(pv)));
    if (mended)
        mend(pv);
    mem_disk_init(&m, pv, sizeof(pv), 512);
    if (failed(lvm_label_read(pv, &label)))
        return;
    must(label.nr_areas <= LVM_AREAS_MAX, "areas");
    lvm_init(&lvm, a, NULL);
    (void)!failed(lvm_add(&lvm, &m.disk, &label));
    (void)!failed(lvm_finish(&lvm));
    for (struct lvm_vg *vg = lvm.vgs; vg != NULL; vg = vg->next)
        open_group(vg, on);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct mem_disk m[NR_DISKS];
    struct disk *on[NR_DISKS];
    struct arena a;

    if (size < 1)
        return 0;
    arena_init(&a, &test_memory);
    for (size_t i = 0; i < NR_DISKS; i++) {
        mem_disk_init(&m[i], disks[i], DISK_BYTES, 512);
        on[i] = &m[i].disk;
    }
    if (data[0] % 3 == 0)
        one_text(data + 1, size - 1, &a, on);
    else
        one_disk(data + 1, size - 1, data[0] % 3 == 1, &a, on);
    arena_reset(&a);
    return 0;
}
