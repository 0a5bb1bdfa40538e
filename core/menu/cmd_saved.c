/* SPDX-License-Identifier: MIT */
/* `savedefault`: which entry `default saved` boots the next time. */
#include <string.h>

#include "core/menu/cmd.h"
#include "core/menu/saved.h"

#define LINE_MAX 1024

/*
 * As in GRUB: what comes after this entry in the list, or the first of it. The last one of the list
 * has none. Those that the menu has not got are passed over, as when an entry fails.
 */
static bool next_fallback(const struct shell *sh, uint32_t self, uint32_t *out)
{
    const struct menu_settings *set = sh->settings;
    uint32_t next = 0;

    if (set == NULL)
        return false;
    for (uint32_t i = 0; i < set->nr_fallbacks; i++) {
        if (set->fallbacks[i] == self)
            next = i + 1;
    }
    while (next < set->nr_fallbacks && set->fallbacks[next] >= set->nr_entries)
        next++;
    if (next >= set->nr_fallbacks)
        return false;
    *out = set->fallbacks[next];
    return true;
}

static struct err not_saved(const struct shell *sh, const char *why)
{
    char line[128];
    struct text t = text_on(line, sizeof(line));

    text_str(&t, "savedefault: nothing is saved: ");
    text_str(&t, why);
    log_line(sh->say, line);
    return OK;
}

/* Nowhere to write to: say what a guest would do. */
static struct err only_look(struct shell *sh, uint32_t entry)
{
    char line[128];
    struct text t = text_on(line, sizeof(line));

    TRY(saved_default_check(sh->vols, sh->file, sh->req->arena, entry, sh->subject,
                            sh->subject_cap));
    text_str(&t, "savedefault: entry ");
    text_u64(&t, entry);
    text_str(&t, " would be saved");
    log_line(sh->say, line);
    return OK;
}

struct err cmd_save_default(struct shell *sh, const uint32_t *number, bool fallback)
{
    uint32_t self = sh->entry == SHELL_NO_ENTRY && sh->edited > 0 ? sh->edited - 1 : sh->entry;
    uint32_t entry = number != NULL ? *number : self;
    char line[LINE_MAX];
    struct text t = text_on(line, sizeof(line));
    struct err e;

    if (number == NULL && fallback && !next_fallback(sh, self, &entry))
        return not_saved(sh, "no entry comes after this one in the list of `fallback'");
    if (entry == SHELL_NO_ENTRY)
        return not_saved(sh, "no entry runs; name the number of one");
    if (sh->file == NULL)
        return not_saved(sh, "no menu was read, beside which the default could lie");
    if (sh->env == NULL)
        e = only_look(sh, entry);
    else
        e = saved_default_write(sh->vols, sh->file, sh->req->arena, entry, sh->say, sh->subject,
                                sh->subject_cap);
    if (!failed(e))
        return OK;
    text_str(&t, "savedefault: not saved, and the entry goes on: ");
    t.len += err_format(e, sh->subject, line + t.len, sizeof(line) - t.len);
    log_line(sh->say, line);
    shell_about(sh, "", 0);
    return OK;
}
