/* SPDX-License-Identifier: MIT */
/*
 * Fuzz md. The first byte chooses the versions of two members; the rest are patches of their
 * superblocks, 4 bytes each: which and where (2 bytes), what, and how often. The checksums are
 * mended, unless the first byte's highest bit is set.
 */
#include <stdio.h>
#include <stdlib.h>

#include "core/base/bytes.h"
#include "core/disk/md.h"
#include "tests/fuzz/must.h"
#include "tests/unit/support.h"
#include "tests/unit/volgen.h"

#define DISK_BYTES ((size_t)256 << 10)
#define NR_DISKS   2

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static const uint16_t roles[] = {0, 1, 0xffff};

/* Write a good member; where its superblock is. */
static uint8_t *make(uint8_t *disk, enum md_version version, uint32_t number)
{
    struct gen_md md = {.version = version,
                        .name = version == MD_0_90 ? "7" : "host:name",
                        .uuid = 1,
                        .events = 40,
                        .level = 1,
                        .nr_disks = 2,
                        .number = number,
                        .roles = roles,
                        .nr_roles = 3,
                        .data_off_bytes = version == MD_1_0 || version == MD_0_90 ? 0 : 16384,
                        .size_bytes = 65536};

    memset(disk, 'a' + (int)number, DISK_BYTES);
    return disk + gen_md(disk, DISK_BYTES, &md);
}

static void mend(uint8_t *super, enum md_version version)
{
    if (version == MD_0_90 || le32(super + 220) <= (MD_SUPER_BYTES - 256) / 2)
        gen_md_sum(super, version);
}

static void check_array(struct md_array *a)
{
    static _Alignas(4096) uint8_t buf[8192];

    must(a->name[0] != '\0' && memchr(a->name, '\0', sizeof(a->name)) != NULL, "a name");
    must(failed(a->bad) == (a->disk == NULL), "a disk or an error");
    if (failed(a->bad))
        return;
    must(a->nr_used >= 1 && a->nr_used <= NR_DISKS, "members");
    must(a->disk->size_bytes > 0 && a->disk->size_bytes <= DISK_BYTES, "a size");
    for (uint64_t off = 0; off < a->disk->size_bytes; off += sizeof(buf))
        must(!failed(disk_read(a->disk, off, buf, min_u64(sizeof(buf), a->disk->size_bytes - off))),
             "a read");
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static _Alignas(4096) uint8_t disks[NR_DISKS][DISK_BYTES], pages[MD_PROBE_BYTES];
    struct md_member *members = NULL, **end = &members;
    enum md_version versions[NR_DISKS];
    uint8_t *supers[NR_DISKS];
    struct mem_disk m[NR_DISKS];
    struct md_array *arrays;
    struct arena a;

    if (size < 1)
        return 0;
    for (uint32_t i = 0; i < NR_DISKS; i++) {
        versions[i] = (enum md_version)(data[0] >> (2 * i) & 3);
        supers[i] = make(disks[i], versions[i], i);
    }
    for (size_t at = 1; at + 4 <= size; at += 4) {
        size_t where = le16(data + at);
        uint8_t *super = supers[where >> 15];

        for (size_t i = where & 4095; i < MD_SUPER_BYTES && i <= (where & 4095) + data[at + 3] % 8;
             i++)
            super[i] = data[at + 2];
    }
    arena_init(&a, &test_memory);
    for (uint32_t i = 0; i < NR_DISKS; i++) {
        if (!(data[0] & 0x80))
            mend(supers[i], versions[i]);
        mem_disk_init(&m[i], disks[i], DISK_BYTES, 512);
        if (!failed(md_probe(&m[i].disk, pages, &a, end)))
            end = &(*end)->next;
    }
    must(!failed(md_arrays(members, &a, NULL, &arrays)), "arrays");
    for (; arrays != NULL; arrays = arrays->next)
        check_array(arrays);
    arena_reset(&a);
    return 0;
}
