/* SPDX-License-Identifier: MIT */
/* core/base, and the checksums of core/fs/crc. */
#include <stdlib.h>

#include "core/base/arena.h"
#include "core/base/bytes.h"
#include "core/base/text.h"
#include "core/fs/crc.h"
#include "tests/unit/support.h"
#include "tests/unit/test.h"

static void loads_bytes(void)
{
    static const uint8_t b[9] = {0xff, 0x01, 0x23, 0x45, 0x67, 0x89, 0xab, 0xcd, 0xef};

    CHECK_U64(le16(b + 1), 0x2301);
    CHECK_U64(le32(b + 1), 0x67452301);
    CHECK_U64(le64(b + 1), 0xefcdab8967452301);
    CHECK_U64(be16(b + 1), 0x0123);
    CHECK_U64(be32(b + 1), 0x01234567);
    CHECK_U64(be64(b + 1), 0x0123456789abcdef);
    CHECK_U64(be32(b + 5), 0x89abcdef); /* the top bit stays a bit */
    CHECK_U64(le32(b + 5), 0xefcdab89);
}

static void ranges_do_not_wrap(void)
{
    uint64_t v;

    CHECK(in_range(0, 0, 0));
    CHECK(in_range(0, 10, 10));
    CHECK(in_range(10, 0, 10));
    CHECK(!in_range(10, 1, 10));
    CHECK(!in_range(11, 0, 10));
    CHECK(!in_range(UINT64_MAX, 2, 10));
    CHECK(!in_range(2, UINT64_MAX, 10));
    CHECK(mul_u64(UINT32_MAX, UINT32_MAX, &v));
    CHECK(!mul_u64((uint64_t)1 << 32, (uint64_t)1 << 32, &v));
    CHECK(add_u64(UINT64_MAX, 0, &v));
    CHECK(!add_u64(UINT64_MAX, 1, &v));
    CHECK_U64(align_up(4097, 4096), 8192);
    CHECK_U64(align_up(4096, 4096), 4096);
    CHECK_U64(align_down(8191, 4096), 4096);
    CHECK_U64(min_u64(1, 2), 1);
}

static void builds_text(void)
{
    char buf[12];
    struct text t = text_on(buf, sizeof(buf));

    text_str(&t, "ab");
    text_u64(&t, 0);
    text_char(&t, '-');
    text_hex(&t, 0x1f0);
    CHECK_STR(buf, "ab0-0x1f0");
    CHECK(!t.cut);
    text_str(&t, "xyz");
    CHECK_STR(buf, "ab0-0x1f0xy");
    CHECK(t.cut);
    text_char(&t, '!');
    CHECK_U64(text_len(&t), 11);
    t = text_on(NULL, 0);
    text_str(&t, "nothing");
    text_u64(&t, 5);
    CHECK_U64(text_len(&t), 0);
    CHECK(t.cut);
}

static const char *size_text(uint64_t bytes)
{
    static char buf[40];
    struct text t = text_on(buf, sizeof(buf));

    text_size(&t, bytes);
    return buf;
}

static void shows_sizes_and_names(void)
{
    char buf[64];
    struct text t = text_on(buf, sizeof(buf));

    CHECK_STR(size_text(0), "0 B");
    CHECK_STR(size_text(1023), "1023 B");
    CHECK_STR(size_text(1024), "1 KiB");
    CHECK_STR(size_text(1536), "1.5 KiB");
    CHECK_STR(size_text((uint64_t)8599 * 1024), "8.3 MiB");
    CHECK_STR(size_text((uint64_t)2 << 40), "2 TiB");
    CHECK(strlen(size_text(UINT64_MAX)) < 16);
    text_u64(&t, UINT64_MAX);
    text_hex(&t, UINT64_MAX);
    CHECK_STR(buf, "184467440737095516150xffffffffffffffff");
    t = text_on(buf, sizeof(buf));
    text_name(&t, "a\033[2J\n\177 \xc3\xa9", 10);
    CHECK_STR(buf, "a\\x1b[2J\\x0a\\x7f \xc3\xa9");
}

static void check_name(const char *name, size_t len, const char *want)
{
    char buf[128];
    struct text t = text_on(buf, sizeof(buf));

    text_name(&t, name, len);
    CHECK_STR(buf, want);
    CHECK(!t.cut);
    CHECK_U64(text_name_len(name, len), strlen(want));
}

#define CHECK_NAME(name, want) check_name(name, sizeof(name) - 1, want)

/* Only well-formed UTF-8 passes, and no control, however it is written. */
static void escapes_what_steers_terminals(void)
{
    static const char cut[] = "ab\xe2\x82\xac\x9b";
    char buf[16];

    CHECK_NAME("caf\xc3\xa9 \xe2\x82\xac \xf0\x9f\x90\xa7",
               "caf\xc3\xa9 \xe2\x82\xac \xf0\x9f\x90\xa7");
    CHECK_NAME("\xc2\xa0\xdf\xbf\xe0\xa0\x80\xed\x9f\xbf\xee\x80\x80\xf4\x8f\xbf\xbf",
               "\xc2\xa0\xdf\xbf\xe0\xa0\x80\xed\x9f\xbf\xee\x80\x80\xf4\x8f\xbf\xbf");
    CHECK_NAME("\x9b"
               "31m",
               "\\x9b31m"); /* CSI as one byte */
    CHECK_NAME("\xc2\x9b"
               "31m",
               "\\xc2\\x9b31m");                            /* and encoded */
    CHECK_NAME("\xc2\x80\xc2\x9f", "\\xc2\\x80\\xc2\\x9f"); /* the ends of C1 */
    CHECK_NAME("\xc1\x9b\xc0\x80", "\\xc1\\x9b\\xc0\\x80"); /* overlong */
    CHECK_NAME("\xe0\x82\x9b", "\\xe0\\x82\\x9b");
    CHECK_NAME("\xf0\x80\x82\x9b", "\\xf0\\x80\\x82\\x9b");
    CHECK_NAME("\xed\xa0\x80", "\\xed\\xa0\\x80");          /* a surrogate */
    CHECK_NAME("\xf4\x90\x80\x80", "\\xf4\\x90\\x80\\x80"); /* past 0x10ffff */
    CHECK_NAME("\xf5\x80\x80\x80\xff", "\\xf5\\x80\\x80\\x80\\xff");
    CHECK_NAME("M\xfcller", "M\\xfcller"); /* Latin-1 */
    CHECK_NAME("\xe2\x82", "\\xe2\\x82");  /* ends inside a character */
    CHECK_NAME("\xe2\x82z\xf0\x9f\x90", "\\xe2\\x82z\\xf0\\x9f\\x90");

    for (size_t cap = 0; cap < sizeof(buf); cap++) { /* cut between characters only */
        struct text t = text_on(buf, cap);

        text_name(&t, cut, sizeof(cut) - 1);
        CHECK_U64(t.len, cap <= 1 ? 0 : cap == 2 ? 1 : cap < 6 ? 2 : cap < 10 ? 5 : 9);
        CHECK(t.cut == (cap < 10));
    }
}

static void knows_how_wide_text_is(void)
{
    static const struct {
        const char *s;
        size_t cols;
    } cases[] = {
        {"", 0},
        {"/boot/x", 7},
        {"\xc3\xa9", 1},
        {"e\xcc\x81", 1},          /* an accent of its own */
        {"\xe4\xb8\xad", 2},       /* CJK */
        {"\xf0\x9f\x90\xa7.", 3},  /* a penguin */
        {"a\033\xff\xc2\x9b", 17}, /* escaped: four columns a byte */
    };

    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++)
        CHECK_U64(text_cols(cases[i].s, strlen(cases[i].s)), cases[i].cols);
}

static void parses_numbers(void)
{
    uint64_t v = 7;

    CHECK(text_parse_u64("0", 1, &v) && v == 0);
    CHECK(text_parse_u64("18446744073709551615", 20, &v) && v == UINT64_MAX);
    CHECK(text_parse_u64("123x", 3, &v) && v == 123);
    v = 7;
    CHECK(!text_parse_u64("18446744073709551616", 20, &v));
    CHECK(!text_parse_u64("99999999999999999999", 20, &v));
    CHECK(!text_parse_u64("", 0, &v));
    CHECK(!text_parse_u64("12x", 3, &v));
    CHECK(!text_parse_u64("-1", 2, &v));
    CHECK(!text_parse_u64(" 1", 2, &v));
    CHECK_U64(v, 7);
    CHECK(text_hex_digit('0') == 0 && text_hex_digit('9') == 9);
    CHECK(text_hex_digit('a') == 10 && text_hex_digit('F') == 15);
    CHECK(text_hex_digit('g') == -1 && text_hex_digit('G') == -1 && text_hex_digit('\0') == -1);
    CHECK(text_hex_digit('/') == -1 && text_hex_digit(':') == -1 && text_hex_digit('@') == -1);
}

static void formats_errors(void)
{
    char buf[200], small[10];

    err_format(ERR(ERR_FILE_NOT_FOUND, ""), "(hd0)/boot/x", buf, sizeof(buf));
    CHECK_STR(buf, "Error 15: File not found: (hd0)/boot/x");
    err_format(ERR_AT(ERR_FS_DAMAGED, 4096, "block %a, should be %B", 12, 255), "(hd0)", buf,
               sizeof(buf));
    CHECK_STR(buf, "Error 16: Inconsistent filesystem structure: (hd0) (block 12, should be 0xff, "
                   "at byte 4096)");
    err_format(ERR2(ERR_REFUSED, "%b%% of %A%", 16, 3), NULL, buf, sizeof(buf));
    CHECK_STR(buf, "Error: Feature not supported: 3% of 0x10%");
    CHECK_U64(err_format(ERR(ERR_READ, "x"), NULL, small, sizeof(small)), 9);
    CHECK_STR(small, "Error 25:");
    for (int code = 0; code < 200; code++)
        CHECK(err_title((enum err_code)code) != NULL);
    CHECK(!failed(OK));
    CHECK(failed(ERR(ERR_NOT_MINE, "")));
}

/* A source with a limit, that counts what is out. */
struct counted {
    size_t out, limit;
};

static void *counted_get(void *ctx, size_t n)
{
    struct counted *c = ctx;

    CHECK_U64(n % 4096, 0);
    if (n > c->limit - c->out)
        return NULL;
    c->out += n;
    return memset(aligned_alloc(4096, n), 0xee, n);
}

static void counted_put(void *ctx, void *p, size_t n)
{
    struct counted *c = ctx;

    c->out -= n;
    free(p);
}

static void arenas_give_everything_back(void)
{
    struct counted c = {.limit = (size_t)4 * 1024 * 1024};
    struct mem_source source = {.ctx = &c, .get = counted_get, .put = counted_put};
    struct arena a;

    arena_init(&a, &source);
    for (int round = 0; round < 3; round++) {
        uint8_t *pages[20];

        for (size_t i = 0; i < 20; i++) {
            uint8_t *p = arena_alloc(&a, i * 3333);

            CHECK(p != NULL && (uintptr_t)p % 16 == 0);
            if (p == NULL)
                return;
            for (size_t k = 0; k < i * 3333; k++)
                CHECK(p[k] == 0);
            memset(p, 0xdd, i * 3333);
            pages[i] = arena_pages(&a, 5000);
            CHECK(pages[i] != NULL && (uintptr_t)pages[i] % 4096 == 0);
            memset(pages[i], 0xcc, 5000);
        }
        size_t before = c.out;

        for (size_t i = 0; i < 20; i += 3)
            arena_drop(&a, pages[i]);
        CHECK_U64(before - c.out, 7 * 8192);
        CHECK_U64(a.used_bytes, c.out);
        arena_drop(&a, NULL);
        CHECK_STR(arena_strndup(&a, "hello", 4), "hell");
        CHECK(arena_alloc(&a, 0) != NULL);
        arena_reset(&a);
        CHECK_U64(c.out, 0);
    }
}

static void arenas_run_out(void)
{
    struct counted c = {.limit = (size_t)256 * 1024};
    struct mem_source source = {.ctx = &c, .get = counted_get, .put = counted_put};
    struct arena a;
    char text[100];

    arena_init(&a, &source);
    CHECK(arena_alloc(&a, 300 * 1024) == NULL);
    CHECK(arena_alloc(&a, SIZE_MAX) == NULL);
    CHECK(arena_alloc(&a, SIZE_MAX / 2) == NULL);
    CHECK(arena_pages(&a, SIZE_MAX) == NULL);
    CHECK(arena_pages(&a, SIZE_MAX / 2) == NULL);
    CHECK(arena_array(&a, SIZE_MAX / 2, 4) == NULL);
    CHECK(arena_strndup(&a, "", SIZE_MAX) == NULL);
    CHECK(arena_array(&a, 100, 100) != NULL);
    CHECK(arena_alloc(&a, 100 * 1024) != NULL);
    err_format(arena_exhausted("a thing of %a bytes", 12), NULL, text, sizeof(text));
    CHECK_STR(text, "Error: Out of memory: a thing of 12 bytes");
    arena_reset(&a);
    CHECK_U64(c.out, 0);
}

/* Bit by bit, from the polynomial. */
static uint32_t slow_crc(uint32_t crc, uint32_t poly, const uint8_t *p, size_t len)
{
    for (size_t i = 0; i < len; i++) {
        crc ^= p[i];
        for (int bit = 0; bit < 8; bit++)
            crc = crc >> 1 ^ (crc & 1 ? poly : 0);
    }
    return crc;
}

static void checksums_are_right(void)
{
    static struct crc32c_tables tables;
    uint8_t all[256];

    crc32c_tables_init(&tables);
    for (size_t i = 0; i < sizeof(all); i++)
        all[i] = (uint8_t)(i * 31 + 5);
    for (size_t len = 0; len <= sizeof(all); len++) {
        CHECK_U64(crc32c(UINT32_MAX, all, len), slow_crc(UINT32_MAX, 0x82f63b78, all, len));
        CHECK_U64(crc32c_fast(&tables, UINT32_MAX, all, len),
                  slow_crc(UINT32_MAX, 0x82f63b78, all, len));
        CHECK_U64(crc16(UINT16_MAX, all, len), slow_crc(UINT16_MAX, 0xa001, all, len));
    }
    /* The published check values of both. */
    CHECK_U64(crc32c(UINT32_MAX, "123456789", 9) ^ UINT32_MAX, 0xe3069283);
    CHECK_U64(crc16(0, "123456789", 9), 0xbb3d);
}

int main(void)
{
    RUN(loads_bytes);
    RUN(ranges_do_not_wrap);
    RUN(builds_text);
    RUN(shows_sizes_and_names);
    RUN(escapes_what_steers_terminals);
    RUN(knows_how_wide_text_is);
    RUN(parses_numbers);
    RUN(formats_errors);
    RUN(arenas_give_everything_back);
    RUN(arenas_run_out);
    RUN(checksums_are_right);
    return test_done();
}
