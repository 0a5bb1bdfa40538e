/* SPDX-License-Identifier: MIT */
/*
 * Doubts: what pvboot does not mind, but the kernel may. Only what can be told from the disk and
 * the command line.
 */
#include "host/inspect.h"

#include <string.h>
#include <strings.h>

#include "core/menu/lex.h"
#include "core/menu/saved.h"

#define SUBJECT_MAX 1024

#define NOT_HERE "root=%.*s is on none of these disks; correct it, or add the disk with --disk"

/* The value of the last `key` on the command line ("root=" -> "/dev/xvda"); false: none. */
static bool last_value(const char *cmdline, const char *key, const char **value, size_t *len)
{
    const char *rest = cmdline, *word;
    size_t word_len, key_len = strlen(key);
    bool found = false;

    while (lex_word(&rest, &word, &word_len)) {
        if (lex_is(word, word_len, "--"))
            break;
        if (word_len >= key_len && memcmp(word, key, key_len) == 0) {
            *value = word + key_len;
            *len = word_len - key_len;
            found = true;
        }
    }
    return found;
}

static bool begins(const char *s, size_t len, const char *prefix)
{
    return len >= strlen(prefix) && memcmp(s, prefix, strlen(prefix)) == 0;
}

static void doubt(struct report *r, uint32_t n, const char *text)
{
    report_problem(r, PROBLEM_DOUBT, n, report_printf(r, "entry %u: %s", n, text));
}

/* Is there a volume with this label or UUID? Only asked when every volume could be mounted. */
static bool volume_exists(struct report *r, const char *value, size_t len, bool by_uuid)
{
    for (uint32_t i = 0; i < r->nr_disks + r->nr_named; i++) {
        const struct disk_report *d = i < r->nr_disks ? &r->disks[i] : &r->named[i - r->nr_disks];

        if (d->error != NULL)
            return true;
        for (size_t j = 0; j < d->nr_volumes; j++) {
            const struct volume_report *v = &d->volumes[j];
            char uuid[UUID_TEXT];
            const char *name = by_uuid ? uuid : v->fs != NULL ? v->fs->label : "";

            if (v->member_of != NULL)
                continue;
            if (v->fs == NULL) /* what we cannot read may be it */
                return true;
            uuid_text(v->fs->uuid, uuid);
            if (strlen(name) == len && strncasecmp(name, value, len) == 0)
                return true;
        }
    }
    return false;
}

/*
 * Is there a GPT partition with this GUID or name? The kernel looks for it itself. PARTUUID of an
 * MBR is another thing: a number of the disk, which nothing here reads.
 */
static bool partition_exists(struct report *r, const char *value, size_t len, bool by_guid)
{
    for (uint32_t i = 0; i < r->nr_disks + r->nr_named; i++) {
        const struct disk_report *d = i < r->nr_disks ? &r->disks[i] : &r->named[i - r->nr_disks];

        if (d->error != NULL || d->table == NULL)
            return true;
        for (uint32_t k = 0; k < d->table->nr_parts; k++) {
            const struct part *p = &d->table->parts[k];
            char guid[UUID_TEXT];
            const char *name = by_guid ? guid : p->name;

            uuid_text(p->guid, guid);
            if (strlen(name) == len && strncasecmp(name, value, len) == 0)
                return true;
        }
    }
    return false;
}

static void look_for_partition(struct report *r, uint32_t n, const char *root, size_t len)
{
    bool by_guid = begins(root, len, "PARTUUID=");
    size_t skip = by_guid ? 9 : 10;

    if (!by_guid && !begins(root, len, "PARTLABEL="))
        return;
    if (by_guid && len - skip != UUID_TEXT - 1)
        return;
    if (!partition_exists(r, root + skip, len - skip, by_guid))
        doubt(r, n, report_printf(r, NOT_HERE, (int)len, root));
}

static void look_at_root(struct report *r, uint32_t n)
{
    const struct entry_report *e = &r->entries[n];
    const char *root;
    size_t len;
    bool by_uuid, by_label;

    if (!last_value(e->cmdline, "root=", &root, &len)) {
        if (e->nr_initrds == 0)
            doubt(r, n,
                  "no `initrd' and no root=: the kernel finds its root only if that was built "
                  "into it; add root=/dev/xvda or an `initrd' line");
        return;
    }
    by_uuid = begins(root, len, "UUID=");
    by_label = begins(root, len, "LABEL=");
    look_for_partition(r, n, root, len);
    if (!by_uuid && !by_label)
        return;
    if (e->nr_initrds == 0)
        doubt(r, n,
              report_printf(r,
                            "root=%.*s needs an initrd to look for it; add an `initrd' line, or "
                            "name the device: root=/dev/xvda",
                            (int)len, root));
    if (!volume_exists(r, root + (by_uuid ? 5 : 6), len - (by_uuid ? 5 : 6), by_uuid))
        doubt(r, n, report_printf(r, NOT_HERE, (int)len, root));
}

/*
 * The last console= is /dev/console of the init. The kernel's own messages come on hvc0 as well,
 * whatever is named.
 */
static void look_at_console(struct report *r, uint32_t n)
{
    const char *console;
    size_t len;

    if (!last_value(r->entries[n].cmdline, "console=", &console, &len) ||
        begins(console, len, "hvc"))
        return;
    doubt(r, n,
          report_printf(r,
                        "console=%.*s is the last one named, and a Xen guest has none: of what "
                        "comes after the kernel nothing will be seen; put console=hvc0 behind it",
                        (int)len, console));
}

/* Will `savedefault` have a file that it can write to? */
static void look_at_savedefault(struct report *r, uint32_t n)
{
    const struct menu_entry *entry = r->entries[n].entry;
    char subject[SUBJECT_MAX] = "", text[SUBJECT_MAX + 512];
    struct err e = OK;

    for (uint32_t i = 0; i < entry->nr_commands && !failed(e); i++) {
        const struct menu_command *c = &entry->commands[i];

        if (lex_is(c->line, c->name_len, "savedefault"))
            e = saved_default_check(r->vols, &r->file, r->arena, n, subject, sizeof(subject));
    }
    if (!failed(e))
        return;
    err_format(e, subject, text, sizeof(text));
    doubt(r, n, report_printf(r, "savedefault cannot save anything: %s", text));
}

void inspect_doubts(struct report *r, uint32_t n)
{
    const struct entry_report *e = &r->entries[n];

    for (uint32_t i = 0; i < e->nr_initrds; i++) {
        if (e->initrds[i].problem != NULL)
            doubt(r, n, report_printf(r, "%s: %s", e->initrds[i].name, e->initrds[i].problem));
    }
    look_at_root(r, n);
    look_at_console(r, n);
    look_at_savedefault(r, n);
}
