/* SPDX-License-Identifier: MIT */
/*
 * JSON as it is written: objects and lists open and close, the commas between are kept track of
 * here. Bytes that are not UTF-8 become U+FFFD, because names come from foreign disks.
 */
#ifndef PVBOOT_HOST_JSON_H
#define PVBOOT_HOST_JSON_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#define JSON_DEPTH_MAX 32

struct json {
    FILE *out;
    bool one_line; /* set after json_init: no line breaks but after the outermost value */
    unsigned depth;
    bool has_member[JSON_DEPTH_MAX]; /* the next one at this depth needs a comma */
};

void json_init(struct json *j, FILE *out);

/* In an object each value has a key; in a list, and outside everything, key is NULL. */
void json_object(struct json *j, const char *key);
void json_list(struct json *j, const char *key);
void json_end_object(struct json *j);
void json_end_list(struct json *j);
void json_str(struct json *j, const char *key, const char *s); /* NULL: null */
void json_u64(struct json *j, const char *key, uint64_t v);
void json_bool(struct json *j, const char *key, bool v);
void json_null(struct json *j, const char *key);

/* "0x..." as a string: addresses do not fit in what readers take for a number. */
void json_hex(struct json *j, const char *key, uint64_t v);

#endif
