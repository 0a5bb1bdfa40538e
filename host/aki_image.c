/* SPDX-License-Identifier: MIT */
/* What an image needs of an AKI: has it a partition table, and which width is its kernel? */
#include "host/aki.h"

#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "host/cmd.h"
#include "host/inspect.h"
#include "host/xenhost/xenhost.h"

struct look {
    struct machine machine;
    struct report r;
    const char *path;
    bool layers;
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

/* Layers are taken for what the caller says that they are. Does that tell why nothing boots? */
static void doubt_format(const struct file_disk *d, char *reason, size_t cap)
{
    char why[AKI_WHY_MAX];
    enum xh_format format;

    if (strcmp(d->format, "raw") != 0)
        return;
    if (!xh_image_format_of(d->fd, d->path, &format, why, sizeof(why)))
        set(reason, cap, why);
    else if (format == XH_QCOW2)
        set(reason, cap,
            "the image is a qcow2 image, where a raw one belongs: convert it with qemu-img convert "
            "-O raw");
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
    if (!l->out->boots && l->layers)
        doubt_format(&l->machine.disks[0], l->out->reason, sizeof(l->out->reason));
    return EXIT_OK;
}

/* What is looked at: a path, or layers. */
struct source {
    const char *path;
    const struct machine_layer *layers;
    uint32_t nr_layers;
};

static bool open_source(const struct source *from, struct machine *m, struct fence *fence)
{
    struct machine_layer copies[MACHINE_LAYERS_MAX];

    if (from->layers == NULL)
        return machine_open(m, &from->path, 1, fence);
    for (uint32_t i = 0; i < from->nr_layers; i++) {
        copies[i] = from->layers[i];
        copies[i].fd = fcntl(from->layers[i].fd, F_DUPFD_CLOEXEC, 0);
        if (copies[i].fd < 0) {
            while (i-- > 0)
                close(copies[i].fd);
            return false;
        }
    }
    machine_take(m, from->path, copies, from->nr_layers, fence);
    return true;
}

static bool look_once(const struct source *from, bool narrow, struct aki_image *out, int *status)
{
    struct look look = {
        .path = from->path, .layers = from->layers != NULL, .r = {.narrow = narrow}};
    struct fence fence = {.memory_bytes = FENCE_MEMORY};
    struct aki_image *shared = fence_share(sizeof(*shared));

    *status = EXIT_USAGE;
    if (shared == NULL)
        return false;
    look.out = shared;
    if (open_source(from, &look.machine, &fence)) {
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

static bool look_both(const struct source *from, const char *arch, struct aki_image *out,
                      int *status)
{
    bool narrow = arch != NULL && strcmp(arch, "i386") == 0;
    struct aki_image other;

    if (!look_once(from, narrow, out, status))
        return false;
    if (out->boots)
        return true;
    /* Perhaps its kernel is one of the other width. */
    if (!look_once(from, !narrow, &other, status))
        return false;
    if (other.boots)
        *out = other;
    return true;
}

bool aki_image_look(const char *path, const char *arch, struct aki_image *out, int *status)
{
    return look_both(&(struct source){.path = path}, arch, out, status);
}

bool aki_layers_look(const struct machine_layer *layers, uint32_t nr_layers, const char *arch,
                     struct aki_image *out, int *status)
{
    const struct source from = {.path = "the image", .layers = layers, .nr_layers = nr_layers};

    *status = EXIT_USAGE;
    return nr_layers > 0 && nr_layers <= MACHINE_LAYERS_MAX && look_both(&from, arch, out, status);
}
