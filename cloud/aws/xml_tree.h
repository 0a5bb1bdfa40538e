/* SPDX-License-Identifier: MIT */
/*
 * Answers of services as a tree. Their servers are not trusted: no document type, so no entities
 * but XML's own; a cap on depth and elements. Attributes are passed over, the answers have none
 * that mean anything.
 */
#ifndef PVBOOT_CLOUD_AWS_XML_TREE_H
#define PVBOOT_CLOUD_AWS_XML_TREE_H

#include <stddef.h>

#include "core/base/arena.h"

#define TREE_DEPTH_MAX 32u
#define TREE_NODES_MAX 500000u

struct xml_node {
    const char *name;
    const char *text; /* "" for an element that holds others */
    struct xml_node *child, *next;
};

/* The outermost element, in the arena. NULL: no XML, or past a cap. */
const struct xml_node *tree_read(const char *bytes, size_t len, struct arena *a);

/* The first element on this path of names below `n` ("image/state"), or NULL; n may be NULL. */
const struct xml_node *tree_find(const struct xml_node *n, const char *path);

/* Its text; "" where it is missing. */
const char *tree_text(const struct xml_node *n, const char *path);

/* The next one beside `n` with the same name, or NULL. */
const struct xml_node *tree_next(const struct xml_node *n);

#endif
