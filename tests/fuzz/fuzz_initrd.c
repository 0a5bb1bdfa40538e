/* SPDX-License-Identifier: MIT */
/* Fuzz the look at an initrd: rows of cpio archives, bare and compressed. The input is the file. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "host/inspect.h"
#include "tests/fuzz/seeds.h"
#include "tests/unit/memfile.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);
int LLVMFuzzerInitialize(int *argc, char ***argv);

static void must(bool cond, const char *what)
{
    if (cond)
        return;
    fprintf(stderr, "not true: %s\n", what);
    abort();
}

/* Microcode's bare archive, then a compressed one. */
int LLVMFuzzerInitialize(int *argc, char ***argv)
{
    static const char *const commands[] = {"cat", "gzip -n -c", "xz -c", "zstd -q -c"};
    const char *folder = seed_folder(*argc, *argv);
    char names[] = "/dev/null\n";
    struct bytes none = {0};
    struct bytes bare = through_command(
        "cpio -o -H newc --quiet", (struct bytes){.data = (uint8_t *)names, .len = strlen(names)});

    for (unsigned i = 0; i < sizeof(commands) / sizeof(commands[0]); i++) {
        struct bytes packed = through_command(commands[i], bare);

        seed(folder, 2 * i, packed, none);
        seed(folder, 2 * i + 1, bare, packed);
        bytes_free(&packed);
    }
    bytes_free(&bare);
    return 0;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static struct report r;
    struct mem_file m;
    struct arena a;

    arena_init(&a, &test_memory);
    mem_file_init(&m, data, size);
    r = (struct report){.arena = &a};
    struct initrd_report in = inspect_initrd(&r, "/initrd", &m.file);

    must(in.what != NULL && in.size_bytes == size, "a report");
    must(!failed(in.error), "a file in memory is readable");
    must(in.problem == NULL || in.problem[0] != '\0', "a problem has a sentence");
    mem_file_free(&m);
    arena_reset(&a);
    return 0;
}
