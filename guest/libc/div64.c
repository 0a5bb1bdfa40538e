/* SPDX-License-Identifier: MIT */
/*
 * Division of 64-bit numbers, which a 32-bit compiler calls by these names (they are those of GCC's
 * run-time library, whose manual describes them). Bit by bit from the highest one that counts:
 * divisions of this size are of sizes and times, a few at a time.
 */
#include <stdint.h>

uint64_t __udivmoddi4(uint64_t n, uint64_t d, uint64_t *rest);
uint64_t __udivdi3(uint64_t n, uint64_t d);
uint64_t __umoddi3(uint64_t n, uint64_t d);
int64_t __divdi3(int64_t n, int64_t d);
int64_t __moddi3(int64_t n, int64_t d);

uint64_t __udivmoddi4(uint64_t n, uint64_t d, uint64_t *rest)
{
    uint64_t quotient = 0;

    if (d == 0)
        __builtin_trap(); /* as the processor's own division does */
    if (n <= UINT32_MAX && d <= UINT32_MAX) {
        quotient = (uint32_t)n / (uint32_t)d;
        n = (uint32_t)n % (uint32_t)d;
    } else if (d <= n) {
        int shift = __builtin_clzll(d) - __builtin_clzll(n);

        for (d <<= shift; shift >= 0; shift--, d >>= 1) {
            quotient <<= 1;
            if (n >= d) {
                n -= d;
                quotient |= 1;
            }
        }
    }
    if (rest != (uint64_t *)0)
        *rest = n;
    return quotient;
}

uint64_t __udivdi3(uint64_t n, uint64_t d)
{
    return __udivmoddi4(n, d, (uint64_t *)0);
}

uint64_t __umoddi3(uint64_t n, uint64_t d)
{
    uint64_t rest;

    (void)__udivmoddi4(n, d, &rest);
    return rest;
}

static uint64_t magnitude(int64_t v)
{
    return v < 0 ? 0 - (uint64_t)v : (uint64_t)v;
}

int64_t __divdi3(int64_t n, int64_t d)
{
    uint64_t quotient = __udivmoddi4(magnitude(n), magnitude(d), (uint64_t *)0);

    return (int64_t)((n < 0) != (d < 0) ? 0 - quotient : quotient);
}

int64_t __moddi3(int64_t n, int64_t d)
{
    uint64_t rest;

    (void)__udivmoddi4(magnitude(n), magnitude(d), &rest);
    return (int64_t)(n < 0 ? 0 - rest : rest);
}
