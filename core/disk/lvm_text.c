/* SPDX-License-Identifier: MIT */
/*
 * The text of a volume group: sections and values, as LVM's configuration files have them.
 *
 *     vg0 {                          a section
 *         id = "..."                 a string; \" and \\ inside
 *         seqno = 3                  a number
 *         status = ["READ", "WRITE"] a list; may be empty, or run over several lines
 *     }                              # a comment ends with its line
 *
 * Source: lvm.conf(5) and the format specification of the libvslvm project. No recursion: a stack
 * of the sections that are open.
 */
#include <string.h>

#include "core/base/bytes.h"
#include "core/base/text.h"
#include "core/disk/lvm.h"

#define NODES_MAX ((uint32_t)1 << 18)

struct parser {
    const char *text;
    size_t len, at;
    struct arena *arena;
    uint32_t nr_nodes;
};

static struct err damaged(const struct parser *p, const char *sentence)
{
    return ERR_AT(ERR_FS_DAMAGED, p->at, sentence, 0, 0);
}

/* Past blanks and comments; the next character, or 0 at the end. */
static char skip(struct parser *p)
{
    for (; p->at < p->len; p->at++) {
        char c = p->text[p->at];

        if (c == '#') {
            while (p->at < p->len && p->text[p->at] != '\n' && p->text[p->at] != '\0')
                p->at++;
            p->at--; /* the loop's step */
            continue;
        }
        if (c != ' ' && c != '\t' && c != '\n' && c != '\r')
            return c;
    }
    return '\0';
}

/* What names of sections and values, and numbers, are made of. */
static bool is_word_char(char c)
{
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '_' ||
           c == '-' || c == '.' || c == '+' || c == '/';
}

static size_t word(struct parser *p, const char **out)
{
    size_t from = p->at;

    while (p->at < p->len && is_word_char(p->text[p->at]))
        p->at++;
    *out = p->text + from;
    return p->at - from;
}

static struct err new_node(struct parser *p, struct lvm_node **out)
{
    if (++p->nr_nodes > NODES_MAX)
        return ERR_AT(ERR_LIMIT, p->at, "LVM metadata with more than %a values", NODES_MAX, 0);
    *out = arena_alloc(p->arena, sizeof(**out));
    return *out != NULL ? OK : arena_exhausted("LVM metadata, %a bytes", sizeof(**out));
}

static struct err read_string(struct parser *p, struct lvm_node *n)
{
    size_t from = ++p->at;

    while (p->at < p->len && p->text[p->at] != '"' && p->text[p->at] != '\0') {
        if (p->text[p->at] == '\\')
            p->at++;
        if (p->at < p->len)
            p->at++;
    }
    if (p->at >= p->len || p->text[p->at] != '"')
        return damaged(p, "LVM metadata: a string has no end");
    n->kind = LVM_STRING;
    n->str = p->text + from;
    n->str_len = p->at++ - from;
    return OK;
}

/* A string or a number; numbers that are negative or broken are kept as strings. */
static struct err read_scalar(struct parser *p, struct lvm_node *n)
{
    if (skip(p) == '"')
        return read_string(p, n);
    n->str_len = word(p, &n->str);
    if (n->str_len == 0)
        return damaged(p, "LVM metadata: a value is missing");
    n->kind = text_parse_u64(n->str, n->str_len, &n->number) ? LVM_NUMBER : LVM_STRING;
    return OK;
}

static struct err read_list(struct parser *p, struct lvm_node *list)
{
    struct lvm_node **end = &list->child;

    list->kind = LVM_LIST;
    p->at++;
    while (skip(p) != ']') {
        TRY(new_node(p, end));
        TRY(read_scalar(p, *end));
        end = &(*end)->next;
        if (skip(p) == ',')
            p->at++;
        else if (skip(p) != ']')
            return damaged(p, "LVM metadata: a list is broken");
    }
    p->at++;
    return OK;
}

struct err lvm_text_parse(const char *text, size_t len, struct arena *a, struct lvm_node **root)
{
    struct parser p = {.text = text, .len = len, .arena = a};
    struct lvm_node **ends[LVM_DEPTH_MAX + 1]; /* of each open section: where the next child goes */
    unsigned depth = 0;
    char c;

    TRY(new_node(&p, root));
    (*root)->kind = LVM_SECTION;
    ends[0] = &(*root)->child;
    while ((c = skip(&p)) != '\0') {
        struct lvm_node *n;

        if (c == '}') {
            if (depth == 0)
                return damaged(&p, "LVM metadata: a section ends that never began");
            depth--;
            p.at++;
            continue;
        }
        TRY(new_node(&p, &n));
        n->key_len = word(&p, &n->key);
        if (n->key_len == 0)
            return damaged(&p, "LVM metadata: a name is missing");
        *ends[depth] = n;
        ends[depth] = &n->next;
        c = skip(&p);
        p.at++;
        if (c == '{') {
            if (depth == LVM_DEPTH_MAX)
                return ERR_AT(ERR_LIMIT, p.at, "LVM metadata with sections %a deep", depth + 1, 0);
            ends[++depth] = &n->child;
        } else if (c == '=') {
            TRY(skip(&p) == '[' ? read_list(&p, n) : read_scalar(&p, n));
        } else {
            return damaged(&p, "LVM metadata: neither a section nor a value");
        }
    }
    return depth == 0 ? OK : damaged(&p, "LVM metadata: a section has no end");
}

const struct lvm_node *lvm_child(const struct lvm_node *section, const char *key)
{
    size_t len = strlen(key);

    if (section == NULL || section->kind != LVM_SECTION)
        return NULL;
    for (const struct lvm_node *n = section->child; n != NULL; n = n->next) {
        if (n->key_len == len && memcmp(n->key, key, len) == 0)
            return n;
    }
    return NULL;
}

bool lvm_is(const struct lvm_node *string, const char *s)
{
    return string != NULL && string->kind == LVM_STRING && string->str_len == strlen(s) &&
           memcmp(string->str, s, string->str_len) == 0;
}
