/* SPDX-License-Identifier: MIT */
#include "core/menu/pager.h"

#include <string.h>

#include "core/base/text.h"

#define WAIT_MS   60000
#define GAP       2                            /* columns between columns */
#define ROW_BYTES ((size_t)COLUMNS_MAX * 1088) /* a name of 255 bytes, escaped, and blanks */

/* Ask; how many more rows may be written comes out as nr_rows. */
static void more(struct pager *p)
{
    int key;

    screen_str(p->sc, "--More--");
    do
        key = screen_key(p->sc, WAIT_MS);
    while ((key == KEY_NONE || key == KEY_OTHER || key == KEY_SIZE) && p->sc->somebody);
    if (key == KEY_NONE) { /* the terminal is gone; what it logs is whole all the same */
        screen_str(p->sc, "\r\n");
        return;
    }
    screen_str(p->sc, "\r\033[K");
    p->nr_rows = 0;
    if (key == '\r' || key == '\n' || key == KEY_DOWN)
        p->nr_rows = screen_rows(p->sc) - 2;
    p->quit = key == 'q' || key == 'Q' || key == KEY_ESC || key == KEY_CTRL('C');
}

static void pager_line(void *ctx, const char *text)
{
    struct pager *p = ctx;
    size_t cols = text_cols(text, strlen(text));
    uint32_t rows = cols == 0 ? 1 : (uint32_t)((cols - 1) / screen_cols(p->sc) + 1);

    if (p->sc->somebody && !p->off && !p->quit && p->nr_rows > 0 &&
        p->nr_rows + rows > screen_rows(p->sc) - 1)
        more(p);
    if (p->quit)
        return;
    screen_line(p->sc, text);
    p->nr_rows += rows;
}

void pager_init(struct pager *p, struct screen *sc)
{
    *p = (struct pager){.sc = sc, .log = {.ctx = p, .line = pager_line}};
}

void pager_begin(struct pager *p)
{
    p->nr_rows = 0;
    p->quit = false;
}

struct err columns_print(const struct log *log, struct arena *a, const char *const *names,
                         size_t nr, size_t width)
{
    size_t widest = 0, nr_cols, nr_rows;
    char *row = arena_alloc(a, ROW_BYTES);

    if (row == NULL)
        return arena_exhausted("no memory for a list (%a bytes asked)", ROW_BYTES);
    if (nr == 0)
        return OK;
    for (size_t i = 0; i < nr; i++) {
        size_t cols = text_cols(names[i], strlen(names[i]));

        widest = cols > widest ? cols : widest;
    }
    /* A space before each row; the last column needs no gap behind it. */
    nr_cols = width > widest + 1 ? (width - 1 + GAP) / (widest + GAP) : 1;
    if (nr_cols > COLUMNS_MAX)
        nr_cols = COLUMNS_MAX;
    nr_rows = (nr - 1) / nr_cols + 1;
    for (size_t r = 0; r < nr_rows; r++) {
        struct text t = text_on(row, ROW_BYTES);
        size_t missing = 1;

        for (size_t i = r; i < nr; i += nr_rows) {
            for (; missing > 0; missing--)
                text_char(&t, ' ');
            text_name(&t, names[i], strlen(names[i]));
            missing = widest + GAP - text_cols(names[i], strlen(names[i]));
        }
        log_line(log, row);
    }
    return OK;
}
