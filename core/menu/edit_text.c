/* SPDX-License-Identifier: MIT */
/* The line as text: characters, words, inserting and taking out; and the lines before it. */
#include <string.h>

#include "core/base/text.h"
#include "core/menu/edit_parts.h"

size_t edit_after(const struct editor *ed, size_t at)
{
    size_t n;

    if (at >= ed->len)
        return ed->len;
    n = text_shown_char(ed->buf + at, ed->len - at);
    return at + (n > 0 ? n : 1);
}

size_t edit_before(const struct editor *ed, size_t at)
{
    /* The longest character that ends here; a stray byte is one by itself. */
    for (size_t n = 4; n > 1; n--) {
        if (n <= at && text_shown_char(ed->buf + at - n, n) == n)
            return at - n;
    }
    return at > 0 ? at - 1 : 0;
}

static bool is_word_byte(char c)
{
    unsigned char u = (unsigned char)c;

    return (u >= '0' && u <= '9') || (u >= 'A' && u <= 'Z') || (u >= 'a' && u <= 'z') || u >= 0x80;
}

size_t edit_word_start(const struct editor *ed, size_t at)
{
    while (at > 0 && !is_word_byte(ed->buf[at - 1]))
        at--;
    while (at > 0 && is_word_byte(ed->buf[at - 1]))
        at--;
    return at;
}

size_t edit_word_end(const struct editor *ed, size_t at)
{
    while (at < ed->len && !is_word_byte(ed->buf[at]))
        at++;
    while (at < ed->len && is_word_byte(ed->buf[at]))
        at++;
    return at;
}

size_t edit_blank_start(const struct editor *ed, size_t at)
{
    while (at > 0 && ed->buf[at - 1] == ' ')
        at--;
    while (at > 0 && ed->buf[at - 1] != ' ')
        at--;
    return at;
}

bool edit_insert(struct editor *ed, const char *s, size_t len)
{
    if (len > ed->cap - 1 - ed->len)
        return false;
    memmove(ed->buf + ed->at + len, ed->buf + ed->at, ed->len - ed->at + 1);
    memcpy(ed->buf + ed->at, s, len);
    ed->len += len;
    ed->at += len;
    return true;
}

void edit_take(struct editor *ed, size_t from, size_t to, bool kill)
{
    if (kill && to > from) {
        memcpy(ed->killed, ed->buf + from, to - from);
        ed->killed_len = to - from;
    }
    memmove(ed->buf + from, ed->buf + to, ed->len - to + 1);
    ed->len -= to - from;
    ed->at = from;
}

/* ---- memory ----------------------------------------------------------------------------------
 */

const char *edit_recall(const struct edit_memory *m, uint32_t age)
{
    const char *line = m->lines;

    if (age == 0 || age > m->nr_lines)
        return NULL;
    for (uint32_t i = 0; i < m->nr_lines - age; i++)
        line += strlen(line) + 1;
    return line;
}

static void forget_oldest(struct edit_memory *m)
{
    size_t len = strlen(m->lines) + 1;

    memmove(m->lines, m->lines + len, m->used_bytes - len);
    m->used_bytes -= len;
    m->nr_lines--;
}

void edit_remember(struct edit_memory *m, const char *line)
{
    const char *newest = edit_recall(m, 1);
    size_t size = strlen(line) + 1;

    if (size == 1 || size > sizeof(m->lines) || (newest != NULL && strcmp(newest, line) == 0))
        return;
    while (m->nr_lines == EDIT_HISTORY_LINES || size > sizeof(m->lines) - m->used_bytes)
        forget_oldest(m);
    memcpy(m->lines + m->used_bytes, line, size);
    m->used_bytes += size;
    m->nr_lines++;
}
