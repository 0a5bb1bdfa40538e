/* SPDX-License-Identifier: MIT */
/*
 * The unit tests' few macros. A test program is a list of functions without arguments:
 *
 *     static void parses_a_number(void) { CHECK_U64(parse("12"), 12); }
 *     int main(void) { RUN(parses_a_number); return test_done(); }
 *
 * A failed CHECK prints what was expected and what was there, and the program goes on; test_done
 * prints "N passed, N failed" counting functions, and gives the exit status.
 */
#ifndef PVBOOT_TESTS_TEST_H
#define PVBOOT_TESTS_TEST_H

#include <inttypes.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>

#include "core/base/err.h"

static int test_passed_, test_failed_, test_bad_checks_;

#define CHECK(cond)                                                                                \
    do {                                                                                           \
        if (!(cond)) {                                                                             \
            printf("%s:%d: not true: %s\n", __FILE__, __LINE__, #cond);                            \
            test_bad_checks_++;                                                                    \
        }                                                                                          \
    } while (0)

#define CHECK_U64(got, want)                                                                       \
    do {                                                                                           \
        uint64_t got_ = (uint64_t)(got), want_ = (uint64_t)(want);                                 \
        if (got_ != want_) {                                                                       \
            printf("%s:%d: %s is %" PRIu64 " (0x%" PRIx64 "), expected %" PRIu64 " (0x%" PRIx64    \
                   ")\n",                                                                          \
                   __FILE__, __LINE__, #got, got_, got_, want_, want_);                            \
            test_bad_checks_++;                                                                    \
        }                                                                                          \
    } while (0)

#define CHECK_STR(got, want)                                                                       \
    do {                                                                                           \
        const char *got_ = (got), *want_ = (want);                                                 \
        if (strcmp(got_, want_) != 0) {                                                            \
            printf("%s:%d: %s is \"%s\", expected \"%s\"\n", __FILE__, __LINE__, #got, got_,       \
                   want_);                                                                         \
            test_bad_checks_++;                                                                    \
        }                                                                                          \
    } while (0)

#define CHECK_OK(expr)                                                                             \
    do {                                                                                           \
        struct err err_ = (expr);                                                                  \
        if (failed(err_)) {                                                                        \
            char text_[512];                                                                       \
            err_format(err_, NULL, text_, sizeof(text_));                                          \
            printf("%s:%d: %s: %s\n", __FILE__, __LINE__, #expr, text_);                           \
            test_bad_checks_++;                                                                    \
        }                                                                                          \
    } while (0)

#define CHECK_ERR(expr, want_code)                                                                 \
    do {                                                                                           \
        struct err err_ = (expr);                                                                  \
        if (err_.code != (want_code)) {                                                            \
            char text_[512];                                                                       \
            err_format(err_, NULL, text_, sizeof(text_));                                          \
            printf("%s:%d: %s gave code %d (%s), expected %s\n", __FILE__, __LINE__, #expr,        \
                   (int)err_.code, text_, #want_code);                                             \
            test_bad_checks_++;                                                                    \
        }                                                                                          \
    } while (0)

#define RUN(fn)                                                                                    \
    do {                                                                                           \
        int before_ = test_bad_checks_;                                                            \
        fn();                                                                                      \
        if (test_bad_checks_ == before_) {                                                         \
            test_passed_++;                                                                        \
        } else {                                                                                   \
            test_failed_++;                                                                        \
            printf("FAIL %s\n", #fn);                                                              \
        }                                                                                          \
    } while (0)

static inline int test_done(void)
{
    printf("%d passed, %d failed\n", test_passed_, test_failed_);
    fflush(stdout); /* a sanitizer may end the program before exit does it */
    return test_failed_ == 0 ? 0 : 1;
}

#endif
