/* SPDX-License-Identifier: MIT */
/*
 * The edited line on its row:  prompt, text, and the last column left free, because terminals
 * disagree on where the cursor is after writing there.
 *
 *     pvboot> <ot=/dev/xvda ro console=hvc0 quiet systemd.unit=rescue.tar>
 */
#include <string.h>

#include "core/base/bytes.h"
#include "core/base/text.h"
#include "core/menu/edit_parts.h"

#define ROOM_MIN 10 /* columns for text, however narrow the terminal */
STATIC_ASSERT(SCREEN_COLS_MIN >= 3 + ROOM_MIN, "there is room behind two columns of prompt");

static void flush(struct editor *ed)
{
    if (ed->out_len > 0)
        ed->sc->env->put(ed->sc->env->ctx, ed->out, ed->out_len);
    ed->out_len = 0;
}

static void out(struct editor *ed, const char *s, size_t len)
{
    if (len > sizeof(ed->out) - ed->out_len)
        flush(ed);
    if (len > sizeof(ed->out)) {
        ed->sc->env->put(ed->sc->env->ctx, s, len);
        return;
    }
    memcpy(ed->out + ed->out_len, s, len);
    ed->out_len += len;
}

static void out_str(struct editor *ed, const char *s)
{
    out(ed, s, strlen(s));
}

/* The columns of the character [at, end). */
static size_t char_cols(const struct editor *ed, size_t at, size_t end)
{
    if (ed->opt->secret)
        return 1;
    return text_cols(ed->buf + at, end - at);
}

static void out_char(struct editor *ed, size_t at, size_t end)
{
    char buf[8];
    struct text t = text_on(buf, sizeof(buf));

    if (ed->opt->secret)
        text_char(&t, '*');
    else
        text_name(&t, ed->buf + at, end - at);
    out(ed, buf, t.len);
}

static size_t cols_before(const struct editor *ed, size_t at)
{
    size_t cols = 0;

    for (size_t i = 0, end; i < at; i = end) {
        end = edit_after(ed, i);
        cols += char_cols(ed, i, end);
    }
    return cols;
}

/* On a narrow terminal only the prompt's end. */
static const char *prompt(const struct editor *ed)
{
    size_t len = strlen(ed->opt->prompt);

    return len > 2 && len + 1 + ROOM_MIN > screen_cols(ed->sc) ? ed->opt->prompt + len - 2
                                                               : ed->opt->prompt;
}

/* The columns for text; the terminal has at least SCREEN_COLS_MIN. */
static size_t room(const struct editor *ed)
{
    return screen_cols(ed->sc) - strlen(prompt(ed)) - 1;
}

/* Scroll so that column `cursor` of the line is neither under a mark nor outside. */
static void scroll(struct editor *ed, size_t cursor, size_t width)
{
    bool in = cursor >= ed->left && cursor - ed->left <= width - 2;

    if (ed->left > 0 && cursor == ed->left)
        in = false;
    if (!in)
        ed->left = cursor > width * 2 / 3 ? cursor - width / 2 : 0;
}

/* The part of the text that is in the row; returns the column behind it, from the prompt on. */
static size_t out_text(struct editor *ed, size_t width)
{
    size_t col = 0, pos = ed->left, i, end;

    if (ed->left > 0) {
        out_str(ed, "<");
        pos++;
    }
    for (i = 0; i < ed->len; i = end) {
        size_t cols;

        end = edit_after(ed, i);
        cols = char_cols(ed, i, end);
        if (col >= pos) {
            if (col + cols > ed->left + width - 1)
                break;
            out_char(ed, i, end);
            pos = col + cols;
        } else if (col + cols > pos) { /* one half of a wide character */
            out_str(ed, " ");
            pos = col + cols;
        }
        col += cols;
    }
    if (i == ed->len)
        return pos - ed->left;
    for (; pos < ed->left + width - 1; pos++)
        out_str(ed, " ");
    out_str(ed, ">");
    return width;
}

void edit_show(struct editor *ed)
{
    size_t width = room(ed), cursor = cols_before(ed, ed->at), end;

    scroll(ed, cursor, width);
    out_str(ed, "\r");
    out_str(ed, prompt(ed));
    end = out_text(ed, width);
    out_str(ed, "\033[K");
    for (; end > cursor - ed->left; end--)
        out_str(ed, "\b");
    flush(ed);
}

void edit_show_typed(struct editor *ed, size_t from)
{
    size_t cursor = cols_before(ed, ed->at);

    if (ed->at < ed->len || cursor < ed->left || cursor - ed->left > room(ed) - 2) {
        edit_show(ed);
        return;
    }
    for (size_t end; from < ed->at; from = end) {
        end = edit_after(ed, from);
        out_char(ed, from, end);
    }
    flush(ed);
}
