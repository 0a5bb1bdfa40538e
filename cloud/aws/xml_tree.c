/* SPDX-License-Identifier: MIT */
#include "cloud/aws/xml_tree.h"

#include <expat.h>
#include <limits.h>
#include <string.h>

#include "host/xenhost/buf.h"

struct reading {
    XML_Parser parser;
    struct arena *arena;
    struct xml_node *root;
    struct xml_node *open[TREE_DEPTH_MAX], **last[TREE_DEPTH_MAX]; /* where the next child goes */
    unsigned depth, nr_nodes;
    struct buf text;
    bool bad;
};

static void give_up(struct reading *r)
{
    r->bad = true;
    XML_StopParser(r->parser, XML_FALSE);
}

static void on_start(void *ctx, const char *name, const char **attributes)
{
    struct reading *r = ctx;
    struct xml_node *n = arena_alloc(r->arena, sizeof(*n));
    char *copy = arena_strndup(r->arena, name, strlen(name));

    (void)attributes;
    if (n == NULL || copy == NULL || r->depth == TREE_DEPTH_MAX || r->nr_nodes == TREE_NODES_MAX) {
        give_up(r);
        return;
    }
    n->name = copy;
    n->text = "";
    if (r->depth == 0) {
        r->root = n;
    } else {
        *r->last[r->depth - 1] = n;
        r->last[r->depth - 1] = &n->next;
    }
    r->open[r->depth] = n;
    r->last[r->depth] = &n->child;
    r->depth++;
    r->nr_nodes++;
    buf_clear(&r->text);
}

static void on_text(void *ctx, const char *text, int len)
{
    buf_add(&((struct reading *)ctx)->text, text, (size_t)len);
}

static void on_end(void *ctx, const char *name)
{
    struct reading *r = ctx;
    struct xml_node *n;

    (void)name;
    if (r->bad)
        return;
    n = r->open[--r->depth];
    if (n->child == NULL && r->text.len > 0) {
        n->text = arena_strndup(r->arena, r->text.text, r->text.len);
        if (n->text == NULL) {
            n->text = "";
            give_up(r);
        }
    }
    buf_clear(&r->text);
}

static void on_doctype(void *ctx, const char *name, const char *system, const char *public,
                       int internal)
{
    (void)name;
    (void)system;
    (void)public;
    (void)internal;
    give_up(ctx);
}

const struct xml_node *tree_read(const char *bytes, size_t len, struct arena *a)
{
    struct reading r = {.arena = a, .parser = XML_ParserCreate(NULL)};
    bool good;

    if (r.parser == NULL || len > INT_MAX) {
        XML_ParserFree(r.parser);
        return NULL;
    }
    buf_clear(&r.text);
    XML_SetUserData(r.parser, &r);
    XML_SetElementHandler(r.parser, on_start, on_end);
    XML_SetCharacterDataHandler(r.parser, on_text);
    XML_SetStartDoctypeDeclHandler(r.parser, on_doctype);
    good = XML_Parse(r.parser, bytes, (int)len, 1) == XML_STATUS_OK && !r.bad;
    XML_ParserFree(r.parser);
    buf_free(&r.text);
    return good ? r.root : NULL;
}

const struct xml_node *tree_find(const struct xml_node *n, const char *path)
{
    while (n != NULL && *path != '\0') {
        size_t len = strcspn(path, "/");

        for (n = n->child; n != NULL; n = n->next) {
            if (strncmp(n->name, path, len) == 0 && n->name[len] == '\0')
                break;
        }
        path += len;
        path += *path == '/' ? 1 : 0;
    }
    return n;
}

const char *tree_text(const struct xml_node *n, const char *path)
{
    const struct xml_node *found = tree_find(n, path);

    return found != NULL ? found->text : "";
}

const struct xml_node *tree_next(const struct xml_node *n)
{
    const char *name = n->name;

    do {
        n = n->next;
    } while (n != NULL && strcmp(n->name, name) != 0);
    return n;
}
