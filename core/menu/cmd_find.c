/* SPDX-License-Identifier: MIT */
/* find, search, uuid: volumes by a file that they hold, by label, by UUID. */
#include <string.h>

#include "core/base/bytes.h"
#include "core/menu/cmd.h"
#include "core/menu/lex.h"
#include "core/menu/places.h"

#define UUID_TEXT 36 /* "f81d4fae-7dec-11d0-a765-00a0c91e6bf6" */

enum find_by { BY_FILE, BY_LABEL, BY_UUID };

struct wanted {
    enum find_by by;
    const char *name; /* in the line, not terminated */
    size_t len;
    const char *path; /* BY_FILE: the name, terminated */
    bool set_root;
};

/* The UUID as text, upper or lower case, compared without its hyphens. */
static bool is_uuid(const uint8_t uuid[16], const char *s, size_t len)
{
    static const char hex[] = "0123456789abcdef";
    size_t nr = 0;

    for (size_t i = 0; i < len; i++) {
        char c = s[i] >= 'A' && s[i] <= 'F' ? (char)(s[i] - 'A' + 'a') : s[i];
        unsigned digit;

        if (c == '-')
            continue;
        if (nr == 32)
            return false;
        digit = nr % 2 == 0 ? uuid[nr / 2] >> 4 : uuid[nr / 2] & 15;
        if (c != hex[digit])
            return false;
        nr++;
    }
    return nr == 32;
}

static bool no_uuid(const uint8_t uuid[16])
{
    static const uint8_t none[16];

    return memcmp(uuid, none, 16) == 0;
}

static void put_uuid(struct text *t, const uint8_t uuid[16])
{
    text_uuid(t, be64(uuid), be64(uuid + 8));
}

/* Does the file system hold it? */
static bool holds(struct shell *sh, struct fs *fs, const struct wanted *w)
{
    struct file f;

    switch (w->by) {
    case BY_FILE:
        return !failed(file_open(&f, fs, sh->req->arena, w->path, NULL));
    case BY_LABEL:
        return lex_is(w->name, w->len, fs->label);
    default:
        return !no_uuid(fs->uuid) && is_uuid(fs->uuid, w->name, w->len);
    }
}

static void say_place(struct shell *sh, struct vol_id id, const char *before)
{
    char device[VOL_NAME_MAX], buf[VOL_NAME_MAX + 64];
    struct text t = text_on(buf, sizeof(buf));

    vol_format(sh->vols, id, device, sizeof(device));
    text_str(&t, before);
    text_str(&t, device);
    log_line(sh->say, buf);
}

static struct err not_found(struct shell *sh, const struct wanted *w)
{
    static const char *const sentences[] = {
        [BY_FILE] = "no disk, partition or volume holds it",
        [BY_LABEL] = "no file system has this label; `uuid' lists those that there are",
        [BY_UUID] = "no file system has this UUID; `uuid' lists those that there are",
    };

    shell_about(sh, w->name, w->len);
    return ERR(ERR_FILE_NOT_FOUND, sentences[w->by]);
}

/* List the places that hold it; or take the first of them as the root, and name the others. */
static struct err look_everywhere(struct shell *sh, const struct wanted *w)
{
    struct places places = PLACES_START;
    struct vol_id id;
    uint32_t nr = 0;

    while (places_next(&places, sh->vols, &id)) {
        struct fs *fs;

        if (failed(vols_mount(sh->vols, id, &fs)) || !holds(sh, fs, w))
            continue;
        if (!w->set_root)
            say_place(sh, id, " ");
        else if (nr > 0)
            say_place(sh, id, " the first is taken; there is another: ");
        else
            say_place(sh, id, " the root is now ");
        if (w->set_root && nr == 0)
            sh->root = id;
        nr++;
    }
    return nr > 0 ? OK : not_found(sh, w);
}

/* The rest of the options is read; what is left of *args is the name. */
static struct err take_name(struct shell *sh, const char *args, struct wanted *w)
{
    if (!lex_word(&args, &w->name, &w->len))
        return ERR(ERR_BAD_ARGUMENT, "what to look for is missing");
    shell_about(sh, w->name, w->len);
    if (w->by != BY_FILE)
        return OK;
    if (w->name[0] != '/')
        return ERR(ERR_BAD_FILENAME, "a path without a device is wanted: find /boot/vmlinuz");
    w->path = arena_strndup(sh->req->arena, w->name, w->len);
    return w->path != NULL ? OK : arena_exhausted("no memory for a file name (%a bytes)", w->len);
}

/* `find --set-root` is GRUB4DOS's, and common. */
struct err entry_find(struct shell *sh, const char *args)
{
    struct wanted w = {.by = BY_FILE};
    const char *rest = args, *word;
    size_t len;

    while (lex_word(&rest, &word, &len) && len > 2 && memcmp(word, "--", 2) == 0) {
        if (lex_is(word, len, "--set-root")) {
            w.set_root = true;
        } else if (!lex_is(word, len, "--ignore-floppies") && !lex_is(word, len, "--ignore-cd")) {
            shell_about(sh, word, len);
            return ERR(ERR_BAD_ARGUMENT, "`find' knows --set-root");
        }
        args = rest;
    }
    TRY(take_name(sh, args, &w));
    return look_everywhere(sh, &w);
}

/* An option of `search`; *takes_value: the next word belongs to it. */
static struct err search_option(const char *word, size_t len, struct wanted *w, bool *takes_value)
{
    *takes_value = false;
    if (lex_is(word, len, "--file") || lex_is(word, len, "-f")) {
        w->by = BY_FILE;
    } else if (lex_is(word, len, "--label") || lex_is(word, len, "-l")) {
        w->by = BY_LABEL;
    } else if (lex_is(word, len, "--fs-uuid") || lex_is(word, len, "-u")) {
        w->by = BY_UUID;
    } else if (lex_is(word, len, "--set") || lex_is(word, len, "-s") ||
               lex_is(word, len, "--set=root")) {
        w->set_root = true;
    } else if (len > 6 && memcmp(word, "--set=", 6) == 0) {
        return ERR(ERR_BAD_ARGUMENT, "there are no variables; only the root can be set: "
                                     "--set=root");
    } else if (lex_is(word, len, "--hint")) {
        *takes_value = true;
    } else if (!lex_is(word, len, "--no-floppy") && !lex_is(word, len, "-n") &&
               (len < 6 || memcmp(word, "--hint", 6) != 0)) {
        return ERR(ERR_BAD_ARGUMENT, "`search' knows --file, --label, --fs-uuid, --set=root, "
                                     "--no-floppy and --hint");
    }
    return OK;
}

/* GRUB 2's, as far as it goes without variables. Hints save time there; here nothing is to save. */
struct err entry_search(struct shell *sh, const char *args)
{
    struct wanted w = {.by = BY_FILE};
    const char *rest = args, *word;
    bool takes_value;
    size_t len;

    while (lex_word(&rest, &word, &len) && word[0] == '-') {
        shell_about(sh, word, len);
        TRY(search_option(word, len, &w, &takes_value));
        /* "--set root": the variable as a word of its own. */
        args = rest;
        if ((lex_is(word, len, "--set") || lex_is(word, len, "-s")) &&
            lex_word(&rest, &word, &len) && lex_is(word, len, "root"))
            args = rest;
        else if (takes_value && lex_word(&rest, &word, &len))
            args = rest;
        rest = args;
    }
    TRY(take_name(sh, args, &w));
    return look_everywhere(sh, &w);
}

/* ---- uuid ------------------------------------------------------------------------------------ */

static void say_uuid(struct shell *sh, struct vol_id id, const struct fs *fs)
{
    char device[VOL_NAME_MAX], buf[VOL_NAME_MAX + UUID_TEXT + FS_DESCRIBE_MAX + 4 * FS_LABEL_MAX];
    struct text t = text_on(buf, sizeof(buf));

    vol_format(sh->vols, id, device, sizeof(device));
    text_char(&t, ' ');
    text_str(&t, device);
    text_str(&t, ": ");
    if (no_uuid(fs->uuid))
        text_str(&t, "no UUID");
    else
        put_uuid(&t, fs->uuid);
    text_str(&t, ", ");
    text_str(&t, fs->describe);
    if (fs->label[0] != '\0') {
        text_str(&t, ", label ");
        text_name(&t, fs->label, strlen(fs->label));
    }
    log_line(sh->say, buf);
}

static void say_all_uuids(struct shell *sh)
{
    struct places places = PLACES_START;
    struct vol_id id;
    struct fs *fs;

    while (places_next(&places, sh->vols, &id)) {
        if (!failed(vols_mount(sh->vols, id, &fs)))
            say_uuid(sh, id, fs);
    }
}

/* Ubuntu's: with a UUID the root, with a device its UUID, alone all that there are. */
struct err entry_uuid(struct shell *sh, const char *args)
{
    struct wanted w = {.by = BY_UUID, .set_root = true};
    struct vol_id id;
    struct fs *fs;
    size_t used;

    if (!lex_word(&args, &w.name, &w.len)) {
        say_all_uuids(sh);
        return OK;
    }
    shell_about(sh, w.name, w.len);
    if (w.name[0] != '(')
        return look_everywhere(sh, &w);
    TRY(vol_parse(sh->vols, w.name, &id, &used));
    if (used != w.len)
        return ERR(ERR_DEV_FORMAT, "a UUID or only a device is wanted: uuid (hd0,0)");
    TRY(vols_mount(sh->vols, id, &fs));
    say_uuid(sh, id, fs);
    return OK;
}
