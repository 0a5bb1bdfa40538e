/* SPDX-License-Identifier: MIT */
/*
 * Directories without case. That the tables are Unicode's is tested with Python's, an independent
 * copy; that names are folded as in ext4, with e2fsck's index and e2fsprogs' hash.
 */
#include <stdlib.h>

#include "core/base/bytes.h"
#include "core/fs/ext.h"
#include "core/fs/ext_edits.h"
#include "core/fs/fold.h"
#include "tests/unit/extdir.h"
#include "tests/unit/mkfs.h"
#include "tests/unit/support.h"
#include "tests/unit/test.h"

static struct fold_work work;
static uint8_t folded[FOLD_BYTES_MAX];
static size_t folded_len;

static bool fold(const char *name)
{
    return fold_name(&work, name, strlen(name), folded, &folded_len);
}

static void names_are_folded(void)
{
    static const struct {
        const char *name, *folded;
    } cases[] = {
        {"", ""},
        {"VMLinuz-6.1_X", "vmlinuz-6.1_x"},
        {"\u00c9t\u00e9", "e\u0301te\u0301"},
        {"e\u0301", "e\u0301"},
        {"Stra\u00dfe", "strasse"},
        {"\u1e9e", "ss"},
        {"\ufb03", "ffi"},
        {"\u0130", "i\u0307"},
        {"\u03a3\u03c2\u03c3", "\u03c3\u03c3\u03c3"},
        {"\u212b", "a\u030a"}, /* the sign for Angstrom */
        {"\u1f82", "\u03b1\u0313\u0300\u03b9"},
        {"\u0390", "\u03b9\u0308\u0301"},
        {"\ud55c\uae00", "\u1112\u1161\u11ab\u1100\u1173\u11af"},
        {"\uac00", "\u1100\u1161"},
        {"\uf900", "\u8c48"},
        {"\U0001d160", "\U0001d158\U0001d165\U0001d16e"},
        {"\U00010400", "\U00010428"},
        /* combining characters in the order of their classes; an ignored one between them */
        {"a\u0301\u0323", "a\u0323\u0301"},
        {"a\u0323\u0301", "a\u0323\u0301"},
        {"a\u0301\u034f\u0323", "a\u0301\u0323"},
        {"\u1e69", "s\u0323\u0307"},
        {"\u0315\u0300\u05ae", "\u05ae\u0300\u0315"},
        {"a\u00adb\u200bc\ufeff", "abc"},
        {"\u200d", ""},
        {"\U000e0fff", ""},
        /* younger than Unicode 12.1: a letter of 14.0, a combining character of 13.0 */
        {"\ua7c0", "\ua7c0"},
        {"\u0323\u1abf", "\u0323\u1abf"},
        {"\u0301\u1abf\u0323", "\u0301\u1abf\u0323"},
        /* not quite UTF-8 */
        {"A\x80", "a\x80"},
        {"\u00e9\xbf\x80", "e\xbf\x80\u0301\xbf\x80"},
        {"a\u0301\x80", "a\x80\u0301\x80"},
    };

    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        CHECK(fold(cases[i].name));
        folded[folded_len] = '\0';
        CHECK_STR((char *)folded, cases[i].folded);
    }
}

static void others_are_not(void)
{
    static const char *const bad[] = {
        "\x80",
        "\xff",
        "\xc0\x80",
        "\xc1\xbf",
        "\xe0\x9f\xbf",
        "\xed\xa0\x80",
        "\xf0\x8f\xbf\xbf",
        "\xf4\x90\x80\x80",
        "\xf8\x88\x80\x80",
        "a\xc3",
        "\xe6\xbc",
        "\xc3(",
        "\xf0\x9f\x98",
        "\xe6\xbc(",
        "\xfe",
    };
    char name[300];

    for (size_t i = 0; i < ARRAY_LEN(bad); i++)
        CHECK(!fold(bad[i]));
    memset(name, 'A', 256);
    name[256] = '\0';
    CHECK(!fold(name));
    name[255] = '\0';
    CHECK(fold(name) && folded_len == 255);
    /* The most that 255 bytes become. */
    for (size_t i = 0; i < 255; i += 3)
        memcpy(name + i, "\u0ddd", 3);
    CHECK(fold(name) && folded_len == 765);
    /* 60 classes, and bytes that come out with each of them. */
    memset(name, 0x80, 255);
    for (size_t i = 0; i < 40; i++)
        memcpy(name + 2 * i, (const char[]){(char)0xd6, (char)(0xb0 + i % 14)}, 2);
    CHECK(fold(name) && folded_len < FOLD_BYTES_MAX);
}

/* Python knows Unicode, too: all code points of it that both call assigned. */
static void tables_are_unicode(void)
{
    size_t len;

    run("%s",
        "python3 - >all <<'EOF'\n"
        "import sys, unicodedata as u\n"
        "skip = {0xad, 0x34f, 0x61c, 0x115f, 0x1160, 0x17b4, 0x17b5, 0x3164, 0xfeff, 0xffa0}\n"
        "old = lambda c: c < 0x300 or c in range(0x370, 0x1ab0) or c in range(0x1e00, 0x20c0) "
        "or c in range(0x2100, 0x2c00) or c in range(0x3000, 0xa640) or "
        "c in range(0xac00, 0xfe00) or c in range(0x2f800, 0x2fa1e) or c in range(0x10400, "
        "0x10500)\n"
        "for c in range(1, 0x30000):\n"
        "    if not old(c) or c in skip or u.category(chr(c)) in ('Cn', 'Cs', 'Cf', 'Mn'): "
        "continue\n"
        "    s = chr(c)\n"
        "    sys.stdout.buffer.write(s.encode() + b'\\0' + "
        "u.normalize('NFD', s.casefold()).encode() + b'\\0')\n"
        "EOF\n");
    char *all = (char *)get_file("all", &len);
    size_t nr = 0;

    for (char *at = all; at < all + len; nr++) {
        const char *want = at + strlen(at) + 1;

        CHECK(fold(at));
        folded[folded_len] = '\0';
        CHECK_STR((char *)folded, want);
        at = (char *)want + strlen(want) + 1;
    }
    CHECK(nr > 50000);
    free(all);
}

struct opened {
    struct mem_disk disk;
    struct arena arena;
    struct fs fs;
    char said[300];
};

static void hear(void *ctx, const char *text)
{
    struct opened *o = ctx;

    snprintf(o->said + strlen(o->said), sizeof(o->said) - strlen(o->said), "%s\n", text);
}

static struct err open_image(struct opened *o, uint8_t *data, size_t len)
{
    static struct log log;

    *o = (struct opened){.said = ""};
    log = (struct log){.ctx = o, .line = hear};
    arena_init(&o->arena, &test_memory);
    mem_disk_init(&o->disk, data, len, 512);
    return fs_mount(&o->fs, &o->disk.disk, &o->arena, &log);
}

static size_t name_of(char *name, unsigned i)
{
    return (size_t)sprintf(name, i % 3 == 0 ? "\u00c9t\u00c9-%05u" : "Stra\u00dfe-%05u", i);
}

static size_t other_name(char *name, unsigned i)
{
    return (size_t)sprintf(name, i % 3 == 0 ? "e\u0301T\u00e9-%05u" : "sTRASSE\u200b-%05u", i);
}

#define NR_NAMES 5000u

static uint8_t *make_image(const char *encoding_flags, size_t *len)
{
    char options[200];

    snprintf(options, sizeof(options),
             "-t ext4 -b 1024 -O casefold,^metadata_csum,^has_journal -E encoding=utf8%s",
             encoding_flags);
    return make_ext_dir(options, "half_md4", 1, "set_inode_field /big flags 0x40080000", name_of,
                        NR_NAMES, 1024, "40M", len);
}

static void names_are_found_without_case(void)
{
    struct opened o;
    struct node n;
    size_t len;
    uint8_t *data = make_image(",encoding_flags=strict", &len);
    char name[256];

    CHECK_OK(open_image(&o, data, len));
    CHECK_OK(fs_walk(&o.fs, &o.arena, "/big", &n, NULL));
    CHECK_ERR(fs_walk(&o.fs, &o.arena, "/Big", &(struct node){0}, NULL), ERR_FILE_NOT_FOUND);
    uint32_t before = o.disk.nr_reads;

    for (unsigned i = 0; i < NR_NAMES; i++) {
        for (int other = 0; other < 2; other++) {
            uint64_t ino = 0;
            size_t n_len = other ? other_name(name, i) : name_of(name, i);

            CHECK_OK(o.fs.ops->lookup(&o.fs, &n, name, n_len, &ino));
            CHECK_U64(ino, EXT_DIR_INODE);
        }
    }
    /* Through the index: names come in no order that the cache of 64 blocks would serve. */
    CHECK(o.disk.nr_reads - before < 4 * NR_NAMES);
    CHECK_STR(o.said, "");
    CHECK_ERR(o.fs.ops->lookup(&o.fs, &n, "etE-00000", 9, &(uint64_t){0}), ERR_FILE_NOT_FOUND);
    CHECK_ERR(o.fs.ops->lookup(&o.fs, &n, "\xff", 1, &(uint64_t){0}), ERR_FILE_NOT_FOUND);
    CHECK_OK(o.fs.ops->lookup(&o.fs, &n, "..", 2, &(uint64_t){0}));
    CHECK_STR(o.said, "");
    arena_reset(&o.arena);
    free(data);
}

/* A folding directory whose index knows the name under another hash, as kernels of 2024 could
 * leave it: it is searched once more, unless the superblock forbids that. */
static void other_foldings_are_searched_for(void)
{
    size_t len, nr_changed = 0;
    uint8_t *data = make_image("", &len);
    char name[256];
    size_t n_len = name_of(name, 3);
    struct opened o;
    struct node n;

    for (size_t i = 0; i + n_len < len; i++) { /* "ÉtÉ-00003" becomes "étÉx00003" where it is */
        if (memcmp(data + i, name, n_len) != 0)
            continue;
        data[i + n_len - 6] = 'x';
        nr_changed++;
    }
    CHECK_U64(nr_changed, 1);
    name[n_len - 6] = 'x';
    CHECK_OK(open_image(&o, data, len));
    CHECK_OK(fs_walk(&o.fs, &o.arena, "/big", &n, NULL));
    CHECK_OK(o.fs.ops->lookup(&o.fs, &n, name, n_len, &(uint64_t){0}));
    CHECK_OK(o.fs.ops->lookup(&o.fs, &n, "E\u0301T\u00c9X00003", 12, &(uint64_t){0}));
    CHECK_STR(o.said, "");
    arena_reset(&o.arena);
    data[1024 + 0x27e] |= 2;
    CHECK_OK(open_image(&o, data, len));
    CHECK_OK(fs_walk(&o.fs, &o.arena, "/big", &n, NULL));
    CHECK_ERR(o.fs.ops->lookup(&o.fs, &n, "absent", 6, &(uint64_t){0}), ERR_FILE_NOT_FOUND);
    arena_reset(&o.arena);
    data[1024 + 0x27c] = 2;
    CHECK_ERR(open_image(&o, data, len), ERR_REFUSED);
    arena_reset(&o.arena);
    free(data);
}

/* What a fast commit changed is found in any case, and nothing else. */
static void edited_names_have_no_case(void)
{
    size_t len;
    uint8_t *data = make_image("", &len);
    struct ext_edits *edits = NULL;
    struct opened o;
    struct node n;
    uint64_t ino = 0;
    char name[256];

    CHECK_OK(open_image(&o, data, len));
    CHECK_OK(ext_edits_new(&edits, &o.arena));
    ext_of(&o.fs)->edits = edits;
    CHECK_OK(fs_walk(&o.fs, &o.arena, "/big", &n, NULL));
    CHECK_OK(ext_edits_name(edits, n.ino, "N\u00c9W", 4, 77, true));
    CHECK_OK(ext_edits_name(edits, n.ino, name, name_of(name, 5), EXT_DIR_INODE, false));
    CHECK_OK(o.fs.ops->lookup(&o.fs, &n, "ne\u0301w", 5, &ino));
    CHECK_U64(ino, 77);
    CHECK_OK(o.fs.ops->lookup(&o.fs, &n, name, other_name(name, 6), &ino));
    CHECK_U64(ino, EXT_DIR_INODE);
    CHECK_ERR(o.fs.ops->lookup(&o.fs, &n, name, other_name(name, 5), &ino), ERR_FILE_NOT_FOUND);
    arena_reset(&o.arena);
    free(data);
}

int main(void)
{
    RUN(names_are_folded);
    RUN(others_are_not);
    RUN(tables_are_unicode);
    RUN(names_are_found_without_case);
    RUN(other_foldings_are_searched_for);
    RUN(edited_names_have_no_case);
    return test_done();
}
