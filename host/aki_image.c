/* SPDX-License-Identifier: MIT */
/* What an image needs of an AKI: has it a partition table, and which width is its kernel? */
#include "host/aki.h"

#include <stdio.h>
#include <string.h>
#include <sys/mman.h>

#include "host/cmd.h"
#include "host/inspect.h"

struct look {
    struct machine machine;
    struct report r;
    const char *path;
    struct aki_image *out; /* shared with the parent */
};

static void set(char *to, size_t cap, const char *from)
{
    snprintf(to, cap, "%s", from);
}

static const char *first_stop(const struct report *r)
{
    for (size_t i = 0; i < r->nr_problems; i++) {
        if (r->problems[i].severity == PROBLEM_STOPS)
            return r->problems[i].text;
    }
    for (size_t i = 0; i < r->nr_problems; i++)
        return r->problems[i].text;
    return "there is no entry that boots";
}

/* Behind the fence. */
static int look_work(void *ctx)
{
    struct look *l = ctx;
    struct report *r = &l->r;
    const struct part_table *table;

    if (!inspect_start(r, &l->machine, &l->path, MACHINE_SECTOR))
        return EXIT_USAGE;
    if (!failed(vols_table(r->vols, 0, &table))) {
        set(l->out->scheme, sizeof(l->out->scheme), table->scheme);
        r->hd00 = strcmp(table->scheme, "none") != 0;
    }
    inspect_look(r);
    l->out->hd00 = r->hd00;
    l->out->boots = r->boots != NO_ENTRY;
    if (l->out->boots)
        set(l->out->kernel, sizeof(l->out->kernel), r->entries[r->boots].kernel->name);
    else
        set(l->out->reason, sizeof(l->out->reason), first_stop(r));
    return EXIT_OK;
}

static bool look_once(const char *path, bool narrow, struct aki_image *out, int *status)
{
    struct look look = {.path = path, .r = {.narrow = narrow}};
    struct fence fence = {.memory_bytes = FENCE_MEMORY};
    struct aki_image *shared = fence_share(sizeof(*shared));

    *status = EXIT_USAGE;
    if (shared == NULL)
        return false;
    look.out = shared;
    if (machine_open(&look.machine, &path, 1, &fence)) {
        struct fence_end end = fence_run(&fence, look_work, &look);

        machine_close(&look.machine);
        *status = fence_status(end);
        *out = *shared;
        out->narrow = narrow;
        out->kernel[sizeof(out->kernel) - 1] = out->reason[sizeof(out->reason) - 1] = '\0';
        out->scheme[sizeof(out->scheme) - 1] = '\0';
    }
    munmap(shared, sizeof(*shared));
    return *status == EXIT_OK;
}

bool aki_image_look(const char *path, const char *arch, struct aki_image *out, int *status)
{
    bool narrow = arch != NULL && strcmp(arch, "i386") == 0;
    struct aki_image other;

    if (!look_once(path, narrow, out, status))
        return false;
    if (out->boots)
        return true;
    /* Perhaps its kernel is one of the other width. */
    if (!look_once(path, !narrow, &other, status))
        return false;
    if (other.boots)
        *out = other;
    return true;
}
