/* SPDX-License-Identifier: MIT */
/* A block list is a file system of its own, with one file: its runs are what the name says. */
#include "core/fs/blocklist.h"

#include <string.h>

#include "core/base/bytes.h"
#include "core/base/text.h"

#define UNIT_BYTES 512u

struct blocklist {
    struct fs fs;
    uint32_t nr;
    struct run runs[BLOCKLIST_PIECES_MAX];
};

static bool is_digit(char c)
{
    return c >= '0' && c <= '9';
}

bool blocklist_is(const char *name)
{
    return name[0] == '+' || is_digit(name[0]);
}

/* A number at *s, which moves behind it. False when there is none, or one that is too large. */
static bool number(const char **s, uint64_t *out)
{
    size_t len = 0;

    while (is_digit((*s)[len]))
        len++;
    if (!text_parse_u64(*s, len, out) || *out > UINT64_MAX / UNIT_BYTES)
        return false;
    *s += len;
    return true;
}

static struct err parse_piece(struct blocklist *b, const char **s, uint64_t *size_bytes)
{
    static const char sentence[] = "a block list is [OFFSET]+LENGTH, with a comma between pieces";
    uint64_t off = 0, len;

    if (**s != '+' && !number(s, &off))
        return ERR(ERR_BAD_FILENAME, sentence);
    if (**s != '+')
        return ERR(ERR_BAD_FILENAME, sentence);
    (*s)++;
    if (!number(s, &len) || len == 0)
        return ERR(ERR_BAD_FILENAME, sentence);
    if (!in_range(off * UNIT_BYTES, len * UNIT_BYTES, b->fs.disk->size_bytes))
        return ERR2(ERR_OUTSIDE_PART, "sectors %a+%b of the block list", off, len);
    if (b->nr == BLOCKLIST_PIECES_MAX)
        return ERR1(ERR_LIMIT, "a block list of more than %a pieces", BLOCKLIST_PIECES_MAX);
    b->runs[b->nr++] = (struct run){.kind = RUN_DISK,
                                    .file_off_bytes = *size_bytes,
                                    .len_bytes = len * UNIT_BYTES,
                                    .disk_off_bytes = off * UNIT_BYTES};
    /* Each piece lies on the disk, and there are few: this cannot wrap in practice, but check. */
    if (!add_u64(*size_bytes, len * UNIT_BYTES, size_bytes))
        return ERR(ERR_LIMIT, "a block list of more than 2^64 bytes");
    return OK;
}

static struct err blocklist_map(struct fs *fs, struct node *n, uint64_t off_bytes, struct run *out)
{
    const struct blocklist *b = fs->priv;

    (void)n;
    for (uint32_t i = 0; i < b->nr; i++) {
        if (off_bytes - b->runs[i].file_off_bytes < b->runs[i].len_bytes) {
            *out = b->runs[i];
            return OK;
        }
    }
    return ERR1(ERR_FILELENGTH, "byte %a was asked for past the end of a block list", off_bytes);
}

/* Only reading: nothing walks or lists a block list. */
static const struct fs_ops blocklist_ops = {.name = "block list", .map = blocklist_map};

struct err blocklist_open(struct file *f, struct disk *disk, const char *list, struct arena *a)
{
    struct blocklist *b = arena_alloc(a, sizeof(*b));
    uint64_t size = 0;
    const char *s = list;

    if (b == NULL)
        return arena_exhausted("a block list of %a bytes", sizeof(*b));
    b->fs = (struct fs){.ops = &blocklist_ops, .disk = disk, .arena = a, .priv = b};
    memcpy(b->fs.describe, "block list", sizeof("block list"));
    TRY(parse_piece(b, &s, &size));
    while (*s == ',') {
        s++;
        TRY(parse_piece(b, &s, &size));
    }
    if (*s != '\0')
        return ERR(ERR_BAD_FILENAME, "something follows the block list");
    *f = (struct file){.fs = &b->fs, .path = list};
    f->node = (struct node){.ino = 1, .type = NODE_FILE, .mode = 0100444, .size_bytes = size};
    return OK;
}
