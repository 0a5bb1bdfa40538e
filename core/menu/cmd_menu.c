/* SPDX-License-Identifier: MIT */
/* The commands before the first title. */
#include <string.h>

#include "core/base/bytes.h"
#include "core/menu/cmd.h"
#include "core/menu/lex.h"

/* The first word of args as a number below 2^32. */
static struct err one_number(const char *args, uint32_t *out)
{
    const char *word;
    size_t len;
    uint64_t v;

    if (!lex_word(&args, &word, &len))
        return ERR(ERR_BAD_ARGUMENT, "a number is missing");
    if (!lex_number(word, len, &v) || v > UINT32_MAX)
        return ERR(ERR_NUMBER_PARSING, "a number from 0 to 4294967295 is wanted");
    *out = (uint32_t)v;
    return OK;
}

struct err menu_default(struct menu_settings *s, const char *args, const struct log *log)
{
    const char *rest = args, *word;
    size_t len;

    if (lex_word(&rest, &word, &len) && lex_is(word, len, "saved")) {
        (void)log; /* it is read once the whole menu is known */
        s->default_saved = true;
        s->default_entry = 0;
        return OK;
    }
    TRY(one_number(args, &s->default_entry));
    s->default_saved = false;
    return OK;
}

struct err menu_timeout(struct menu_settings *s, const char *args, const struct log *log)
{
    (void)log;
    TRY(one_number(args, &s->timeout_s));
    s->has_timeout = true;
    return OK;
}

struct err menu_fallback(struct menu_settings *s, const char *args, const struct log *log)
{
    uint32_t list[MENU_FALLBACK_MAX], nr = 0;
    const char *word;
    size_t len;
    uint64_t v;

    (void)log;
    while (lex_word(&args, &word, &len)) {
        if (!lex_number(word, len, &v) || v > UINT32_MAX)
            return ERR(ERR_NUMBER_PARSING, "a list of entry numbers is wanted: fallback 1 2");
        if (nr == MENU_FALLBACK_MAX)
            return ERR1(ERR_LIMIT, "more than %a entries in the list", MENU_FALLBACK_MAX);
        list[nr++] = (uint32_t)v;
    }
    if (nr == 0)
        return ERR(ERR_BAD_ARGUMENT, "an entry number is missing");
    memcpy(s->fallbacks, list, nr * sizeof(list[0]));
    s->nr_fallbacks = nr;
    return OK;
}

struct err menu_hiddenmenu(struct menu_settings *s, const char *args, const struct log *log)
{
    (void)args;
    (void)log;
    s->hidden = true;
    return OK;
}

/*
 * A line that cannot be understood locks: who wrote it wanted the menu to be locked. A later line
 * that can be understood counts instead.
 */
struct err menu_password(struct menu_settings *s, const char *args, const struct log *log)
{
    struct err e = password_parse(&s->password, args, &s->password_menu);

    s->has_password = true;
    if (failed(e))
        log_line(log,
                 "menu: there is a password that nobody can know: the menu is locked, and only "
                 "boots its entries");
    return e;
}

/* ---- color ----------------------------------------------------------------------------------- */

/* By the number that a PC's text screen has for them; the first eight can be backgrounds. */
static const char *const color_words[16] = {
    "black",     "blue",          "green",     "cyan",       "red",         "magenta",
    "brown",     "light-gray",    "dark-gray", "light-blue", "light-green", "light-cyan",
    "light-red", "light-magenta", "yellow",    "white",
};

/* The three bits are blue, green, red for a PC, and red, green, blue for ANSI. */
static uint8_t ansi_of(unsigned pc)
{
    return (uint8_t)((pc & 1) << 2 | (pc & 2) | (pc >> 2 & 1));
}

static struct menu_color_pair pair_of(unsigned foreground, unsigned background, bool blink)
{
    return (struct menu_color_pair){.foreground =
                                        (uint8_t)((foreground & 8 ? 90 : 30) + ansi_of(foreground)),
                                    .background = (uint8_t)(40 + ansi_of(background)),
                                    .blink = blink};
}

static bool color_word(const char *word, size_t len, unsigned *out)
{
    for (unsigned i = 0; i < ARRAY_LEN(color_words); i++) {
        *out = i;
        if (lex_is(word, len, color_words[i]))
            return true;
    }
    return false;
}

/* "light-gray/blue", "blink-white/black", or an attribute byte of a PC's text screen: 0x17. */
static bool color_pair(const char *word, size_t len, struct menu_color_pair *out,
                       struct menu_color_pair *inverted)
{
    unsigned foreground, background;
    bool blink = len > 6 && memcmp(word, "blink-", 6) == 0;
    const char *slash = memchr(word, '/', len);
    uint64_t v;

    if (lex_number(word, len, &v)) {
        if (v > 255)
            return false;
        foreground = v & 15;
        background = v >> 4 & 7;
        blink = (v & 128) != 0;
    } else {
        if (blink) {
            word += 6;
            len -= 6;
        }
        if (slash == NULL || !color_word(word, (size_t)(slash - word), &foreground) ||
            !color_word(slash + 1, (size_t)(word + len - slash) - 1, &background) || background > 7)
            return false;
    }
    *out = pair_of(foreground, background, blink);
    *inverted = pair_of(background, foreground & 7, false);
    return true;
}

struct err menu_color(struct menu_settings *s, const char *args, const struct log *log)
{
    struct menu_color_pair normal, highlight, unused;
    const char *word;
    size_t len;

    (void)log;
    if (!lex_word(&args, &word, &len))
        return ERR(ERR_BAD_ARGUMENT, "colours are wanted: color light-gray/blue black/light-gray");
    if (!color_pair(word, len, &normal, &highlight))
        return ERR(ERR_BAD_ARGUMENT, "no such colours: FOREGROUND/BACKGROUND, as in white/blue; "
                                     "backgrounds are black to light-gray");
    if (lex_word(&args, &word, &len) && !color_pair(word, len, &highlight, &unused))
        return ERR(ERR_BAD_ARGUMENT, "no such colours for the selected entry: "
                                     "FOREGROUND/BACKGROUND, as in white/blue");
    s->has_color = true;
    s->color_normal = normal;
    s->color_highlight = highlight;
    return OK;
}
