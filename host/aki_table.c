/* SPDX-License-Identifier: MIT */
/* The catalogue of AKIs. */
#include "host/aki.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <unistd.h>

#include "core/base/text.h"

#define NR_CELLS 6

const char *aki_arch(bool narrow)
{
    return narrow ? "i386" : "x86_64";
}

const char *aki_layout(bool hd00)
{
    return hd00 ? "hd00" : "hd0";
}

bool aki_same_region(const char *a, const char *b)
{
    return strcasecmp(a, b) == 0;
}

const char *aki_shown(const char *text, char *buf, size_t cap)
{
    struct text t = text_on(buf, cap);

    text_name(&t, text, strlen(text));
    return buf;
}

/* ---- reading --------------------------------------------------------------------------------- */

/* What names consist of: nothing that would have to be quoted anywhere. */
static bool is_name(const char *s, size_t len)
{
    for (size_t i = 0; i < len; i++) {
        char c = s[i];

        if (!((c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
              c == '-' || c == '.' || c == '_' || c == '/'))
            return false;
    }
    return len > 0;
}

static bool copy_cell(char *to, size_t cap, const char *cell, size_t len)
{
    if (len >= cap || !is_name(cell, len))
        return false;
    memcpy(to, cell, len);
    to[len] = '\0';
    return true;
}

static bool cell_is(const char *cell, size_t len, const char *word)
{
    return len == strlen(word) && memcmp(cell, word, len) == 0;
}

/* One of two words; *second says which. */
static bool choose_cell(const char *cell, size_t len, const char *one, const char *two,
                        bool *second)
{
    *second = cell_is(cell, len, two);
    return *second || cell_is(cell, len, one);
}

/* NULL: a is filled in; else what is wrong with the line. */
static const char *parse_line(struct aki *a, const char *line, size_t len)
{
    const char *cells[NR_CELLS];
    size_t lens[NR_CELLS], nr = 0, start = 0;

    for (size_t i = 0; i <= len; i++) {
        if (i < len && line[i] != '\t')
            continue;
        if (nr < NR_CELLS) {
            cells[nr] = line + start;
            lens[nr] = i - start;
        }
        nr++;
        start = i + 1;
    }
    if (nr != NR_CELLS)
        return "a line has six cells, divided by tabs: id, region, width, layout, version, "
               "manifest";
    if (!copy_cell(a->id, sizeof(a->id), cells[0], lens[0]) || strncmp(a->id, "aki-", 4) != 0)
        return "the id (first cell) begins with aki- and is letters and digits";
    if (!copy_cell(a->region, sizeof(a->region), cells[1], lens[1]))
        return "the region (second cell) is letters, digits and \"-\"";
    if (!choose_cell(cells[2], lens[2], "x86_64", "i386", &a->narrow))
        return "the width (third cell) is i386 or x86_64";
    if (!choose_cell(cells[3], lens[3], "hd0", "hd00", &a->hd00))
        return "the layout (fourth cell) is hd0 or hd00";
    if (!copy_cell(a->version, sizeof(a->version), cells[4], lens[4]))
        return "the version (fifth cell) is letters, digits and \".\"";
    if (!copy_cell(a->manifest, sizeof(a->manifest), cells[5], lens[5]))
        return "the manifest (sixth cell) is BUCKET/NAME, without spaces";
    return NULL;
}

static const char *put(struct aki_table *t, const struct aki *a, uint32_t *other_line)
{
    for (size_t i = 0; i < t->nr; i++) {
        if (strcmp(t->akis[i].id, a->id) != 0)
            continue;
        *other_line = t->akis[i].line_nr;
        if (t->akis[i].file == a->file)
            return "the id is already there";
        t->akis[i] = *a;
        return NULL;
    }
    if (t->nr == AKI_MAX)
        return "there are too many lines in all, 4096 is the most";
    if ((t->nr & (t->nr - 1)) == 0) {
        struct aki *grown = realloc(t->akis, (t->nr == 0 ? 1 : 2 * t->nr) * sizeof(*grown));

        if (grown == NULL)
            return "out of memory";
        t->akis = grown;
    }
    t->akis[t->nr++] = *a;
    return NULL;
}

bool aki_table_add(struct aki_table *t, const char *path, const char *text, size_t len, char *why,
                   size_t why_cap)
{
    uint32_t file = t->nr_files++, line_nr = 0;

    for (size_t i = 0; i < len;) {
        const char *line = text + i, *end = memchr(line, '\n', len - i), *bad;
        size_t line_len = end != NULL ? (size_t)(end - line) : len - i;
        struct aki a = {.file = file, .line_nr = ++line_nr};
        uint32_t other = 0;

        i += line_len + (end != NULL ? 1 : 0);
        if (line_len > 0 && line[line_len - 1] == '\r')
            line_len--;
        if (line_len == 0 || line[0] == '#')
            continue;
        bad = parse_line(&a, line, line_len);
        if (bad == NULL)
            bad = put(t, &a, &other);
        if (bad == NULL)
            continue;
        if (other != 0)
            snprintf(why, why_cap, "%s, line %u: %s, in line %u; remove one of them", path, line_nr,
                     bad, other);
        else
            snprintf(why, why_cap, "%s, line %u: %s", path, line_nr, bad);
        return false;
    }
    return true;
}

bool aki_table_add_file(struct aki_table *t, const char *path, char *why, size_t why_cap)
{
    FILE *f = fopen(path, "re");
    char *text = f != NULL ? malloc(AKI_FILE_MAX + 1) : NULL;
    bool good = false;

    if (text == NULL) {
        snprintf(why, why_cap, "%s cannot be read: %s", path, strerror(errno));
    } else {
        size_t len = fread(text, 1, AKI_FILE_MAX + 1, f);

        if (ferror(f))
            snprintf(why, why_cap, "%s cannot be read: %s", path, strerror(errno));
        else if (len > AKI_FILE_MAX)
            snprintf(why, why_cap, "%s is no catalogue of AKIs: it is larger than 1 MiB", path);
        else
            good = aki_table_add(t, path, text, len, why, why_cap);
    }
    free(text);
    if (f != NULL)
        fclose(f);
    return good;
}

/* share/pvboot lies beside the folder of the program, in a build and where it is installed. */
static bool add_shipped(struct aki_table *t, char *why, size_t why_cap)
{
    const char *env = getenv("PVBOOT_AKIS");
    char exe[2048], path[2200];
    ssize_t n = readlink("/proc/self/exe", exe, sizeof(exe) - 1);
    char *slash;

    if (env != NULL)
        return aki_table_add_file(t, env, why, why_cap);
    exe[n > 0 ? n : 0] = '\0';
    slash = strrchr(exe, '/');
    if (slash != NULL)
        *slash = '\0';
    snprintf(path, sizeof(path), "%s/../share/pvboot/akis.tsv", exe);
    return aki_table_add_file(t, path, why, why_cap);
}

bool aki_table_load(struct aki_table *t, char *why, size_t why_cap)
{
    if (!add_shipped(t, why, why_cap))
        return false;
    if (access(AKI_OWN_TABLE, F_OK) != 0 && (errno == ENOENT || errno == ENOTDIR))
        return true;
    return aki_table_add_file(t, AKI_OWN_TABLE, why, why_cap);
}

void aki_table_free(struct aki_table *t)
{
    free(t->akis);
    *t = (struct aki_table){0};
}

/* ---- finding --------------------------------------------------------------------------------- */

const struct aki *aki_find(const struct aki_table *t, const char *id)
{
    for (size_t i = 0; i < t->nr; i++) {
        if (strcmp(t->akis[i].id, id) == 0)
            return &t->akis[i];
    }
    return NULL;
}

/* "us-east-1, us-west-1": each once, in the order of the catalogue. */
static void list_regions(const struct aki_table *t, char *buf, size_t cap)
{
    struct text out = text_on(buf, cap);

    for (size_t i = 0; i < t->nr; i++) {
        bool seen = false;

        for (size_t j = 0; j < i && !seen; j++)
            seen = aki_same_region(t->akis[i].region, t->akis[j].region);
        if (seen)
            continue;
        text_str(&out, out.len > 0 ? ", " : "");
        text_str(&out, t->akis[i].region);
    }
}

bool aki_region_known(const struct aki_table *t, const char *region, char *why, size_t why_cap)
{
    char regions[512];

    for (size_t i = 0; i < t->nr; i++) {
        if (aki_same_region(t->akis[i].region, region))
            return true;
    }
    list_regions(t, regions, sizeof(regions));
    snprintf(why, why_cap,
             "the catalogue has no region \"%s\"; it has %s; add a line to " AKI_OWN_TABLE, region,
             regions[0] != '\0' ? regions : "none");
    return false;
}

const struct aki *aki_select(const struct aki_table *t, const char *region, bool narrow, bool hd00,
                             char *why, size_t why_cap)
{
    const struct aki *best = NULL;

    for (size_t i = 0; i < t->nr; i++) {
        const struct aki *a = &t->akis[i];

        if (!aki_same_region(a->region, region))
            continue;
        if (a->narrow == narrow && a->hd00 == hd00 &&
            (best == NULL || strverscmp(a->version, best->version) > 0))
            best = a;
    }
    if (best != NULL)
        return best;
    if (aki_region_known(t, region, why, why_cap))
        snprintf(why, why_cap,
                 "the catalogue has no AKI for %s images of layout %s in %s; add a line "
                 "to " AKI_OWN_TABLE,
                 aki_arch(narrow), aki_layout(hd00), region);
    return NULL;
}

bool aki_fits(const struct aki_table *t, const struct aki *a, const char *region, bool narrow,
              bool hd00, char *why, size_t why_cap)
{
    char none[AKI_WHY_MAX], wrong[256];
    struct text w = text_on(wrong, sizeof(wrong));
    const struct aki *right;

    if (region == NULL)
        region = a->region;
    if (!aki_same_region(a->region, region)) {
        text_str(&w, " belongs to the region ");
        text_str(&w, a->region);
        text_str(&w, ", not to ");
        text_str(&w, region);
    }
    if (a->narrow != narrow) {
        text_str(&w, w.len > 0 ? ", and" : "");
        text_str(&w, " boots ");
        text_str(&w, aki_arch(a->narrow));
        text_str(&w, " kernels, but this is ");
        text_str(&w, aki_arch(narrow));
    }
    if (a->hd00 != hd00) {
        text_str(&w, w.len > 0 ? ", and" : "");
        text_str(&w, a->hd00
                         ? " is for images with a partition table (hd00), which this one has not"
                         : " is for images without a partition table (hd0), but this one has "
                           "one");
    }
    if (w.len == 0)
        return true;
    right = aki_select(t, region, narrow, hd00, none, sizeof(none));
    if (right != NULL)
        snprintf(why, why_cap, "%s%s; use %s", a->id, wrong, right->id);
    else
        snprintf(why, why_cap, "%s%s; %s", a->id, wrong, none);
    return false;
}
