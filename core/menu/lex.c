/* SPDX-License-Identifier: MIT */
#include "core/menu/lex.h"

#include <string.h>

#include "core/base/text.h"

void lex_init(struct lexer *lx, char *text, size_t len)
{
    *lx = (struct lexer){.text = text, .len = len, .line_nr = 1};
    if (len >= 3 && memcmp(text, "\xef\xbb\xbf", 3) == 0)
        lx->pos = 3;
}

/*
 * Read one logical line into text[start...]. Writing never overtakes reading, because every byte
 * read gives at most one byte written; and the terminator takes the newline's place at the latest.
 * Returns the length, 0 for blank lines and comments.
 */
static size_t read_logical_line(struct lexer *lx, size_t start)
{
    size_t w = start;
    bool comment = false, backslash = false;

    while (lx->pos < lx->len) {
        char c = lx->text[lx->pos++];

        if (c == '\r')
            continue;
        if (c == '\n') {
            lx->line_nr++;
            if (!backslash)
                break;
            /* The space takes the backslash's place. */
            if (w > start)
                w--;
            c = ' ';
        }
        backslash = c == '\\';
        if (c == '\0')
            lx->nr_nuls++;
        if (c == '\t' || c == '\v' || c == '\f' || c == '\0')
            c = ' ';
        if (comment || (w == start && c == ' '))
            continue;
        if (w == start && c == '#')
            comment = true;
        else
            lx->text[w++] = c;
    }
    while (w > start && lx->text[w - 1] == ' ')
        w--;
    lx->text[w] = '\0';
    return w - start;
}

bool lex_line(struct lexer *lx, char **line, uint32_t *line_nr)
{
    while (lx->pos < lx->len) {
        size_t start = lx->pos;

        *line_nr = lx->line_nr;
        if (read_logical_line(lx, start) > 0) {
            *line = lx->text + start;
            return true;
        }
    }
    return false;
}

size_t lex_trim(const char **text)
{
    size_t len;

    while (**text == ' ')
        ++*text;
    len = strlen(*text);
    while (len > 0 && (*text)[len - 1] == ' ')
        len--;
    return len;
}

void lex_split(const char *line, size_t *name_len, const char **args)
{
    const char *p = line;

    while (*p != '\0' && *p != ' ' && *p != '=')
        p++;
    *name_len = (size_t)(p - line);
    while (*p == ' ' || *p == '=')
        p++;
    *args = p;
}

bool lex_word(const char **rest, const char **word, size_t *len)
{
    const char *p = *rest;

    while (*p == ' ')
        p++;
    *word = p;
    while (*p != '\0' && *p != ' ')
        p++;
    *len = (size_t)(p - *word);
    *rest = p;
    return *len > 0;
}

bool lex_is(const char *word, size_t len, const char *s)
{
    return strlen(s) == len && memcmp(word, s, len) == 0;
}

bool lex_number(const char *word, size_t len, uint64_t *out)
{
    if (len < 2 || word[0] != '0' || (word[1] != 'x' && word[1] != 'X'))
        return text_parse_u64(word, len, out);
    uint64_t v = 0;

    if (len == 2)
        return false;
    for (size_t i = 2; i < len; i++) {
        int digit = text_hex_digit(word[i]);

        if (digit < 0 || v > UINT64_MAX >> 4)
            return false;
        v = v << 4 | (uint64_t)digit;
    }
    *out = v;
    return true;
}
