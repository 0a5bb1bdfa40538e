/* SPDX-License-Identifier: MIT */
/*
 * How a kernel, its configuration and its initrd get on with Xen: what pvboot cannot see, because
 * it ends where the kernel begins. Each finding says what, why it matters, and what to do.
 */
#include "host/inspect.h"

#include <stdio.h>
#include <string.h>

#include "core/menu/lex.h"

#define CONFIG_PATH_MAX FS_PATH_MAX

/* ---- facts ----------------------------------------------------------------------------------- */

static void read_config(struct kernel_compat *c, const char *from, const char *text, size_t len)
{
    c->config_from = from;
    c->xen_pv = compat_config(text, len, "CONFIG_XEN_PV");
    /* The older ones knew no other kind of guest. */
    if (c->xen_pv == CONFIG_NO && compat_version(c->release) < COMPAT_VERSION(4, 12, 0))
        c->xen_pv = compat_config(text, len, "CONFIG_XEN");
    c->block = compat_config(text, len, "CONFIG_XEN_BLKDEV_FRONTEND");
    c->xen_compat = compat_config_number(text, len, "CONFIG_XEN_COMPAT");
    c->console = compat_config(text, len, "CONFIG_HVC_XEN");
    if (c->console == CONFIG_NO) /* of the classic Xen kernels */
        c->console = compat_config(text, len, "CONFIG_XEN_CONSOLE");
}

/* /boot/config-RELEASE, beside the kernel; an answer only when it is there and is one. */
static void look_beside(struct report *r, struct kernel_report *k)
{
    const char *slash = strrchr(k->name, '/');
    struct file f;
    const char *path;

    if (slash == NULL || k->compat.release[0] == '\0' || r->vols == NULL)
        return;
    path = report_printf(r, "%.*s/config-%s", (int)(slash - k->name), k->name, k->compat.release);
    if (strlen(path) >= CONFIG_PATH_MAX || strchr(k->compat.release, '/') != NULL ||
        failed(vols_open(r->vols, (struct vol_id){0, VOL_WHOLE}, path, r->arena, &f, NULL, 0)) ||
        f.node.size_bytes == 0 || f.node.size_bytes > COMPAT_CONFIG_MAX)
        return;
    size_t len = (size_t)f.node.size_bytes;
    char *text = arena_pages(r->arena, len);

    if (text != NULL && !failed(file_read(&f, 0, text, len)) && compat_is_config(text, len))
        read_config(&k->compat, path, text, len);
    arena_drop(r->arena, text);
}

void inspect_compat(struct report *r, struct kernel_report *k, const uint8_t *memory, size_t span)
{
    struct kernel_compat *c = &k->compat;
    const struct xen_notes *n = &k->img.notes;
    size_t len = 0;

    if (!compat_release(memory, span, c->release) && k->img.version[0] >= '0' &&
        k->img.version[0] <= '9')
        snprintf(c->release, sizeof(c->release), "%.*s", (int)strcspn(k->img.version, " "),
                 k->img.version);
    c->pv_ops = strstr(n->features, "!writable_page_tables") != NULL;
    c->cr4 = compat_cr4(memory, span);
    const char *config = compat_built_in_config(memory, span, r->arena, &len);

    if (config == NULL) {
        look_beside(r, k);
        return;
    }
    read_config(c, "itself", config, len);
    arena_drop(r->arena, (void *)(uintptr_t)config);
}

const char *compat_value_text(enum compat_value v)
{
    static const char *const text[] = {NULL, "n", "m", "y"};

    return text[v];
}

/* ---- findings -------------------------------------------------------------------------------- */

static void finding(struct report *r, uint32_t n, enum severity severity, const char *text)
{
    report_problem(r, severity, n, report_printf(r, "entry %u: %s", n, text));
}

static const char *config_name(struct report *r, const struct kernel_compat *c)
{
    if (strcmp(c->config_from, "itself") == 0)
        return "the configuration in the kernel";
    return name_text(r, c->config_from);
}

/* Does the command line say that the root file system is on a disk? */
static bool root_is_on_disk(const char *cmdline)
{
    static const char *const disks[] = {"root=/dev/xvd",   "root=/dev/sd",      "root=/dev/hd",
                                        "root=UUID=",      "root=LABEL=",       "root=PARTUUID=",
                                        "root=PARTLABEL=", "root=/dev/mapper/", "root=/dev/md",
                                        "root=/dev/disk/"};
    const char *word;
    size_t len;
    bool found = false;

    while (lex_word(&cmdline, &word, &len) && !lex_is(word, len, "--")) {
        if (len < 5 || memcmp(word, "root=", 5) != 0)
            continue;
        found = false; /* the last one counts */
        for (size_t i = 0; i < sizeof(disks) / sizeof(disks[0]); i++) {
            size_t n = strlen(disks[i]);

            found = found || (len >= n && memcmp(word, disks[i], n) == 0);
        }
    }
    return found;
}

/* Is there an initrd with the module, or one of which nobody can tell? */
static bool initrd_may_have_block(const struct entry_report *e)
{
    for (uint32_t i = 0; i < e->nr_initrds; i++) {
        const struct initrd_report *in = &e->initrds[i];

        if (in->has_block || in->has_image || !in->listed)
            return true;
    }
    return false;
}

static void look_at_block(struct report *r, uint32_t n)
{
    struct entry_report *e = &r->entries[n];
    const struct kernel_compat *c = &e->kernel->compat;
    const char *text;

    if (c->block == CONFIG_UNKNOWN || c->block == CONFIG_YES ||
        (c->block == CONFIG_MODULE && initrd_may_have_block(e)))
        return;
    if (c->block == CONFIG_NO)
        text = report_printf(r,
                             "the kernel has no driver for Xen's disks "
                             "(CONFIG_XEN_BLKDEV_FRONTEND is not set in %s), so it sees none; use "
                             "a kernel that has it",
                             config_name(r, c));
    else
        text = report_printf(
            r,
            "the driver for Xen's disks is a module (CONFIG_XEN_BLKDEV_FRONTEND=m in %s), and %s, "
            "so the kernel sees no disk; make an initrd with xen-blkfront in it",
            config_name(r, c),
            e->nr_initrds == 0 ? "there is no initrd to load it from" : "the initrd has none");
    e->dead_end = root_is_on_disk(e->cmdline);
    finding(r, n, e->dead_end ? PROBLEM_STOPS : PROBLEM_DOUBT, text);
}

/* Pv-ops kernels that take XSAVE for theirs because the processor has it. */
static void look_at_xsave(struct report *r, uint32_t n)
{
    const struct kernel_compat *c = &r->entries[n].kernel->compat;
    uint32_t version = compat_version(c->release);

    if (!c->pv_ops || version < COMPAT_VERSION(2, 6, 32) || version > COMPAT_VERSION(2, 6, 35) ||
        c->cr4 == CR4_CLEARS_OSXSAVE)
        return;
    finding(r, n, PROBLEM_DOUBT,
            report_printf(
                r,
                "the kernel is a pv-ops kernel %s, %s: on a processor with XSAVE, where the "
                "hypervisor does not let guests set CR4.OSXSAVE, it crashes before its first line; "
                "use a later one, or one with the patch \"cr4 &= ~X86_CR4_OSXSAVE\" in "
                "xen_write_cr4",
                name_text(r, c->release),
                c->cr4 == CR4_SETS_OSXSAVE ? "and its code sets CR4.OSXSAVE without asking"
                                           : "which may set CR4.OSXSAVE without asking (its code "
                                             "was not recognised)"));
}

static void look_at_console_driver(struct report *r, uint32_t n)
{
    const struct kernel_compat *c = &r->entries[n].kernel->compat;

    if (c->console != CONFIG_NO)
        return;
    finding(r, n, PROBLEM_DOUBT,
            report_printf(r,
                          "the kernel has no driver for Xen's console (CONFIG_HVC_XEN is not set "
                          "in %s), so nothing of it will be seen; use a kernel that has it",
                          config_name(r, c)));
}

void inspect_findings(struct report *r, uint32_t n)
{
    struct entry_report *e = &r->entries[n];

    if (e->kernel == NULL)
        return;
    const struct kernel_compat *c = &e->kernel->compat;

    if (!e->boots) { /* why it has no notes */
        if (c->xen_pv == CONFIG_NO && !e->kernel->img.notes.found)
            finding(r, n, PROBLEM_DOUBT,
                    report_printf(r,
                                  "CONFIG_XEN_PV is not set in %s: this kernel was not made for PV "
                                  "guests",
                                  config_name(r, c)));
        return;
    }
    look_at_xsave(r, n);
    look_at_block(r, n);
    look_at_console_driver(r, n);
    e->boots = !e->dead_end;
}
