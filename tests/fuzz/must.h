/* SPDX-License-Identifier: MIT */
/* What a harness states beyond "no crash": when it is not true, the input is a finding. */
#ifndef PVBOOT_TESTS_FUZZ_MUST_H
#define PVBOOT_TESTS_FUZZ_MUST_H

#include <stdio.h>
#include <stdlib.h>

static inline void must(int cond, const char *what)
{
    if (cond)
        return;
    fprintf(stderr, "not true: %s\n", what);
    abort();
}

#endif
