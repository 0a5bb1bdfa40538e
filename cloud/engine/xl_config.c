/* SPDX-License-Identifier: MIT */
/* Descriptions of guests: xl.cfg(5) and xl-disk-configuration(5). */
#include "cloud/engine/xl_priv.h"

/* A line NAME = "VALUE" */
static void setting(struct buf *b, const char *name, const char *value)
{
    buf_printf(b, "%s = ", name);
    buf_xl_string(b, value);
    buf_puts(b, "\n");
}

/* The file comes last: it takes the rest, commas and all. QEMU serves both formats. */
void xl_disk(const struct engine_disk *d, struct buf *text)
{
    buf_printf(text, "vdev=%s, access=%s, backendtype=qdisk, format=%s, target=%s", d->vdev,
               d->readonly ? "ro" : "rw", d->format == ENGINE_RAW ? "raw" : "qcow2", d->path);
}

void xl_config(const struct xl *x, const struct engine_guest *g, struct buf *text)
{
    buf_puts(text, "type = \"pv\"\n");
    setting(text, "name", g->id);
    buf_printf(text, "memory = %u\nvcpus = %u\n", g->memory_mib, g->vcpus);
    setting(text, "kernel", g->kernel);
    if (g->ramdisk)
        setting(text, "ramdisk", g->ramdisk);
    if (g->cmdline && *g->cmdline)
        setting(text, "cmdline", g->cmdline);
    buf_puts(text, "disk = [ ");
    for (size_t i = 0; i < g->nr_disks; i++) {
        struct buf disk = {0};

        xl_disk(&g->disks[i], &disk);
        buf_xl_string(text, disk.text);
        buf_puts(text, ", ");
        buf_free(&disk);
    }
    buf_puts(text, "]\n");
    if (x->bridge) {
        struct buf vif = {0};

        buf_printf(&vif, "bridge=%s", x->bridge);
        buf_puts(text, "vif = [ ");
        buf_xl_string(text, vif.text);
        buf_puts(text, " ]\n");
        buf_free(&vif);
    }
    /* Nobody acts on its end but this engine, which looks at it first. */
    for (int i = 0; i < 3; i++)
        setting(text, (const char *const[]){"on_poweroff", "on_reboot", "on_crash"}[i], "preserve");
}
