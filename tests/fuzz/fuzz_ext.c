/* SPDX-License-Identifier: MIT */
/* Fuzz the ext2/3/4 reader, from mount to file content; see visit.h for what an input is. */
#include <stdio.h>

#include "core/base/bytes.h"
#include "tests/fuzz/visit.h"
#include "tests/unit/extdir.h"
#include "tests/unit/mkfs.h"

static const char *const kinds[] = {
    "-t ext2 -b 1024 -I 128",
    "-t ext4 -b 1024 -O ^metadata_csum,^64bit,^has_journal -I 128",
    "-t ext4 -b 2048 -O ^metadata_csum,64bit,^has_journal -I 256",
    "-t ext4 -b 1024 -O metadata_csum,64bit,^has_journal",
    "-t ext4 -b 1024 -O ^metadata_csum,inline_data,^has_journal -I 256",
    "-t ext4 -b 1024 -g 256 -O ^metadata_csum,^uninit_bg,meta_bg,^resize_inode,^has_journal",
};
#define NR_KINDS ARRAY_LEN(kinds)

/* With a large directory and its index; the second one without case. */
static const char *const indexed[][2] = {
    {"-t ext4 -b 1024 -O ^metadata_csum,large_dir,^has_journal", ""},
    {"-t ext4 -b 1024 -O ^metadata_csum,casefold,^has_journal -E "
     "encoding=utf8,encoding_flags=strict",
     "set_inode_field /big flags 0x40080000"},
};
#define NR_IMAGES (NR_KINDS + ARRAY_LEN(indexed))

static struct fuzz_image images[NR_IMAGES];

int LLVMFuzzerInitialize(int *argc, char ***argv);
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static size_t name_of(char *name, unsigned i)
{
    return (size_t)sprintf(name, i == 2 ? "f2" : i % 2 != 0 ? "\u00c9t\u00c9-%u" : "name-%u", i);
}

int LLVMFuzzerInitialize(int *argc, char ***argv)
{
    static uint8_t some[30000];
    size_t len;

    (void)argc;
    (void)argv;
    put_file("tree/dir/f1", some, 3);
    put_file("tree/dir/f2", some, sizeof(some));
    run("cd tree; ln -s dir/f1 link; ln -s .. dir/up; ln -s $(printf 'dir/../%%.0s' $(seq 12))link "
        "slow; ln -s /dir up; mkdir -p a/b/c; truncate -s 70M a/sparse; "
        "for i in 0 1 5 9 13 20 40 270 300 3000 66000; do printf x | dd of=a/sparse bs=1024 "
        "seek=$i conv=notrunc 2>/dev/null; done; for i in $(seq 50); do echo > a/b/name-$i; done");
    for (size_t i = 0; i < NR_KINDS; i++) {
        char options[200];

        snprintf(options, sizeof(options), "%s -N 96", kinds[i]);
        uint8_t *data = make_ext(options, "tree", "512k", &len);

        fuzz_image_init(&images[i], data, len);
    }
    for (size_t i = 0; i < ARRAY_LEN(indexed); i++) {
        uint8_t *data = make_ext_dir(indexed[i][0], "half_md4", 1, indexed[i][1], name_of, 500,
                                     1024, "1M", &len);

        fuzz_image_init(&images[NR_KINDS + i], data, len);
    }
    drop_temp_dir(); /* libFuzzer does not end by exit() */
    return 0;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    fuzz_images(images, NR_IMAGES, data, size);
    return 0;
}
