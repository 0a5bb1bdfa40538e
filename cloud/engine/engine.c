/* SPDX-License-Identifier: MIT */
/* Which engine; see engine.h. */
#include "cloud/engine/engine_priv.h"

#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static const struct {
    const char *name;
    struct engine *(*open)(const struct engine_setup *setup, struct buf *why);
} engines[] = {
    {"embedded", embedded_open},
    {"libvirt", libvirt_open},
    {"xl", xl_open},
};

struct engine *engine_open(const struct engine_setup *setup, struct buf *why)
{
    size_t nr = sizeof(engines) / sizeof(engines[0]);

    for (size_t i = 0; i < nr; i++)
        if (strcmp(engines[i].name, setup->name) == 0)
            return engines[i].open(setup, why);
    buf_puts(why, "engine is one of");
    for (size_t i = 0; i < nr; i++)
        buf_printf(why, " %s", engines[i].name);
    buf_printf(why, ", not \"%s\"", setup->name);
    return NULL;
}

bool engine_needs(const char *program, const char *package, struct buf *why)
{
    const char *path = getenv("PATH");
    char full[PATH_MAX];

    for (const char *p = path ? path : "/usr/bin:/bin"; *p;) {
        size_t len = strcspn(p, ":");

        if (snprintf(full, sizeof(full), "%.*s/%s", (int)len, p, program) < (int)sizeof(full) &&
            access(full, X_OK) == 0)
            return true;
        p += len + (p[len] == ':');
    }
    buf_printf(why, "the program %s is missing; install the package %s", program, package);
    return false;
}

bool engine_id_good(const char *id)
{
    size_t len = strlen(id);

    return len > 2 && len <= 32 && strncmp(id, "i-", 2) == 0 &&
           strspn(id + 2, "0123456789abcdef") == len - 2;
}
