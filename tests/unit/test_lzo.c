/* SPDX-License-Identifier: MIT */
/*
 * Our LZO1X decoder, instruction by instruction: streams written by hand from the description, with
 * what they must make. That whole files of lzop's come out right is test_unpack's to see.
 */
#include "tests/unit/test.h"

#include <stdlib.h>

#include "core/base/bytes.h"
#include "core/unpack/lzo1x.h"
#include "tests/unit/packed.h"

#define END "\x11\0\0" /* a far match of distance 16384 */
static const char end_mark[] = {0x11, 0, 0};

/* Run a stream, given and read in blocks of exactly their size. */
static enum lzo1x_result run(const char *stream, size_t len, size_t cap, uint8_t **out,
                             size_t *out_len)
{
    uint8_t *in = malloc(len > 0 ? len : 1);

    memcpy(in, stream, len);
    *out = malloc(cap > 0 ? cap : 1);
    enum lzo1x_result r = lzo1x_unpack(in, len, *out, cap, out_len);

    free(in);
    return r;
}

#define MAKES(stream, text)                                                                        \
    do {                                                                                           \
        uint8_t *out_;                                                                             \
        size_t len_, want_len_ = sizeof(text) - 1;                                                 \
        CHECK_U64(run(stream, sizeof(stream) - 1, want_len_, &out_, &len_), LZO1X_OK);             \
        CHECK_U64(len_, want_len_);                                                                \
        CHECK(memcmp(out_, text, len_) == 0);                                                      \
        free(out_);                                                                                \
    } while (0)

#define FAILS(stream, cap, how)                                                                    \
    do {                                                                                           \
        uint8_t *out_;                                                                             \
        size_t len_;                                                                               \
        CHECK_U64(run(stream, sizeof(stream) - 1, cap, &out_, &len_), how);                        \
        free(out_);                                                                                \
    } while (0)

static void first_byte_copies_literals(void)
{
    MAKES(END, "");
    MAKES("\x15"
          "abcd" END,
          "abcd");
    MAKES("\x12"
          "x" END,
          "x");
    MAKES("\x14"
          "xyz" END,
          "xyz");
}

static void long_literals(void)
{
    /* 0000LLLL after no literals: 3 + L */
    MAKES("\x01"
          "abcd" END,
          "abcd");
    MAKES("\x0f"
          "abcdefghijklmnopqr" END,
          "abcdefghijklmnopqr");
    /* L = 0: 3 + 15 + the next byte */
    MAKES("\0\x02"
          "abcdefghijklmnopqrst" END,
          "abcdefghijklmnopqrst");
}

static void zero_bytes_lengthen(void)
{
    enum { LEN = 3 + 15 + 2 * 255 + 7 };
    static const char head[] = {0, 0, 0, 7}; /* 3 + 15 + 2 * 255 + 7 */
    char stream[sizeof(head) + LEN + 3];
    uint8_t *out;
    size_t len;

    memcpy(stream, head, sizeof(head));
    memset(stream + 4, 'q', LEN);
    memcpy(stream + 4 + LEN, end_mark, sizeof(end_mark));
    CHECK_U64(run(stream, sizeof(stream), LEN, &out, &len), LZO1X_OK);
    CHECK_U64(len, LEN);
    CHECK(out[0] == 'q' && out[LEN - 1] == 'q');
    free(out);
}

static void short_matches(void)
{
    /* 0000DDSS H after 1 to 3 literals: two bytes, distance 4 H + D + 1 */
    MAKES("\x14"
          "abc\x08\0" END,
          "abcab");
    /* with one literal behind it, and again */
    MAKES("\x14"
          "abc\x09\0"
          "x\x00\x01" END,
          "abcabxbc"
          /* distance 4 * 1 + 0 + 1 = 5 back from "abcabx" */);
    /* 01LDDDSS H: 3 + L bytes, distance 8 H + D + 1 */
    MAKES("\x15"
          "abcd\x4c\0" END,
          "abcdabc");
    MAKES("\x15"
          "abcd\x6c\0" END,
          "abcdabcd");
    /* 1LLDDDSS H: 5 + L bytes; overlapping repetition */
    MAKES("\x15"
          "abcd\xe4\0" END,
          "abcdcdcdcdcd");
    MAKES("\x15"
          "abcd\x80\0" END,
          "abcdddddd");
    /* ... with three literals behind it */
    MAKES("\x15"
          "abcd\x83\0"
          "xyz" END,
          "abcdddddd"
          "xyz");
}

static void near_matches(void)
{
    /* 001LLLLL, LE16 DDDDDDDD DDDDDDSS: 2 + L bytes, distance D + 1 */
    MAKES("\x15"
          "abcd\x24\x0c\0" END,
          "abcdabcdab");
    /* L = 0: 2 + 31 + the next byte */
    MAKES("\x15"
          "abcd\x20\x01\0\0" END,
          "abcd"
          "dddddddddddddddddddddddddddddddddd");
    /* one literal in the low bits of the distance */
    MAKES("\x15"
          "abcd\x21\x0d\0"
          "!" END,
          "abcdabc!");
}

static void match_after_a_run_is_2_kib_back(void)
{
    /* 0000DDSS H after a run of literals: three bytes, distance 4 H + D + 2049 */
    enum { RUN_LEN = 2100 };
    char stream[1 + 8 + 1 + RUN_LEN + 2 + 3];
    uint8_t *out;
    size_t at = 0, len;

    stream[at++] = 0;
    for (size_t i = 0; i < 8; i++) /* 3 + 15 + 8 * 255 + 42 = 2100 */
        stream[at++] = 0;
    stream[at++] = 42;
    for (size_t i = 0; i < RUN_LEN; i++)
        stream[at++] = (char)(i * 31 + i / 256);
    stream[at++] = 0x04; /* D = 1 */
    stream[at++] = 2;    /* distance 8 + 1 + 2049 */
    memcpy(stream + at, end_mark, sizeof(end_mark));
    CHECK_U64(run(stream, sizeof(stream), RUN_LEN + 3, &out, &len), LZO1X_OK);
    CHECK_U64(len, RUN_LEN + 3);
    CHECK(memcmp(out + RUN_LEN, out + RUN_LEN - 2058, 3) == 0);
    free(out);
}

static void far_matches(void)
{
    /* 0001HLLL, LE16: 2 + L bytes, distance 16384 + (H << 14) + D. First 40000 bytes of a period.
     */
    char stream[512];
    uint8_t *out;
    size_t at = 0, len;
    const size_t plain = 5 + 2 + 31 + 156 * 255 + 182 + 2;

    memcpy(stream,
           "\x16"
           "abcde\x20",
           7);
    at = 7;
    memset(stream + at, 0, 156);
    at += 156;
    stream[at++] = (char)182; /* 2 + 31 + 156 * 255 + 182 */
    stream[at++] = (char)(4 << 2);
    stream[at++] = 0; /* distance 5 */
    stream[at++] = 0x18;
    stream[at++] = 9; /* L = 0: 2 + 7 + 9 = 18 bytes, H = 1 */
    stream[at++] = (char)0x04;
    stream[at++] = 0x00; /* distance 32769 */
    memcpy(stream + at, end_mark, sizeof(end_mark));
    at += 3;
    CHECK_U64(run(stream, at, plain - 2 + 18, &out, &len), LZO1X_OK);
    CHECK_U64(len, plain - 2 + 18);
    for (size_t i = 0; i < 18; i++)
        CHECK_U64(out[plain - 2 + i], out[plain - 2 + i - 32769]);
    CHECK_U64(out[plain - 3], (unsigned char)"abcde"[(plain - 3) % 5]);
    free(out);
}

static void refuses_damage(void)
{
    FAILS("", 0, LZO1X_SHORT_INPUT);
    FAILS("\x15"
          "abc",
          10, LZO1X_SHORT_INPUT);
    FAILS("\x15"
          "abcd",
          10, LZO1X_SHORT_INPUT); /* no end */
    FAILS("\x15"
          "abcd\x11\0",
          10, LZO1X_SHORT_INPUT);
    FAILS("\x15"
          "abcd" END,
          3, LZO1X_NO_ROOM);
    FAILS("\x15"
          "abcd\x80\0" END,
          8, LZO1X_NO_ROOM);
    FAILS("\x15"
          "abcd\x80\x01" END,
          100, LZO1X_BAD_DISTANCE); /* 9 back, 4 are there */
    FAILS("\x15"
          "abcd" END "x",
          10, LZO1X_TRAILING);
    FAILS("\0\0\0", 1000, LZO1X_SHORT_INPUT);
    FAILS("\x10\x01\x04\0" END, 1000, LZO1X_BAD_DISTANCE); /* far match in nothing */
}

/* Noise in, no byte out of bounds: the sanitizer looks. */
static void survives_noise(void)
{
    uint32_t r = 1;

    for (unsigned i = 0; i < 20000; i++) {
        char noise[64];
        uint8_t *out;
        size_t len;

        for (size_t k = 0; k < sizeof(noise); k++)
            noise[k] = (char)(next_random(&r) >> (next_random(&r) % 3 * 2));
        noise[0] = 0x15;
        run(noise, 1 + next_random(&r) % sizeof(noise), next_random(&r) % 300, &out, &len);
        free(out);
    }
}

int main(void)
{
    RUN(first_byte_copies_literals);
    RUN(long_literals);
    RUN(zero_bytes_lengthen);
    RUN(short_matches);
    RUN(near_matches);
    RUN(match_after_a_run_is_2_kib_back);
    RUN(far_matches);
    RUN(refuses_damage);
    RUN(survives_noise);
    return test_done();
}
