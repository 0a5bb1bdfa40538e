/* SPDX-License-Identifier: MIT */
#include "core/menu/match.h"

#include <string.h>

#include "core/base/text.h"

void matches_init(struct matches *m, struct arena *a, const char *typed, size_t typed_len)
{
    memset(m, 0, sizeof(*m));
    m->arena = a;
    m->typed = typed;
    m->typed_len = typed_len;
}

/* Is the name before the listed one? */
static bool is_before(const char *name, size_t len, const struct match *than)
{
    size_t n = len < than->len ? len : than->len;
    int order = memcmp(name, than->name, n);

    return order < 0 || (order == 0 && len < than->len);
}

/* Where the name belongs among the listed ones. */
static uint32_t place_of(const struct matches *m, const char *name, size_t len)
{
    uint32_t low = 0, high = m->nr_listed;

    while (low < high) {
        uint32_t middle = low + (high - low) / 2;

        if (is_before(name, len, m->listed[middle]))
            high = middle;
        else
            low = middle + 1;
    }
    return low;
}

static void list(struct matches *m, const char *name, size_t len, uint64_t ino)
{
    uint32_t place = place_of(m, name, len);
    struct match *slot;

    if (place == COMPLETE_LIST_MAX)
        return;
    if (m->nr_listed == COMPLETE_LIST_MAX) {
        slot = m->listed[--m->nr_listed]; /* the last one makes room */
    } else {
        slot = arena_alloc(m->arena, sizeof(*slot));
        if (slot == NULL) {
            m->no_memory = true;
            return;
        }
    }
    for (uint32_t i = m->nr_listed; i > place; i--)
        m->listed[i] = m->listed[i - 1];
    m->listed[place] = slot;
    m->nr_listed++;
    slot->ino = ino;
    slot->len = len;
    memcpy(slot->name, name, len);
    slot->name[len] = '\0';
}

void matches_add(struct matches *m, const char *name, size_t len, uint64_t ino)
{
    size_t same = 0;

    if (len > FS_NAME_MAX || len < m->typed_len || memcmp(name, m->typed, m->typed_len) != 0)
        return;
    if (m->nr++ == 0) {
        memcpy(m->common, name, len);
        m->common_len = len;
    }
    while (same < m->common_len && same < len && m->common[same] == name[same])
        same++;
    m->common_len = same;
    list(m, name, len, ino);
}

size_t matches_insertable(const struct matches *m)
{
    size_t at = m->typed_len, n;

    while (at < m->common_len) {
        n = text_shown_char(m->common + at, m->common_len - at);
        if (n == 0 || m->common[at] == ' ')
            break;
        at += n;
    }
    return at > m->typed_len ? at - m->typed_len : 0;
}
