/* SPDX-License-Identifier: MIT */
/* The report as one JSON object. Sizes are bytes, addresses are "0x..." strings. */
#include "host/inspect.h"

#include <string.h>

#include "host/builtin.h"
#include "host/json.h"

static void put_vol(struct json *j, const struct report *r, const char *key, struct vol_id id)
{
    char name[VOL_NAME_MAX];

    vol_format(r->vols, id, name, sizeof(name));
    json_str(j, key, name);
}

static void put_gpt(struct json *j, const struct part *p)
{
    char guid[UUID_TEXT];

    uuid_text(p->type_guid, guid);
    json_str(j, "type_guid", guid);
    uuid_text(p->guid, guid);
    json_str(j, "part_guid", guid);
    json_str(j, "part_name", p->name);
}

static void put_volume(struct json *j, const struct report *r, const struct volume_report *v,
                       bool is_gpt)
{
    char uuid[UUID_TEXT];

    json_object(j, NULL);
    put_vol(j, r, "name", v->id);
    if (v->part != NULL) {
        json_u64(j, "offset", v->part->off_bytes);
        json_u64(j, "size", v->part->len_bytes);
        json_bool(j, "active", v->part->active);
        if (is_gpt)
            put_gpt(j, v->part);
        else
            json_u64(j, "mbr_type", v->part->mbr_type);
    }
    if (v->member_of != NULL) {
        json_null(j, "file_system");
        json_str(j, "member_of", v->member_of);
    } else if (v->fs != NULL) {
        uuid_text(v->fs->uuid, uuid);
        json_str(j, "file_system", v->fs->describe);
        json_str(j, "label", v->fs->label);
        json_str(j, "uuid", uuid);
        /* On the disk it is dirty still. */
        json_bool(j, "journal_dirty", v->fs->journal_dirty || v->fs->journal_replayed);
        json_bool(j, "journal_replayed", v->fs->journal_replayed);
    } else {
        json_null(j, "file_system");
        json_str(j, "error", v->error);
    }
    json_end_object(j);
}

/* What a disk, an array and a logical volume have in common; the object stays open. */
static void put_device(struct json *j, const struct report *r, const struct disk_report *d)
{
    bool is_gpt = d->table != NULL && strcmp(d->table->scheme, "gpt") == 0;

    json_object(j, NULL);
    put_vol(j, r, "name", (struct vol_id){d->number, VOL_WHOLE});
    if (d->path != NULL) {
        json_str(j, "image", d->path);
        json_str(j, "format", d->format);
    }
    if (d->disk != NULL) {
        json_u64(j, "size", d->disk->size_bytes);
        json_u64(j, "sector_size", d->disk->sector_bytes);
        json_str(j, "partition_table", d->table != NULL ? d->table->scheme : NULL);
    }
    if (d->error != NULL || d->table_error != NULL)
        json_str(j, "error", d->error != NULL ? d->error : d->table_error);
    json_list(j, "volumes");
    for (size_t k = 0; k < d->nr_volumes; k++)
        put_volume(j, r, &d->volumes[k], is_gpt);
    json_end_list(j);
}

static void put_disks(struct json *j, const struct report *r)
{
    json_list(j, "disks");
    for (uint32_t i = 0; i < r->nr_disks; i++) {
        put_device(j, r, &r->disks[i]);
        json_end_object(j);
    }
    json_end_list(j);
}

static void put_arrays(struct json *j, const struct report *r)
{
    char uuid[UUID_TEXT];

    json_list(j, "arrays");
    for (const struct md_array *a = vols_arrays(r->vols); a != NULL; a = a->next) {
        put_device(j, r, report_device(r, a->volume));
        uuid_text(a->uuid, uuid);
        json_str(j, "uuid", uuid);
        json_str(j, "metadata", md_version_name(a->version));
        json_u64(j, "members_wanted", a->nr_disks);
        json_list(j, "members");
        for (const struct md_member *m = a->members; m != NULL; m = m->next) {
            json_object(j, NULL);
            json_str(j, "device", m->disk->name);
            json_bool(j, "used", a->disk != NULL && m->not_used == NULL);
            if (m->not_used != NULL)
                json_str(j, "reason", m->not_used);
            json_end_object(j);
        }
        json_end_list(j);
        json_end_object(j);
    }
    json_end_list(j);
}

static void put_groups(struct json *j, const struct report *r)
{
    json_list(j, "volume_groups");
    for (const struct lvm_vg *vg = vols_lvm(r->vols)->vgs; vg != NULL; vg = vg->next) {
        json_object(j, NULL);
        json_str(j, "name", vg->name);
        json_u64(j, "seqno", vg->seqno);
        json_u64(j, "extent_size", vg->extent_bytes);
        json_list(j, "physical_volumes");
        for (uint32_t i = 0; i < vg->nr_pvs; i++) {
            char id[LVM_ID_TEXT];

            lvm_id_text(vg->pvs[i].id, id);
            json_object(j, NULL);
            json_str(j, "uuid", id);
            json_str(j, "device", vg->pvs[i].disk != NULL ? vg->pvs[i].disk->name : NULL);
            json_end_object(j);
        }
        json_end_list(j);
        json_list(j, "logical_volumes");
        for (uint32_t i = 0; i < r->nr_named; i++) {
            if (vols_lv(r->vols, r->named[i].number, vg) == NULL)
                continue;
            put_device(j, r, &r->named[i]);
            json_end_object(j);
        }
        json_end_list(j);
        json_end_object(j);
    }
    json_end_list(j);
}

void put_lines(struct json *j, const char *key, const struct lines *lines)
{
    json_list(j, key);
    for (size_t i = 0; i < lines->nr; i++)
        json_str(j, NULL, lines->text[i]);
    json_end_list(j);
}

void put_menu(struct json *j, const struct report *r)
{
    const struct menu_settings *s = &r->settings;

    if (!r->has_menu) {
        json_null(j, "menu");
        return;
    }
    json_object(j, "menu");
    json_str(j, "file", r->file.name);
    json_u64(j, "size", r->file.len);
    json_u64(j, "default", s->default_entry);
    json_bool(j, "default_saved", s->default_saved);
    json_u64(j, "timeout", s->timeout_s);
    json_bool(j, "hidden", s->hidden);
    json_bool(j, "password", s->has_password);
    json_list(j, "fallback");
    for (uint32_t i = 0; i < s->nr_fallbacks; i++)
        json_u64(j, NULL, s->fallbacks[i]);
    json_end_list(j);
    json_end_object(j);
}

static void put_features(struct json *j, const char *key, uint32_t bits)
{
    json_list(j, key);
    for (unsigned i = 0; i < 32; i++) {
        const char *name = image_feature_name(i);

        if ((bits & (uint32_t)1 << i) != 0 && name != NULL)
            json_str(j, NULL, name);
    }
    json_end_list(j);
}

static void put_notes(struct json *j, const struct image *img)
{
    const struct xen_notes *n = &img->notes;

    json_object(j, "xen");
    json_str(j, "interface", n->guest_section ? "__xen_guest" : "notes");
    json_str(j, "guest_os", n->guest_os);
    json_str(j, "guest_version", n->guest_version);
    json_str(j, "xen_version", n->xen_version);
    json_str(j, "loader", n->loader);
    json_str(j, "features", n->features);
    put_features(j, "features_supported", n->features_supported);
    put_features(j, "features_required", n->features_required);
    if (n->pae_mode[0] != '\0')
        json_str(j, "pae_mode", n->pae_mode);
    json_hex(j, "entry", n->entry);
    if (n->has_virt_base)
        json_hex(j, "virt_base", n->virt_base);
    json_hex(j, "paddr_offset", n->paddr_offset);
    if (n->has_init_p2m)
        json_hex(j, "init_p2m", n->init_p2m);
    if (n->has_hv_start_low)
        json_hex(j, "hv_start_low", n->hv_start_low);
    if (n->has_hypercall_page)
        json_hex(j, "hypercall_page", n->hypercall_page);
    json_bool(j, "initrd_by_pfn", n->mod_start_pfn);
    json_bool(j, "suspend_cancel", n->suspend_cancel);
    json_bool(j, "pvh", n->pvh);
    if (n->pvh)
        json_hex(j, "phys32_entry", n->phys32_entry);
    json_bool(j, "wants_symbols", n->bsd_symtab);
    json_u64(j, "symbols_size", img->symtab.bytes);
    json_end_object(j);
}

static void put_compat(struct json *j, const struct kernel_report *k)
{
    static const char *const cr4[] = {NULL, "sets OSXSAVE", "clears OSXSAVE"};
    const struct kernel_compat *c = &k->compat;

    json_object(j, "compatibility");
    json_str(j, "release", c->release[0] != '\0' ? c->release : NULL);
    json_list(j, "guests");
    if (k->img.notes.found)
        json_str(j, NULL, k->img.width == IMAGE_64 ? "PV64" : "PV32");
    if (k->img.notes.pvh)
        json_str(j, NULL, "PVH");
    json_end_list(j);
    json_bool(j, "pv_ops", c->pv_ops);
    json_str(j, "cr4", cr4[c->cr4]);
    json_str(j, "config", c->config_from);
    json_str(j, "CONFIG_XEN_PV", compat_value_text(c->xen_pv));
    json_str(j, "CONFIG_XEN_BLKDEV_FRONTEND", compat_value_text(c->block));
    json_str(j, "CONFIG_HVC_XEN", compat_value_text(c->console));
    if (c->xen_compat != 0)
        json_hex(j, "CONFIG_XEN_COMPAT", c->xen_compat);
    json_end_object(j);
}

static void put_kernel(struct json *j, struct report *r, const struct kernel_report *k)
{
    const struct image *img = &k->img;

    json_object(j, "kernel");
    json_str(j, "file", k->name);
    json_u64(j, "size", k->size_bytes);
    json_bool(j, "usable", k->usable);
    if (failed(k->error))
        json_str(j, "error", report_error(r, k->error, NULL));
    if (k->headers) {
        json_str(j, "container", img->container == IMAGE_BZIMAGE ? "bzImage" : "ELF");
        json_str(j, "compression", unpack_name(img->compression));
        json_str(j, "packed_again_with", unpack_name(img->wrapping));
        json_u64(j, "bits", img->width == IMAGE_64 ? 64 : 32);
        if (img->container == IMAGE_BZIMAGE)
            json_str(
                j, "boot_protocol",
                report_printf(r, "%u.%02u", img->boot_protocol >> 8, img->boot_protocol & 0xff));
        json_str(j, "version", img->version);
        json_u64(j, "unpacked_size", img->unpacked_bytes);
        json_hex(j, "load_address", img->pstart);
        json_u64(j, "load_size", img->pend - img->pstart);
        if (img->notes.found)
            put_notes(j, img);
        else
            json_null(j, "xen");
        put_compat(j, k);
    }
    json_end_object(j);
}

static void put_initrd(struct json *j, const struct initrd_report *in)
{
    json_object(j, NULL);
    json_str(j, "file", in->name);
    json_u64(j, "size", in->size_bytes);
    json_str(j, "content", in->what);
    json_u64(j, "unpacked_size", in->unpacked_bytes);
    if (in->listed || in->has_block)
        json_bool(j, "xen_block_driver", in->has_block);
    else
        json_null(j, "xen_block_driver");
    json_end_object(j);
}

static void put_entries(struct json *j, struct report *r)
{
    json_list(j, "entries");
    for (uint32_t i = 0; r->entries != NULL && i < r->menu.nr_entries; i++) {
        const struct entry_report *e = &r->entries[i];

        json_object(j, NULL);
        json_u64(j, "number", i);
        json_str(j, "title", e->entry->title);
        json_u64(j, "line", e->entry->line_nr);
        json_bool(j, "boots", e->boots);
        if (e->does != NULL)
            json_str(j, "does", e->does);
        if (failed(e->error))
            json_str(j, "error", report_error(r, e->error, e->subject));
        if (e->kernel != NULL) {
            json_str(j, "command_line", e->cmdline);
            put_kernel(j, r, e->kernel);
        }
        json_list(j, "initrds");
        for (uint32_t k = 0; k < e->nr_initrds; k++)
            put_initrd(j, &e->initrds[k]);
        json_end_list(j);
        json_end_object(j);
    }
    json_end_list(j);
}

void put_problems(struct json *j, const struct report *r)
{
    json_list(j, "problems");
    for (size_t i = 0; i < r->nr_problems; i++) {
        const struct problem *p = &r->problems[i];

        json_object(j, NULL);
        json_str(j, "severity", p->severity == PROBLEM_STOPS ? "stops" : "doubt");
        if (p->entry == NO_ENTRY)
            json_null(j, "entry");
        else
            json_u64(j, "entry", p->entry);
        json_str(j, "text", p->text);
        json_end_object(j);
    }
    json_end_list(j);
}

static void put_built_in(struct json *j)
{
    json_object(j, "built_in");
    for (size_t i = 0; built_in[i].key != NULL; i++) {
        const char *name;

        json_list(j, built_in[i].key);
        for (uint32_t n = 0; (name = built_in[i].name(n)) != NULL; n++)
            json_str(j, NULL, name);
        json_end_list(j);
    }
    json_end_object(j);
}

void inspect_json(struct report *r)
{
    struct json j;

    json_init(&j, stdout);
    json_object(&j, NULL);
    json_bool(&j, "boots", r->boots != NO_ENTRY);
    if (r->boots == NO_ENTRY)
        json_null(&j, "entry");
    else
        json_u64(&j, "entry", r->boots);
    json_str(&j, "layout", r->hd00 ? "hd00" : "hd0");
    json_str(&j, "arch", r->narrow ? "i386" : "x86_64");
    put_disks(&j, r);
    put_arrays(&j, r);
    put_groups(&j, r);
    put_lines(&j, "search", &r->search);
    put_menu(&j, r);
    put_entries(&j, r);
    put_lines(&j, "log", &r->log);
    put_problems(&j, r);
    put_built_in(&j);
    json_end_object(&j);
}
