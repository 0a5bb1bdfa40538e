/* SPDX-License-Identifier: MIT */
/*
 * A growing piece of text for the host command: command lines, JSON, lines of a log.
 *
 * Always NUL-terminated, may hold any byte. Running out of memory ends the program: there is
 * nothing sensible that a command of a few megabytes could do then.
 */
#ifndef PVBOOT_XENHOST_BUF_H
#define PVBOOT_XENHOST_BUF_H

#include <stdbool.h>
#include <stddef.h>

struct buf {
    char *text;
    size_t len;
    size_t cap;
};

void *xalloc(size_t len);
char *xstrdup(const char *text);
/* The array with room for twice as many elements, at least 16; *cap becomes their number. */
void *xgrow(void *array, size_t *cap, size_t each_bytes);

void buf_free(struct buf *b);
void buf_clear(struct buf *b);
void buf_add(struct buf *b, const void *bytes, size_t len);
void buf_puts(struct buf *b, const char *text);
void buf_printf(struct buf *b, const char *fmt, ...) __attribute__((format(printf, 2, 3)));

/* The text as a JSON string, quotes included. Bytes past 0x7e become \u00XX: a byte string that
 * a reader gets back with latin-1. */
void buf_json(struct buf *b, const void *bytes, size_t len);

/* The text as a string of an xl configuration, quotes included: xl's lexer knows C's escapes. */
void buf_xl_string(struct buf *b, const char *text);

/* The text as one word of the agent's line protocol: odd characters become \0OOO. */
void buf_word(struct buf *b, const char *text);

/* Takes the first line out of `b`, without its end of line; false when there is no whole line.
 * `line` is valid until the next call on `b`. */
bool buf_line(struct buf *b, struct buf *line);

/* Drops the first `len` bytes. */
void buf_drop(struct buf *b, size_t len);

#endif
