/* SPDX-License-Identifier: MIT */
/* The report for people: a word in the left column, what it is about in the right one. */
#include "host/inspect.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "host/builtin.h"

#define SHOWN_ENTRIES 64 /* more are counted; --json has all of them */

/* One line: `label` in the left column where it begins something, "" where it goes on. */
void print_row(const char *label, const char *text)
{
    printf("%-10s%s\n", label, text);
}

/* The same inside an entry. */
static void part(const char *label, const char *text)
{
    printf("%14s%-10s%s\n", "", label, text);
}

/* ---- disks ------------------------------------------------------------------------------------
 */

static const char *volume_content(struct report *r, const struct volume_report *v)
{
    char uuid[UUID_TEXT];

    if (v->member_of != NULL)
        return report_printf(r, "part of the RAID array %s", v->member_of);
    if (v->fs == NULL)
        return v->error;
    uuid_text(v->fs->uuid, uuid);
    return report_printf(r, "%s%s%s%s%s", v->fs->describe,
                         v->fs->label[0] != '\0' ? ", label " : "", name_text(r, v->fs->label),
                         uuid[0] != '\0' ? ", UUID " : "", uuid);
}

static void print_volume(struct report *r, const struct volume_report *v)
{
    const char *name = vol_text(r, v->id), *content = volume_content(r, v);
    char type[UUID_TEXT];
    struct text t = text_on(type, sizeof(type));

    if (v->part == NULL) {
        printf("%10s%s %s\n", "", name, content);
        return;
    }
    part_type(&t, v->part);
    printf("%10s%s %s at %s, type %s%s%s%s: %s\n", "", name, size_text(r, v->part->len_bytes),
           size_text(r, v->part->off_bytes), type, v->part->active ? ", active" : "",
           v->part->name[0] != '\0' ? ", name " : "", name_text(r, v->part->name), content);
}

static void print_disks(struct report *r)
{
    for (uint32_t i = 0; i < r->nr_disks; i++) {
        const struct disk_report *d = &r->disks[i];
        const char *table = d->table_error != NULL ? d->table_error : "in a RAID array";

        if (d->table != NULL)
            table = d->table->nr_parts == 0
                        ? "no partitions"
                        : report_printf(r, "%s partition table", d->table->scheme);
        print_row(i == 0 ? "disk" : "",
                  report_printf(r, "(hd%u) %s, %s, %s, %s", i, name_text(r, d->path), d->format,
                                size_text(r, d->disk->size_bytes), table));
        for (size_t j = 0; j < d->nr_volumes; j++)
            print_volume(r, &d->volumes[j]);
    }
}

static const char *array_members(struct report *r, const struct md_array *a)
{
    const char *text = "";

    for (const struct md_member *m = a->members; m != NULL; m = m->next)
        text =
            report_printf(r, "%s%s%s%s%s%s", text, text[0] != '\0' ? ", " : "", m->disk->name,
                          m->not_used != NULL ? " (not used: " : "",
                          m->not_used != NULL ? m->not_used : "", m->not_used != NULL ? ")" : "");
    return text;
}

static void print_arrays(struct report *r)
{
    const char *label = "array";

    for (const struct md_array *a = vols_arrays(r->vols); a != NULL; a = a->next) {
        const struct disk_report *d = report_device(r, a->volume);
        const char *name = vol_text(r, (struct vol_id){a->volume, VOL_WHOLE});

        print_row(label, d->disk == NULL
                             ? report_printf(r, "%s metadata %s: %s", name,
                                             md_version_name(a->version), d->error)
                             : report_printf(r, "%s RAID1, metadata %s, %s, %u of %u members: %s",
                                             name, md_version_name(a->version),
                                             size_text(r, d->disk->size_bytes), a->nr_used,
                                             a->nr_disks, array_members(r, a)));
        for (size_t j = 0; j < d->nr_volumes; j++)
            print_volume(r, &d->volumes[j]);
        label = "";
    }
}

static void print_logical(struct report *r, const struct disk_report *d)
{
    const char *name = vol_text(r, (struct vol_id){d->number, VOL_WHOLE});

    if (d->disk == NULL) {
        printf("%10s%s %s\n", "", name, d->error);
        return;
    }
    for (size_t j = 0; j < d->nr_volumes; j++) {
        if (d->volumes[j].part != NULL)
            print_volume(r, &d->volumes[j]);
        else
            printf("%10s%s %s: %s\n", "", name, size_text(r, d->disk->size_bytes),
                   volume_content(r, &d->volumes[j]));
    }
}

static void print_groups(struct report *r)
{
    const char *label = "group";

    for (const struct lvm_vg *vg = vols_lvm(r->vols)->vgs; vg != NULL; vg = vg->next) {
        const char *text = report_printf(r, "%s (LVM), physical volumes: ", vg->name);

        for (uint32_t i = 0; i < vg->nr_pvs; i++) {
            char id[LVM_ID_TEXT];

            lvm_id_text(vg->pvs[i].id, id);
            text = report_printf(r, "%s%s%s%s", text, i > 0 ? ", " : "",
                                 vg->pvs[i].disk != NULL ? "" : "missing ",
                                 vg->pvs[i].disk != NULL ? vg->pvs[i].disk->name : id);
        }
        print_row(label, name_text(r, text));
        for (uint32_t i = 0; i < r->nr_named; i++) {
            if (vols_lv(r->vols, r->named[i].number, vg) != NULL)
                print_logical(r, &r->named[i]);
        }
        label = "";
    }
}

/* ---- menu and entries -------------------------------------------------------------------------
 */

void print_menu(struct report *r)
{
    const struct menu_settings *s = &r->settings;

    /* With a menu the last line says where it was found; what comes before are bad files. */
    for (size_t i = 0; i + (r->has_menu ? 1 : 0) < r->search.nr; i++)
        print_row(i == 0 ? "search" : "", name_text(r, r->search.text[i]));
    if (!r->has_menu)
        return;
    printf("%-10s%s, %s: %u %s, default %s%u, ", "menu", name_text(r, r->file.name),
           size_text(r, r->file.len), r->menu.nr_entries,
           r->menu.nr_entries == 1 ? "entry" : "entries", s->default_saved ? "saved, now " : "",
           s->default_entry);
    for (uint32_t i = 0; i < s->nr_fallbacks; i++)
        printf(i == 0 ? "fallback %u" : " %u", s->fallbacks[i]);
    printf("%stimeout %u%s%s\n", s->nr_fallbacks > 0 ? ", " : "", s->timeout_s,
           s->hidden ? ", hidden" : "", s->has_password ? ", password" : "");
}

/* Bits that a kernel claims by number, and its FEATURES string does not name. */
static void print_more_features(struct report *r, const struct xen_notes *n)
{
    const char *text = "";

    for (unsigned i = 0; i < 32; i++) {
        const char *name = image_feature_name(i);

        if ((n->features_supported & (uint32_t)1 << i) != 0 && name != NULL &&
            strstr(n->features, name) == NULL)
            text = report_printf(r, "%s%s%s", text, text[0] != '\0' ? ", " : "", name);
    }
    if (text[0] != '\0')
        part("supports", text);
}

static void print_notes(struct report *r, const struct image *img)
{
    const struct xen_notes *n = &img->notes;
    const char *text;

    if (!n->found)
        return;
    text = report_printf(r, "%s %s for %s, entry 0x%" PRIx64, name_text(r, n->guest_os),
                         name_text(r, n->guest_version), name_text(r, n->xen_version), n->entry);
    if (n->has_virt_base)
        text = report_printf(r, "%s, virt_base 0x%" PRIx64, text, n->virt_base);
    if (n->guest_section)
        text = report_printf(r, "%s, by a __xen_guest section", text);
    part("Xen PV", text);
    text = n->mod_start_pfn ? "initrd by pfn" : "initrd mapped";
    if (n->has_init_p2m)
        text = report_printf(r, "init_p2m 0x%" PRIx64 ", %s", n->init_p2m, text);
    if (n->paddr_offset != 0)
        text = report_printf(r, "%s, paddr_offset 0x%" PRIx64, text, n->paddr_offset);
    part("", text);
    if (img->symtab.bytes != 0)
        part("symbols",
             report_printf(r, "%s behind it, for its debugger", size_text(r, img->symtab.bytes)));
    if (n->features[0] != '\0')
        part("features", name_text(r, n->features));
    print_more_features(r, n);
}

static void print_compat(struct report *r, const struct kernel_report *k)
{
    const struct kernel_compat *c = &k->compat;
    const struct xen_notes *n = &k->img.notes;

    if (n->found)
        part("guests",
             report_printf(r, "%s%s%s", k->img.width == IMAGE_64 ? "64-bit PV" : "32-bit PV",
                           n->pvh ? ", PVH" : "", c->pv_ops ? ", pv-ops" : ""));
    if (c->config_from == NULL)
        return;
    const char *text = report_printf(r, "XEN_PV=%s, XEN_BLKDEV_FRONTEND=%s, HVC_XEN=%s",
                                     compat_value_text(c->xen_pv), compat_value_text(c->block),
                                     compat_value_text(c->console));

    if (c->xen_compat != 0)
        text = report_printf(r, "%s, XEN_COMPAT=0x%06x", text, c->xen_compat);
    part("config", report_printf(r, "%s, from %s", text, name_text(r, c->config_from)));
}

static void print_kernel(struct report *r, const struct kernel_report *k)
{
    const struct image *img = &k->img;
    const char *text = "ELF";

    part("kernel", report_printf(r, "%s, %s", name_text(r, k->name), size_text(r, k->size_bytes)));
    if (!k->headers)
        return;
    if (img->container == IMAGE_BZIMAGE)
        text =
            report_printf(r, "bzImage %u.%02u", img->boot_protocol >> 8, img->boot_protocol & 0xff);
    text = report_printf(r, "%s, %s, %s", text, img->width == IMAGE_64 ? "64-bit" : "32-bit",
                         img->compression == UNPACK_NONE ? "not compressed"
                                                         : unpack_name(img->compression));
    if (img->wrapping != UNPACK_NONE)
        text = report_printf(r, "%s, all of it %s", text, unpack_name(img->wrapping));
    if (img->unpacked_bytes != 0)
        text = report_printf(r, "%s, %s unpacked", text, size_text(r, img->unpacked_bytes));
    part("", report_printf(r, "%s, fills %s from 0x%" PRIx64, text,
                           size_text(r, img->pend - img->pstart), img->pstart));
    if (img->version[0] != '\0')
        part("", name_text(r, img->version));
    print_notes(r, img);
    print_compat(r, k);
}

static void print_initrd(struct report *r, const struct initrd_report *in)
{
    const char *text = report_printf(r, "%s, %s, %s", name_text(r, in->name),
                                     size_text(r, in->size_bytes), in->what);

    if (in->unpacked_bytes > 0)
        text = report_printf(r, "%s, %s unpacked", text, size_text(r, in->unpacked_bytes));
    part("initrd", text);
}

/* The first entry that names this kernel says everything about it. */
static uint32_t first_with_kernel(const struct report *r, const struct kernel_report *k)
{
    uint32_t i = 0;

    while (r->entries[i].kernel != k)
        i++;
    return i;
}

static void print_entry(struct report *r, uint32_t n)
{
    const struct entry_report *e = &r->entries[n];
    const char *verdict = e->boots ? n == r->boots ? "boots" : "could boot" : "does not boot";
    if (e->does != NULL)
        verdict = e->does;
    uint32_t first = e->kernel != NULL ? first_with_kernel(r, e->kernel) : n;

    print_row(n == 0 ? "entries" : "", report_printf(r, "%s%u %s: %s", n == r->boots ? "> " : "  ",
                                                     n, name_text(r, e->entry->title), verdict));
    if (e->kernel != NULL) {
        if (first == n)
            print_kernel(r, e->kernel);
        else
            part("kernel",
                 report_printf(r, "%s, as in entry %u", name_text(r, e->kernel->name), first));
        if (e->cmdline[0] != '\0')
            part("arguments", name_text(r, e->cmdline));
    }
    for (uint32_t i = 0; i < e->nr_initrds; i++)
        print_initrd(r, &e->initrds[i]);
}

static void print_entries(struct report *r)
{
    uint32_t nr = r->entries != NULL ? r->menu.nr_entries : 0;

    for (uint32_t i = 0; i < nr; i++) {
        if (i < SHOWN_ENTRIES || i == r->boots)
            print_entry(r, i);
    }
    if (nr > SHOWN_ENTRIES)
        printf("%10s... %u entries in all; --json shows each\n", "", nr);
}

/* One line: what the report was made with, for who asks why something was not read. */
static void print_built_in(struct report *r)
{
    const char *text = "pvboot " PVBOOT_VERSION " reads ";

    for (size_t i = 0; built_in[i].key != NULL; i++) {
        const char *name;

        for (uint32_t n = 0; (name = built_in[i].name(n)) != NULL; n++)
            text = report_printf(r, "%s%s%s", text, n > 0 ? ", " : i > 0 ? "; " : "", name);
    }
    print_row("built in", text);
}

void print_problems(struct report *r)
{
    for (size_t i = 0; i < r->nr_problems; i++)
        print_row(i == 0 ? "problems" : "",
                  report_printf(r, "%s %s", r->problems[i].severity == PROBLEM_STOPS ? "!" : "-",
                                r->problems[i].text));
}

void inspect_print(struct report *r)
{
    print_disks(r);
    print_arrays(r);
    print_groups(r);
    print_menu(r);
    print_entries(r);
    for (size_t i = 0; i < r->log.nr; i++)
        print_row(i == 0 ? "log" : "", r->log.text[i]);
    print_problems(r);
    print_built_in(r);
    if (r->boots == NO_ENTRY)
        print_row("result", "would not boot");
    else
        print_row("result",
                  report_printf(r, "boots entry %u%s, %s", r->boots,
                                r->boots == r->settings.default_entry ? "" : " (fallback)",
                                name_text(r, r->entries[r->boots].kernel->name)));
}
