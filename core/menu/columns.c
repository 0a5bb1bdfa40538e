/* SPDX-License-Identifier: MIT */
#include "core/menu/columns.h"

#include <string.h>

#include "core/base/bytes.h"

#define DOTS 3

uint32_t columns_name(struct text *t, const char *s, size_t len, uint32_t cols)
{
    size_t start = t->len, room = (size_t)cols * 4;
    size_t dots_at = start; /* where "..." still fits behind, and the columns before it */
    uint32_t used = 0, used_before_dots = 0;

    for (size_t i = 0, n; i < len; i += n) {
        n = text_shown_char(s + i, len - i);
        n = n > 0 ? n : 1;
        uint32_t width = (uint32_t)text_cols(s + i, n);
        size_t written = text_name_len(s + i, n);

        if (width > cols - used || written > room - (t->len - start)) {
            t->len = dots_at;
            t->buf[t->len] = '\0';
            for (uint32_t dot = 0; dot < DOTS && used_before_dots < cols; dot++) {
                text_char(t, '.');
                used_before_dots++;
            }
            return used_before_dots;
        }
        text_name(t, s + i, n);
        used += width;
        if (cols >= DOTS && used <= cols - DOTS && t->len - start <= room - DOTS) {
            dots_at = t->len;
            used_before_dots = used;
        }
    }
    return used;
}
