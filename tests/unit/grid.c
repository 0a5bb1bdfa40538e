/* SPDX-License-Identifier: MIT */
#include "tests/unit/grid.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "core/base/text.h"

#define PARAMS_MAX 8

/* A fuzzer is after what the session does; what its terminal shows is no news to it. */
#if defined(__clang__)
#pragma clang attribute push(__attribute__((no_sanitize("coverage"))), apply_to = function)
#endif

static void finding(struct grid *g, const char *what)
{
    size_t n = 0;

    if (g->bad[0] != '\0')
        return;
    n = (size_t)snprintf(g->bad, sizeof(g->bad), "%s at %u, %u:", what, g->row, g->col);
    for (size_t i = 0; i < g->nr_pending && n < sizeof(g->bad); i++)
        n += (size_t)snprintf(g->bad + n, sizeof(g->bad) - n, " %02x", (uint8_t)g->pending[i]);
}

void grid_resize(struct grid *g, uint32_t rows, uint32_t cols)
{
    if (rows > GRID_ROWS_MAX || cols > GRID_COLS_MAX)
        abort();
    for (uint32_t i = 0; i < rows; i++)
        memset(g->cells[i], 0, cols * sizeof(g->cells[i][0]));
    g->rows = rows;
    g->cols = cols;
    g->row = g->col = 0;
}

void grid_init(struct grid *g, uint32_t rows, uint32_t cols)
{
    memset(g, 0, offsetof(struct grid, cells));
    grid_resize(g, rows, cols);
}

/* A blank of the pen's background, as what is erased looks. */
static struct cell blank(const struct grid *g)
{
    struct cell c;

    memset(&c, 0, sizeof(c));
    c.bg = g->pen.bg;
    return c;
}

static void erase(struct grid *g, uint32_t row, uint32_t from)
{
    for (uint32_t i = from; i < g->cols; i++)
        g->cells[row][i] = blank(g);
}

static void line_feed(struct grid *g)
{
    if (g->row + 1 < g->rows) {
        g->row++;
        return;
    }
    if (g->places)
        finding(g, "a line feed that scrolls");
    for (uint32_t i = 0; i + 1 < g->rows; i++)
        memcpy(g->cells[i], g->cells[i + 1], g->cols * sizeof(g->cells[i][0]));
    erase(g, g->rows - 1, 0);
}

/* The cell is about to be written: the other half of a wide character there is gone. */
static void split(struct grid *g, uint32_t row, uint32_t col)
{
    struct cell *left = col > 0 ? &g->cells[row][col - 1] : NULL;

    if (left == NULL || left->width != 2)
        return;
    memset(left->bytes, 0, sizeof(left->bytes));
    left->width = 0;
}

static void join(struct grid *g, const char *s, size_t len)
{
    uint32_t col = g->col > 0 ? g->col - 1 : 0;
    struct cell *c;

    if (col > 0 && g->cells[g->row][col - 1].width == 2)
        col--;
    c = &g->cells[g->row][col];
    if (strlen(c->bytes) + len < sizeof(c->bytes))
        memcpy(c->bytes + strlen(c->bytes), s, len);
}

static void write_char(struct grid *g, const char *s, size_t len)
{
    uint32_t width = len == 1 ? 1 : (uint32_t)text_cols(s, len);
    struct cell *c;

    if (width == 0) {
        join(g, s, len);
        return;
    }
    if (g->col + width > g->cols) {
        g->col = 0;
        line_feed(g);
    }
    if (g->places && g->col + width >= g->cols)
        finding(g, "a character in the last column");
    split(g, g->row, g->col);
    if (g->col + width < g->cols)
        split(g, g->row, g->col + width);
    for (uint32_t i = 0; i < width; i++) {
        c = &g->cells[g->row][g->col + i];
        *c = g->pen;
        memset(c->bytes, 0, sizeof(c->bytes));
        c->width = 0;
    }
    c = &g->cells[g->row][g->col];
    if (len != 1 || s[0] != ' ')
        memcpy(c->bytes, s, len);
    c->width = (uint8_t)width;
    g->col += width;
}

static void control(struct grid *g, char c)
{
    if (c == '\r') {
        g->col = 0;
    } else if (c == '\n') {
        if (g->cleared)
            g->places = false;
        line_feed(g);
    } else if (c == '\b') {
        g->col -= g->col > 0 ? 1 : 0;
    } else if (c != '\a') {
        finding(g, "a control character");
    }
}

/* ---- control sequences ----------------------------------------------------------------------- */

static void set_pen(struct grid *g, uint32_t p)
{
    if (p == 0)
        memset(&g->pen, 0, sizeof(g->pen));
    else if (p == 1)
        g->pen.bold = true;
    else if (p == 5)
        g->pen.blink = true;
    else if (p == 7)
        g->pen.reverse = true;
    else if (p >= 30 && p <= 37)
        g->pen.fg = (uint8_t)p;
    else if (p >= 40 && p <= 47)
        g->pen.bg = (uint8_t)p;
    else
        finding(g, "an attribute");
}

static void go_to(struct grid *g, const uint32_t *params, uint32_t nr)
{
    uint32_t row = nr > 0 && params[0] > 0 ? params[0] : 1;
    uint32_t col = nr > 1 && params[1] > 0 ? params[1] : 1;
    bool edge = row == 999 && col == 999; /* on the way to ask for the size */

    if (nr != 0 && nr != 2)
        finding(g, "a place");
    if ((row > g->rows || col > g->cols) && !edge)
        finding(g, "a place outside");
    g->row = (row < g->rows ? row : g->rows) - 1;
    g->col = (col < g->cols ? col : g->cols) - 1;
    if (nr > 0)
        g->places = true;
}

static void sequence(struct grid *g, const uint32_t *params, uint32_t nr, char final)
{
    g->cleared = false;
    if (final == 'H') {
        go_to(g, params, nr);
    } else if (final == 'm') {
        for (uint32_t i = 0; i < nr; i++)
            set_pen(g, params[i]);
        if (nr == 0)
            finding(g, "CSI m without a number");
    } else if (final == 'n' && nr == 1 && params[0] == 6) {
        g->asked = true;
        g->asked_row = g->row + 1;
        g->asked_col = g->col + 1;
    } else if (final == 'J' && nr == 1 && params[0] == 2) {
        for (uint32_t i = 0; i < g->rows; i++)
            erase(g, i, 0);
        g->places = g->cleared = true;
    } else if (final == 'J' && nr == 0) {
        erase(g, g->row, g->col);
        for (uint32_t i = g->row + 1; i < g->rows; i++)
            erase(g, i, 0);
    } else if (final == 'K' && nr == 0) {
        erase(g, g->row, g->col);
    } else {
        finding(g, "a control sequence");
    }
}

/* ESC and what follows; true when all of it is there. */
static bool escape(struct grid *g)
{
    uint32_t params[PARAMS_MAX] = {0}, nr = 0;
    size_t n = g->nr_pending;
    char final = g->pending[n - 1];

    if (n == 1)
        return false;
    if (g->pending[1] != '[' || n == sizeof(g->pending)) {
        finding(g, "an escape sequence");
        return true;
    }
    if (n == 2 || (final >= '0' && final <= '9') || final == ';')
        return false;
    for (size_t i = 2; i + 1 < n; i++) {
        char c = g->pending[i];

        nr = nr == 0 ? 1 : nr;
        if (c != ';')
            params[nr - 1] = params[nr - 1] * 10 + (uint32_t)(c - '0');
        else if (nr < PARAMS_MAX)
            nr++;
    }
    sequence(g, params, nr, final);
    return true;
}

static void one_byte(struct grid *g, char byte)
{
    uint8_t lead;
    size_t want;

    g->pending[g->nr_pending++] = byte;
    if (g->pending[0] == '\033') {
        if (escape(g))
            g->nr_pending = 0;
        return;
    }
    lead = (uint8_t)g->pending[0];
    want = lead < 0xc0 ? 1 : lead < 0xe0 ? 2 : lead < 0xf0 ? 3 : 4;
    if (g->nr_pending < want)
        return;
    if (lead < 0x20 || lead == 0x7f)
        control(g, byte);
    else if (text_shown_char(g->pending, g->nr_pending) != want)
        finding(g, "no UTF-8");
    else
        write_char(g, g->pending, want);
    if (byte != '\r')
        g->cleared = false;
    g->nr_pending = 0;
}

void grid_put(struct grid *g, const char *s, size_t len)
{
    for (size_t i = 0; i < len; i++)
        one_byte(g, s[i]);
}

/* ---- looking --------------------------------------------------------------------------------- */

const char *grid_row(const struct grid *g, uint32_t row)
{
    static char text[GRID_COLS_MAX * sizeof(g->cells[0][0].bytes) + 1];
    size_t len = 0, end = 0;

    for (uint32_t i = 0; i < g->cols; i++) {
        const struct cell *c = &g->cells[row][i];
        size_t n = strlen(c->bytes);

        if (n == 0 && i > 0 && g->cells[row][i - 1].width == 2)
            continue;
        memcpy(text + len, n > 0 ? c->bytes : " ", n > 0 ? n : 1);
        len += n > 0 ? n : 1;
        end = n > 0 ? len : end;
    }
    text[end] = '\0';
    return text;
}

bool grid_row_reversed(const struct grid *g, uint32_t row)
{
    for (uint32_t i = 0; i < g->cols; i++) {
        if (g->cells[row][i].reverse)
            return true;
    }
    return false;
}

bool grid_same(const struct grid *a, const struct grid *b)
{
    if (a->rows != b->rows || a->cols != b->cols || a->row != b->row || a->col != b->col)
        return false;
    for (uint32_t i = 0; i < a->rows; i++) {
        if (memcmp(a->cells[i], b->cells[i], a->cols * sizeof(a->cells[i][0])) != 0)
            return false;
    }
    return true;
}

void grid_print(const struct grid *g)
{
    printf("%u x %u, the cursor at %u, %u%s%s\n", g->cols, g->rows, g->row, g->col,
           g->bad[0] != '\0' ? "; finding: " : "", g->bad);
    for (uint32_t i = 0; i < g->rows; i++)
        printf("%c%s\n", grid_row_reversed(g, i) ? '*' : ' ', grid_row(g, i));
}

#if defined(__clang__)
#pragma clang attribute pop
#endif
