/* SPDX-License-Identifier: MIT */
/*
 * guest/libc against the host's C library: every length around the borders, every overlap, guarded
 * on both sides. The functions are compiled into this program under other names.
 */
#include "tests/unit/test.h"

#include <stdlib.h>
#include <sys/mman.h>

#define memcpy  guest_memcpy
#define memmove guest_memmove
#define memset  guest_memset
#define memcmp  guest_memcmp
#define memchr  guest_memchr
#define strlen  guest_strlen
#define strnlen guest_strnlen
#define strstr  guest_strstr
#define strcmp  guest_strcmp
#define strncmp guest_strncmp
#define strchr  guest_strchr
#define strspn  guest_strspn
#define strcspn guest_strcspn
void *memcpy(void *restrict dst, const void *restrict src, size_t n);
void *memmove(void *dst, const void *src, size_t n);
void *memset(void *dst, int c, size_t n);
int memcmp(const void *a, const void *b, size_t n);
void *memchr(const void *data, int c, size_t n);
size_t strlen(const char *s);
size_t strnlen(const char *s, size_t most);
char *strstr(const char *s, const char *part);
int strcmp(const char *a, const char *b);
int strncmp(const char *a, const char *b, size_t n);
char *strchr(const char *s, int c);
size_t strspn(const char *s, const char *accept);
size_t strcspn(const char *s, const char *reject);
/* NOLINTBEGIN(bugprone-suspicious-include): under other names is the point */
#include "guest/libc/mem.c"
#include "guest/libc/str.c"
#define __udivmoddi4 guest_udivmoddi4
#define __udivdi3    guest_udivdi3
#define __umoddi3    guest_umoddi3
#define __divdi3     guest_divdi3
#define __moddi3     guest_moddi3
#include "guest/libc/div64.c"
/* NOLINTEND(bugprone-suspicious-include) */
#undef memcpy
#undef memmove
#undef memset
#undef memcmp
#undef memchr
#undef strlen
#undef strnlen
#undef strstr
#undef strcmp
#undef strncmp
#undef strchr
#undef strspn
#undef strcspn

#define SPAN 700u

static unsigned char buf_a[SPAN], buf_b[SPAN], want[SPAN];

static void fill(void)
{
    for (size_t i = 0; i < SPAN; i++)
        buf_a[i] = want[i] = (unsigned char)(i * 7 + i / 256);
}

static int sign(int v)
{
    return (v > 0) - (v < 0);
}

static void copies(void)
{
    for (size_t n = 0; n < 300; n++) {
        for (size_t off = 0; off < 9; off++) {
            fill();
            memset(buf_b, 0x55, SPAN);
            memset(want, 0x55, SPAN);
            memcpy(want + 20 + off, buf_a + 11, n);
            CHECK(guest_memcpy(buf_b + 20 + off, buf_a + 11, n) == buf_b + 20 + off);
            CHECK(memcmp(buf_b, want, SPAN) == 0);
        }
    }
}

static void moves_in_any_overlap(void)
{
    for (size_t n = 0; n < 300; n += n < 40 ? 1 : 13) {
        for (size_t d = 0; d < 330; d += d < 40 ? 1 : 11) {
            for (size_t s = 0; s < 330; s += s < 40 ? 1 : 17) {
                fill();
                memmove(want + d, want + s, n);
                guest_memmove(buf_a + d, buf_a + s, n);
                if (memcmp(buf_a, want, SPAN) != 0) {
                    printf("  %zu bytes from %zu to %zu\n", n, s, d);
                    CHECK(!"memmove differs");
                    return;
                }
            }
        }
    }
}

static void sets(void)
{
    for (size_t n = 0; n < 300; n++) {
        for (size_t off = 0; off < 9; off++) {
            fill();
            memset(want + off, 0xa7, n);
            CHECK(guest_memset(buf_a + off, 0x4a7, n) == buf_a + off);
            CHECK(memcmp(buf_a, want, SPAN) == 0);
        }
    }
}

static void compares(void)
{
    for (size_t n = 0; n < 80; n++) {
        for (size_t at = 0; at <= n; at++) {
            fill();
            memcpy(buf_b, buf_a, SPAN);
            CHECK_U64(guest_memcmp(buf_a, buf_b, n), 0);
            buf_b[at] ^= 0x80;
            CHECK(sign(guest_memcmp(buf_a, buf_b, n)) == sign(memcmp(buf_a, buf_b, n)));
            CHECK(sign(guest_memcmp(buf_b, buf_a, n)) == sign(memcmp(buf_b, buf_a, n)));
        }
    }
}

static void strings(void)
{
    static const char *const words[] = {"", "a", "ab", "abc", "abd", "b", "\xff", "title x", "tit"};

    for (size_t i = 0; i < sizeof(words) / sizeof(words[0]); i++) {
        const char *a = words[i];

        CHECK_U64(guest_strlen(a), strlen(a));
        CHECK(guest_strchr(a, 'b') == strchr(a, 'b'));
        CHECK(guest_strchr(a, 0) == strchr(a, 0));
        CHECK(guest_memchr(a, 'b', strlen(a)) == memchr(a, 'b', strlen(a)));
        for (size_t k = 0; k < sizeof(words) / sizeof(words[0]); k++) {
            const char *b = words[k];

            CHECK(sign(guest_strcmp(a, b)) == sign(strcmp(a, b)));
            CHECK(guest_strstr(a, b) == strstr(a, b));
            CHECK_U64(guest_strnlen(a, k), strnlen(a, k));
            CHECK_U64(guest_strspn(a, b), strspn(a, b));
            CHECK_U64(guest_strcspn(a, b), strcspn(a, b));
            for (size_t n = 0; n < 5; n++)
                CHECK(sign(guest_strncmp(a, b, n)) == sign(strncmp(a, b, n)));
        }
    }
}

/* No byte outside of the ranges is touched: both end where a page without access begins. */
static void stay_inside(void)
{
    unsigned char *p =
        mmap(NULL, 3 * 4096, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

    CHECK(mprotect(p, 4096, PROT_NONE) == 0 && mprotect(p + 8192, 4096, PROT_NONE) == 0);
    for (size_t n = 0; n < 600; n++) {
        unsigned char *low = p + 4096, *high = p + 8192 - n;

        guest_memset(low, 1, n);
        guest_memset(high, 2, n);
        guest_memcpy(high, low, n);
        guest_memmove(low, high, n);
        CHECK_U64(guest_memcmp(low, high, n), 0);
    }
    munmap(p, 3 * 4096);
}

static void check_division(uint64_t n, uint64_t d)
{
    int64_t sn = (int64_t)n, sd = (int64_t)d;
    uint64_t rest = 0;

    if (d == 0)
        return;
    CHECK_U64(guest_udivdi3(n, d), n / d);
    CHECK_U64(guest_umoddi3(n, d), n % d);
    CHECK_U64(guest_udivmoddi4(n, d, &rest), n / d);
    CHECK_U64(rest, n % d);
    if (sn == INT64_MIN && sd == -1)
        return; /* no result is right */
    CHECK_U64((uint64_t)guest_divdi3(sn, sd), (uint64_t)(sn / sd));
    CHECK_U64((uint64_t)guest_moddi3(sn, sd), (uint64_t)(sn % sd));
}

/* Against this machine's own division: all pairs around powers of two, then at random. */
static void divisions(void)
{
    uint64_t some[64 * 3], state = 1;

    for (unsigned i = 0; i < 64 * 3; i++)
        some[i] = (UINT64_C(1) << i / 3) + i % 3 - 1;
    for (unsigned i = 0; i < 64 * 3; i++) {
        for (unsigned j = 0; j < 64 * 3; j++) {
            check_division(some[i], some[j]);
            check_division(0 - some[i], some[j]);
        }
    }
    for (unsigned i = 0; i < 100000; i++) {
        uint64_t n = state = state * 6364136223846793005u + 1442695040888963407u;
        uint64_t d = state = state * 6364136223846793005u + 1442695040888963407u;

        check_division(n >> (d & 63), d >> (n & 63));
    }
}

int main(void)
{
    RUN(divisions);
    RUN(copies);
    RUN(moves_in_any_overlap);
    RUN(sets);
    RUN(compares);
    RUN(strings);
    RUN(stay_inside);
    return test_done();
}
