/* SPDX-License-Identifier: MIT */
/*
 * The answer of a service that is not what it should be: reading it as a tree must end, and every
 * element of the tree must be found again by its path.
 */
#include "cloud/aws/xml_tree.h"

#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "host/memory.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* Depth first; names are not empty, and the first of a name is found by it. */
static void walk(const struct xml_node *parent, unsigned depth)
{
    if (depth >= TREE_DEPTH_MAX)
        abort();
    for (const struct xml_node *n = parent->child; n != NULL; n = n->next) {
        const struct xml_node *found = tree_find(parent, n->name);

        while (found != NULL && found != n)
            found = tree_next(found);
        if (found == NULL || n->name[0] == '\0')
            abort();
        if (n->child != NULL && n->text[0] != '\0')
            abort();
        walk(n, depth + 1);
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct arena arena;
    const struct xml_node *root;

    if (size > 4096) /* the walk is quadratic */
        return 0;
    arena_init(&arena, &host_memory);
    root = tree_read((const char *)data, size, &arena);
    if (root != NULL) {
        walk(root, 0);
        if (tree_text(root, "no/such/element")[0] != '\0' && tree_find(root, "no") == NULL)
            abort();
    }
    arena_reset(&arena);
    return 0;
}
