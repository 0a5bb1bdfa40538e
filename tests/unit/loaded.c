/* SPDX-License-Identifier: MIT */
#include "tests/unit/loaded.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "tests/unit/support.h"

#define PATTERN 0xee

static void note_line(void *ctx, const char *text)
{
    char *said = ctx;

    strncat(said, text, 4000 - strlen(said));
    strcat(said, "\n");
}

static struct err load_symtab(struct loaded *l)
{
    uint64_t end = l->img.symtab.paddr + l->img.symtab.bytes;
    size_t kernel_bytes = l->mem_bytes;

    l->mem_bytes = (size_t)(end - l->img.pstart);
    l->mem = realloc(l->mem, l->mem_bytes);
    memset(l->mem + kernel_bytes, PATTERN, l->mem_bytes - kernel_bytes);
    return image_load_symtab(&l->img, l->mem);
}

struct err load_image(struct loaded *l, struct bytes file, enum image_width want, uint32_t offered)
{
    struct log log = {.ctx = l->said, .line = note_line};

    memset(l, 0, sizeof(*l));
    mem_file_init(&l->file, file.data, file.len);
    arena_init(&l->arena, &test_memory);
    TRY(image_open(&l->img, &l->file.file, &l->arena, want, &log));
    l->mem_bytes = (size_t)(l->img.pend - l->img.pstart);
    l->mem = malloc(l->mem_bytes);
    memset(l->mem, PATTERN, l->mem_bytes);
    struct err e = image_load(&l->img, l->mem, offered);

    if (!failed(e) && l->img.symtab.bytes != 0)
        e = load_symtab(l);
    image_close(&l->img);
    image_close(&l->img);
    l->open_bytes = l->arena.used_bytes;
    return e;
}

void unload_image(struct loaded *l)
{
    free(l->mem);
    arena_reset(&l->arena);
    mem_file_free(&l->file);
}

bool memory_is(const struct loaded *l, struct bytes elf, const struct gen_elf *g)
{
    size_t kernel_bytes =
        l->img.symtab.bytes != 0 ? (size_t)(l->img.symtab.paddr - l->img.pstart) : l->mem_bytes;
    uint8_t *want = calloc(1, kernel_bytes);

    for (uint32_t i = 0; i < g->nr_segments; i++) {
        const struct image_segment *s = &g->segments[i];

        if (s->mem_bytes > 0)
            memcpy(want + (s->paddr - l->img.pstart), elf.data + s->file_off_bytes,
                   (size_t)s->file_bytes);
    }
    bool same = memcmp(want, l->mem, kernel_bytes) == 0;

    free(want);
    return same;
}

bool refused_as(struct err e, enum err_code code, const char *words)
{
    char text[512];

    err_format(e, "vmlinuz", text, sizeof(text));
    if (e.code == code && strstr(text, words) != NULL)
        return true;
    printf("  got:      %s\n  expected: code %d, \"%s\"\n", text, (int)code, words);
    return false;
}
