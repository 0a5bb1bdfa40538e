/* SPDX-License-Identifier: MIT */
#include "core/menu/keys.h"

#include "core/base/bytes.h"
#include "core/menu/screen.h"

#define REST_MS     100 /* the rest of a key's sequence comes within this time */
#define SEQ_MAX     256 /* bytes of a sequence or a string that are eaten: then it ends anyhow */
#define NR_PARAMS   3   /* that are kept: number and modifier, and what is one too many */
#define PARAM_MAX   9999
#define CAN         0x18 /* these two end a sequence */
#define SUB         0x1a
#define BEL         0x07
#define MODIFY_NONE 1

static int next_byte(struct screen *sc, uint32_t timeout_ms)
{
    struct keys *k = &sc->keys;

    if (k->nr_bytes > 0)
        return k->bytes[--k->nr_bytes];
    int c = sc->env->get(sc->env->ctx, timeout_ms);

    if (c == SESSION_GONE)
        sc->somebody = false;
    if (c < 0)
        return KEY_NONE;
    sc->somebody = true;
    return c & 0xff;
}

/* At most two at a time: what begins a new key, and perhaps the ESC before it. */
static void unread_byte(struct screen *sc, int c)
{
    if (sc->keys.nr_bytes < ARRAY_LEN(sc->keys.bytes))
        sc->keys.bytes[sc->keys.nr_bytes++] = c;
}

/* A control sequence as ECMA-48 writes it: CSI parameters intermediates final. */
struct sequence {
    uint32_t nr_params;
    uint32_t params[NR_PARAMS]; /* 0: not given */
    char mark;                  /* '?', '<', ...: a private one; 0: none */
    bool odd;                   /* intermediate bytes, or sub-parameters */
    int final;                  /* 0: it broke off */
};

static void add_digit(struct sequence *seq, uint32_t digit)
{
    if (seq->nr_params == 0)
        seq->nr_params = 1;
    if (seq->nr_params > NR_PARAMS)
        return;
    uint32_t *p = &seq->params[seq->nr_params - 1];

    *p = *p > PARAM_MAX / 10 ? PARAM_MAX : *p * 10 + digit;
}

/* A byte of a sequence that is neither its final one nor the end of the reading. */
static void take_byte(struct sequence *seq, int c)
{
    if (c >= '0' && c <= '9') {
        add_digit(seq, (uint32_t)(c - '0'));
    } else if (c == ';') {
        if (seq->nr_params == 0)
            seq->nr_params = 1;
        if (seq->nr_params <= NR_PARAMS)
            seq->nr_params++;
    } else if (c >= '<' && c <= '?') {
        seq->mark = (char)c;
    } else {
        seq->odd = true;
    }
}

/*
 * What follows CSI or SS3. A byte that no sequence can hold ends it; ESC, Enter and the like are
 * then keys of their own.
 */
static void read_sequence(struct screen *sc, struct sequence *seq)
{
    *seq = (struct sequence){0};
    for (uint32_t i = 0; i < SEQ_MAX; i++) {
        int c = next_byte(sc, REST_MS);

        if (c == KEY_NONE || c == CAN || c == SUB)
            return;
        if (c < 0x20 || c > 0x7e) {
            unread_byte(sc, c);
            return;
        }
        if (c >= 0x40 || (c == '$' && seq->mark == 0)) { /* rxvt ends keys with Shift in $ */
            seq->final = c;
            return;
        }
        take_byte(seq, c);
    }
}

/* Eat a string (OSC, DCS, ...) up to BEL or ST; false when nothing at all came. */
static bool eat_string(struct screen *sc)
{
    int before = 0;

    for (uint32_t i = 0; i < SEQ_MAX; i++) {
        int c = next_byte(sc, REST_MS);

        if (c == KEY_NONE)
            return i > 0;
        if (c == BEL || c == CAN || c == SUB || (before == KEY_ESC && c == '\\'))
            return true;
        before = c;
    }
    return true;
}

/* "CSI n ~". */
static int numbered_key(uint32_t n)
{
    switch (n) {
    case 1:
    case 7:
        return KEY_HOME;
    case 2:
        return KEY_INSERT;
    case 3:
        return KEY_DELETE;
    case 4:
    case 8:
        return KEY_END;
    case 5:
        return KEY_PAGE_UP;
    case 6:
        return KEY_PAGE_DOWN;
    case 14:
        return KEY_F4;
    default:
        return KEY_OTHER;
    }
}

/* The final byte that CSI and SS3 have in common; modified: with Ctrl or Alt. */
static int lettered_key(int final, bool modified)
{
    switch (final) {
    case 'A':
        return KEY_UP;
    case 'B':
        return KEY_DOWN;
    case 'C':
        return modified ? KEY_WORD_RIGHT : KEY_RIGHT;
    case 'D':
        return modified ? KEY_WORD_LEFT : KEY_LEFT;
    case 'H':
        return KEY_HOME;
    case 'F':
        return KEY_END;
    default:
        return KEY_OTHER;
    }
}

/* The answer to CSI 6n. One that nobody asked for is F3 with a modifier, or a liar. */
static int size_answer(struct screen *sc, const struct sequence *seq)
{
    if (seq->nr_params != 2 || !screen_told_size(sc, seq->params[0], seq->params[1]))
        return KEY_OTHER;
    return KEY_SIZE;
}

static int csi_key(struct screen *sc)
{
    struct sequence seq;

    read_sequence(sc, &seq);
    if (seq.mark != 0 || seq.odd)
        return KEY_OTHER;
    switch (seq.final) {
    case '~':
        return numbered_key(seq.params[0]);
    case 'R':
        return size_answer(sc, &seq);
    case '[': /* the Linux console's F1 to F5: one letter more */
        return next_byte(sc, REST_MS) == 'D' ? KEY_F4 : KEY_OTHER;
    case 'M': /* a mouse as in X10: three bytes more */
        for (int i = 0; i < 3 && seq.nr_params == 0; i++)
            next_byte(sc, REST_MS);
        return KEY_OTHER;
    default:
        return lettered_key(seq.final, seq.params[1] > MODIFY_NONE);
    }
}

/* SS3: cursor keys in application mode, F4, the keypad of a VT100. rxvt: small letters, Ctrl. */
static int ss3_key(struct screen *sc)
{
    struct sequence seq;

    read_sequence(sc, &seq);
    if (seq.mark != 0 || seq.odd)
        return KEY_OTHER;
    if (seq.final == 'M')
        return '\r';
    if (seq.final == 'S')
        return KEY_F4;
    if (seq.final >= 'j' && seq.final <= 'y')
        return seq.final - 'j' + '*';
    if (seq.final >= 'a' && seq.final <= 'd')
        return lettered_key(seq.final - 'a' + 'A', true);
    /* "SS3 5 C" is Ctrl-Right of an old xterm, the modifier where CSI has its number. */
    return lettered_key(seq.final, seq.params[0] > MODIFY_NONE || seq.params[1] > MODIFY_NONE);
}

/* After ESC. */
static int escaped_key(struct screen *sc)
{
    int c = next_byte(sc, REST_MS);

    switch (c) {
    case KEY_NONE:
        return KEY_ESC;
    case '[':
        return csi_key(sc);
    case 'O':
        return ss3_key(sc);
    case ']':
    case 'P':
    case 'X':
    case '^':
    case '_':
        return eat_string(sc) ? KEY_OTHER : KEY_ALT | c;
    case 0x7f: /* Alt and backspace, which deletes a word */
        return KEY_ALT | c;
    default:
        if (c > 0x20 && c < 0x7f)
            return KEY_ALT | c;
        unread_byte(sc, c);
        return KEY_ESC;
    }
}

/* ESC ESC [ A is Alt-Up of rxvt; without a sequence behind it the first ESC is a key. */
static int twice_escaped_key(struct screen *sc)
{
    int c = next_byte(sc, REST_MS);

    if (c != '[' && c != 'O') {
        if (c != KEY_NONE)
            unread_byte(sc, c);
        unread_byte(sc, KEY_ESC);
        return KEY_ESC;
    }
    int key = c == '[' ? csi_key(sc) : ss3_key(sc);

    if (key == KEY_LEFT)
        return KEY_WORD_LEFT;
    return key == KEY_RIGHT ? KEY_WORD_RIGHT : key;
}

int screen_new_key(struct screen *sc, uint32_t timeout_ms)
{
    int c = next_byte(sc, timeout_ms);

    if (c != KEY_ESC)
        return c;
    c = next_byte(sc, REST_MS);
    if (c == KEY_ESC)
        return twice_escaped_key(sc);
    if (c == KEY_NONE)
        return KEY_ESC;
    unread_byte(sc, c);
    return escaped_key(sc);
}

void screen_put_off(struct screen *sc, int key)
{
    struct keys *k = &sc->keys;

    if (k->nr_keys < ARRAY_LEN(k->keys))
        k->keys[k->nr_keys++] = key;
}

int screen_key(struct screen *sc, uint32_t timeout_ms)
{
    struct keys *k = &sc->keys;

    if (k->nr_keys == 0)
        return screen_new_key(sc, timeout_ms);
    int key = k->keys[0];

    k->nr_keys--;
    memmove(k->keys, k->keys + 1, k->nr_keys * sizeof(k->keys[0]));
    return key;
}
