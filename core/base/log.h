/* SPDX-License-Identifier: MIT */
/*
 * What core/ has to say to a person goes out through this callback, one line a call, without a
 * newline: core/ owns no console. "What was skipped, replayed, guessed or ignored is one line."
 */
#ifndef PVBOOT_BASE_LOG_H
#define PVBOOT_BASE_LOG_H

#include <stddef.h>

struct log {
    void *ctx;
    void (*line)(void *ctx, const char *text);
};

/* log may be NULL, and its line too: then nothing is said. */
static inline void log_line(const struct log *log, const char *text)
{
    if (log != NULL && log->line != NULL)
        log->line(log->ctx, text);
}

#endif
