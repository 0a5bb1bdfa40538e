/* SPDX-License-Identifier: MIT */
/*
 * Bounded text building. A `struct text` writes into a buffer of the caller's, always terminated,
 * never past its end, and remembers whether something did not fit. No format strings: the few
 * pieces that messages need are functions, so that nothing can mismatch.
 */
#ifndef PVBOOT_BASE_TEXT_H
#define PVBOOT_BASE_TEXT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct text {
    char *buf;
    size_t cap; /* bytes in buf, terminator included */
    size_t len; /* bytes written, terminator excluded */
    bool cut;   /* something did not fit */
};

/* Start an empty text on buf of cap bytes (cap 0 is allowed: everything is cut). */
struct text text_on(char *buf, size_t cap);

void text_char(struct text *t, char c);
void text_str(struct text *t, const char *s);
void text_mem(struct text *t, const char *s, size_t len);
void text_u64(struct text *t, uint64_t v); /* decimal */
void text_hex(struct text *t, uint64_t v); /* 0x..., lower case, no leading zeros */

void text_uuid(struct text *t, uint64_t high, uint64_t low); /* its bytes as two big numbers */

/* A size for people: "512 B", "4 KiB", "8.2 MiB", "2 TiB"; one decimal where it is not whole. */
void text_size(struct text *t, uint64_t bytes);

/*
 * As text_mem, for names from a disk, which must not steer a terminal: printable ASCII and
 * well-formed UTF-8 pass; controls (C0, DEL, and C1 whether encoded or as a lone byte) and bytes
 * that are no UTF-8 appear as \xNN each. What does not fit is cut between characters.
 */
void text_name(struct text *t, const char *s, size_t len);

/* How many bytes text_name writes for it. */
size_t text_name_len(const char *s, size_t len);

/*
 * The length of the character that s[0..len) (not empty) begins with, when text_name shows it as it
 * is; 0 when it escapes the first byte.
 */
size_t text_shown_char(const char *s, size_t len);

/* How many columns of a terminal it takes when text_name has written it. */
size_t text_cols(const char *s, size_t len);

static inline size_t text_len(const struct text *t)
{
    return t->len;
}

/* The value of a hexadecimal digit of either case; -1: it is none. */
int text_hex_digit(char c);

/* Parse the whole of s[0..len) as a decimal number; false on anything else or on overflow. */
bool text_parse_u64(const char *s, size_t len, uint64_t *out);

#endif
