/* SPDX-License-Identifier: MIT */
/* The table of commands and docs/menu.lst.md name the same commands, as the same kind. */
#include "core/menu/commands.h"
#include "tests/unit/test.h"

#include <stdlib.h>

/* The program runs in the top folder, as `make check` does. */
static char *docs;

static char *read_docs(const char *path)
{
    FILE *f = fopen(path, "r");
    char *text = calloc(1, 1 << 20);
    size_t len = f != NULL ? fread(text, 1, (1 << 20) - 1, f) : 0;

    if (len == 0) {
        fprintf(stderr, "%s cannot be read: run the test in the top folder\n", path);
        exit(99);
    }
    fclose(f);
    return text;
}

/* Is the command in a row of the section's table? Cells of names hold them between ` and `. */
static bool in_section(const char *heading, const char *name)
{
    const char *p = strstr(docs, heading), *end;
    char quoted[64], with_args[64];

    CHECK(p != NULL);
    if (p == NULL)
        return false;
    end = strstr(p + 4, "\n## ");
    snprintf(quoted, sizeof(quoted), "`%s`", name);
    snprintf(with_args, sizeof(with_args), "| `%s ", name);
    for (p = strchr(p + 1, '\n'); p != NULL && p < end; p = strchr(p + 1, '\n')) {
        const char *cell_end = p[1] == '|' ? strstr(p + 2, " | ") : NULL;
        const char *found = strstr(p, quoted);

        if (cell_end == NULL)
            continue;
        if ((found != NULL && found < cell_end) ||
            strncmp(p + 1, with_args, strlen(with_args)) == 0)
            return true;
    }
    return false;
}

static void the_docs_have_every_command(void)
{
    for (const struct command *c = menu_commands; c->name != NULL; c++) {
        bool title = strcmp(c->name, "title") == 0; /* the parser's, not the table's */
        const struct {
            const char *heading;
            bool there;
        } kinds[] = {{"\n## Commands of the menu\n", c->menu != NULL || title},
                     {"\n## Commands of an entry\n", c->entry != NULL},
                     {"\n## Accepted, without effect\n", c->ignored != NULL},
                     {"\n## Refused\n", c->refused != NULL && !title}};

        for (size_t i = 0; i < sizeof(kinds) / sizeof(kinds[0]); i++) {
            if (in_section(kinds[i].heading, c->name) != kinds[i].there)
                printf("`%s` in section %s: should be %d\n", c->name, kinds[i].heading + 1,
                       kinds[i].there);
            CHECK(in_section(kinds[i].heading, c->name) == kinds[i].there);
        }
    }
}

/* From one ` of a first cell to the next: a name, up to a space. */
static void check_names(const char *cell, const char *end, uint32_t *nr)
{
    while ((cell = memchr(cell, '`', (size_t)(end - cell))) != NULL) {
        size_t len = strcspn(cell + 1, " `");

        if (command_find(cell + 1, len) == NULL)
            printf("not in the table: %.*s\n", (int)len, cell + 1);
        CHECK(command_find(cell + 1, len) != NULL);
        ++*nr;
        cell = strchr(cell + 1, '`') + 1;
    }
}

static void the_table_has_every_command_of_the_docs(void)
{
    const char *p = strstr(docs, "\n## Commands of the menu\n");
    const char *end = strstr(docs, "\n## When an entry fails\n");
    uint32_t nr = 0;

    CHECK(p != NULL && end != NULL);
    for (; p != NULL && p < end; p = strchr(p + 1, '\n')) {
        const char *cell_end = strncmp(p + 1, "| `", 3) == 0 ? strstr(p + 2, " | ") : NULL;

        if (cell_end != NULL)
            check_names(p + 1, cell_end, &nr);
    }
    CHECK(nr > 80);
}

/* The reasons are the same words, so that the console and the docs agree. */
static void the_reasons_are_the_same(void)
{
    for (const struct command *c = menu_commands; c->name != NULL; c++) {
        const char *why = c->ignored != NULL ? c->ignored : c->refused;
        char words[512];

        if (why == NULL || strcmp(c->name, "title") == 0)
            continue;
        snprintf(words, sizeof(words), "%s", why);
        for (char *p = words; *p != '\0'; p++) {
            if (*p == '\'' && p > words && p[1] == ' ') /* `halt' is `halt` there */
                *p = '`';
        }
        if (strstr(docs, words) == NULL)
            printf("the docs do not say of %s: %s\n", c->name, words);
        CHECK(strstr(docs, words) != NULL);
    }
}

static void the_manual_page_has_every_command(void)
{
    char *page = read_docs("man/pvboot-menu.lst.5");

    for (const struct command *c = menu_commands; c->name != NULL; c++) {
        size_t len = strlen(c->name);
        const char *p = page;
        bool found = false;

        while (!found && (p = strstr(p, c->name)) != NULL) {
            const char *line = p;

            while (line > page && line[-1] != '\n')
                line--;
            found = p[-1] == ' ' && strchr(" \n", p[len]) != NULL &&
                    (strncmp(line, ".It Cm ", 7) == 0 || strncmp(line, ".Cm ", 4) == 0);
            p += len;
        }
        if (!found)
            printf("not in the manual page: %s\n", c->name);
        CHECK(found);
    }
    free(page);
}

int main(void)
{
    docs = read_docs("docs/menu.lst.md");
    RUN(the_docs_have_every_command);
    RUN(the_table_has_every_command_of_the_docs);
    RUN(the_reasons_are_the_same);
    RUN(the_manual_page_has_every_command);
    free(docs);
    return test_done();
}
