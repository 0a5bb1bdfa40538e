/* SPDX-License-Identifier: MIT */
/* The table of instance types; see types.h. */
#include "cloud/service/types.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "core/base/text.h"

#define LINE_BYTES     512
#define MEMORY_MIB_MIN 64
#define MEMORY_MIB_MAX (16 << 20)
#define VCPUS_MAX      128

static bool number(const char *text, uint64_t min, uint64_t max, unsigned *out)
{
    uint64_t value;

    if (!text_parse_u64(text, strlen(text), &value) || value < min || value > max)
        return false;
    *out = (unsigned)value;
    return true;
}

/* NULL, or what is wrong with the line. */
static const char *take_line(struct type_table *t, char *line)
{
    struct instance_type *type = &t->type[t->nr];
    char *cell[4], *rest = line;

    if (t->nr == TYPES_MAX)
        return "there are more types than a table may have";
    for (size_t i = 0; i < 4; i++)
        if ((cell[i] = strsep(&rest, "\t")) == NULL)
            return "a line has four cells: name, MiB of memory, processors, widths";
    if (rest != NULL)
        return "a line has four cells: name, MiB of memory, processors, widths";
    if (!*cell[0] || strlen(cell[0]) >= TYPE_NAME_BYTES ||
        cell[0][strspn(cell[0], "abcdefghijklmnopqrstuvwxyz0123456789.-")])
        return "a name is of small letters, digits, '.' and '-'";
    if (type_find(t, cell[0]) != NULL)
        return "the type is there twice";
    if (!number(cell[1], MEMORY_MIB_MIN, MEMORY_MIB_MAX, &type->memory_mib))
        return "memory is a number of MiB, at least 64";
    if (!number(cell[2], 1, VCPUS_MAX, &type->vcpus))
        return "processors are 1 to 128";
    type->narrow = strstr(cell[3], "i386") != NULL;
    type->wide = strstr(cell[3], "x86_64") != NULL;
    if (strcmp(cell[3], type->narrow && type->wide ? "i386,x86_64"
                        : type->narrow             ? "i386"
                                                   : "x86_64") != 0)
        return "widths are i386, x86_64, or i386,x86_64";
    snprintf(type->name, sizeof(type->name), "%s", cell[0]);
    t->nr++;
    return NULL;
}

bool types_read(struct type_table *t, const char *path, struct buf *why)
{
    char line[LINE_BYTES];
    const char *wrong = NULL;
    FILE *f = fopen(path, "re");
    unsigned nr = 0;

    t->nr = 0;
    if (f == NULL) {
        buf_printf(why, "types: %s: %s", path, strerror(errno));
        return false;
    }
    while (wrong == NULL && fgets(line, sizeof(line), f) != NULL) {
        nr++;
        if (strlen(line) == sizeof(line) - 1)
            wrong = "the line is too long";
        line[strcspn(line, "\r\n")] = 0;
        if (wrong == NULL && *line && *line != '#')
            wrong = take_line(t, line);
    }
    fclose(f);
    if (wrong != NULL)
        buf_printf(why, "%s:%u: %s", path, nr, wrong);
    else if (t->nr == 0)
        buf_printf(why, "%s: holds no instance type", path);
    return why->len == 0;
}

const struct instance_type *type_find(const struct type_table *t, const char *name)
{
    for (size_t i = 0; i < t->nr; i++)
        if (strcmp(t->type[i].name, name) == 0)
            return &t->type[i];
    return NULL;
}
