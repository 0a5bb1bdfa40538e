/* SPDX-License-Identifier: MIT */
/* The catalogue of kernel images; see catalogue.h. */
#include "cloud/service/catalogue.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define FILE_BYTES_MAX (1 << 20)
#define NR_CELLS       6

static char *read_file(const char *path, struct buf *why)
{
    struct buf text = {0};
    char piece[4096];
    FILE *f = fopen(path, "re");
    size_t len;

    if (!f) {
        buf_printf(why, "%s: %s; set akis to the catalogue of kernel images", path,
                   strerror(errno));
        return NULL;
    }
    buf_clear(&text);
    while (text.len <= FILE_BYTES_MAX && (len = fread(piece, 1, sizeof(piece), f)) > 0)
        buf_add(&text, piece, len);
    if (text.len > FILE_BYTES_MAX || strlen(text.text) != text.len || ferror(f))
        buf_printf(why, "%s: not a text of at most %d bytes", path, FILE_BYTES_MAX);
    fclose(f);
    if (why->len == 0)
        return text.text;
    buf_free(&text);
    return NULL;
}

/* "aki-" and 8 or 17 hexadecimal digits. */
static bool id_good(const char *id)
{
    size_t digits = strncmp(id, "aki-", 4) == 0 ? strspn(id + 4, "0123456789abcdef") : 0;

    return (digits == 8 || digits == 17) && id[4 + digits] == 0;
}

static const char *take_line(struct catalogue *c, char *line)
{
    struct aki *a = &c->aki[c->nr];
    char **cells[NR_CELLS] = {&a->id, &a->region, &a->arch, &a->layout, &a->version, &a->manifest};

    for (unsigned i = 0; i < NR_CELLS; i++) {
        size_t len = strcspn(line, "\t");

        if (len == 0 || (line[len] == 0) != (i == NR_CELLS - 1))
            return "a line has six cells: id, region, width, layout, version, manifest";
        *cells[i] = line;
        line += len + (line[len] != 0);
        (*cells[i])[len] = 0;
    }
    if (!id_good(a->id))
        return "an id is aki- and 8 or 17 hexadecimal digits";
    if (strcmp(a->arch, "i386") != 0 && strcmp(a->arch, "x86_64") != 0)
        return "a width is i386 or x86_64";
    for (size_t i = 0; i < c->nr; i++)
        if (strcmp(c->aki[i].id, a->id) == 0)
            return "the id stands in an earlier line, too";
    c->nr++;
    return NULL;
}

struct catalogue *catalogue_read(const char *path, struct buf *why)
{
    struct catalogue *c = xalloc(sizeof(*c));
    unsigned line_nr = 0;

    c->aki = xalloc(CATALOGUE_MAX * sizeof(*c->aki));
    c->text = read_file(path, why);
    for (char *line = c->text, *next; line && *line && why->len == 0; line = next) {
        size_t len = strcspn(line, "\n");
        const char *wrong = NULL;

        next = line + len + (line[len] != 0);
        line[len] = 0;
        line_nr++;
        if (c->nr == CATALOGUE_MAX)
            wrong = "too many lines";
        else if (*line && *line != '#')
            wrong = take_line(c, line);
        if (wrong)
            buf_printf(why, "%s:%u: %s", path, line_nr, wrong);
    }
    if (why->len == 0)
        return c;
    catalogue_free(c);
    return NULL;
}

void catalogue_free(struct catalogue *c)
{
    if (!c)
        return;
    free(c->aki);
    free(c->text);
    free(c);
}
