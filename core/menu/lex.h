/* SPDX-License-Identifier: MIT */
/*
 * The lexer of menu.lst: bytes to logical lines, a line to a command's name and arguments, and
 * arguments to words.
 *
 * The rules are GRUB 0.97's: a comment is a line that begins with `#`; a backslash at the end of a
 * line joins it with the next; carriage returns mean nothing, tabs are spaces; between a command
 * and its arguments stand spaces, `=`, or both ("default 0", "default=0", "default = 0").
 */
#ifndef PVBOOT_MENU_LEX_H
#define PVBOOT_MENU_LEX_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct lexer {
    char *text; /* len + 1 bytes; lines are cleaned and terminated in place */
    size_t len, pos;
    uint32_t line_nr; /* of the next line, from 1 */
    uint32_t nr_nuls; /* NUL bytes seen: what a crash leaves in a file; they read as spaces */
};

/* A UTF-8 byte order mark at the start is skipped. */
void lex_init(struct lexer *lx, char *text, size_t len);

/*
 * The next line that is neither blank nor a comment, without spaces around it and terminated;
 * false at the end. line_nr is where it begins.
 */
bool lex_line(struct lexer *lx, char **line, uint32_t *line_nr);

/* Step over the blanks before the text; the length without those behind it. */
size_t lex_trim(const char **text);

/* Split a line: the name is its first name_len bytes, the arguments are the rest of it. */
void lex_split(const char *line, size_t *name_len, const char **args);

/* The next word of *rest, which moves behind it; false when there is none. */
bool lex_word(const char **rest, const char **word, size_t *len);

/* Is word[0..len) the text s? */
bool lex_is(const char *word, size_t len, const char *s);

/* A number as GRUB reads it: decimal, or hex after 0x. The whole word or nothing. */
bool lex_number(const char *word, size_t len, uint64_t *out);

#endif
