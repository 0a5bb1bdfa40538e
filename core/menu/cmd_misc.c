/* SPDX-License-Identifier: MIT */
/* The machine, the person in front of it, and the commands themselves. */
#include <string.h>

#include "core/menu/ask.h"
#include "core/menu/cmd.h"
#include "core/menu/edit.h"
#include "core/menu/lex.h"
#include "core/menu/pager.h"
#include "core/menu/screen.h"

#define KEY_WAIT_MS   60000 /* how long one wait lasts while somebody is there */
#define HELP_COLUMNS  4
#define HELP_WIDTH    18
#define HELP_LINE_MAX 256

static bool somebody(const struct shell *sh)
{
    return sh->screen != NULL && sh->screen->somebody;
}

struct err entry_halt(struct shell *sh, const char *args)
{
    (void)args; /* --no-apm */
    sh->next = SHELL_HALT;
    return OK;
}

struct err entry_reboot(struct shell *sh, const char *args)
{
    (void)args;
    sh->next = SHELL_REBOOT;
    return OK;
}

struct err entry_clear(struct shell *sh, const char *args)
{
    (void)args;
    if (somebody(sh)) {
        screen_clear(sh->screen);
        screen_leave(sh->screen);
    }
    return OK;
}

/* With nobody there it only shows its text: nothing waits for a key. */
struct err entry_pause(struct shell *sh, const char *args)
{
    size_t cap = strlen(args) * 4 + 1; /* a byte becomes \xNN at worst */
    char *buf = arena_alloc(sh->req->arena, cap);
    struct text t = text_on(buf, buf == NULL ? 0 : cap);
    int key = KEY_NONE;

    if (buf == NULL)
        return arena_exhausted("no memory for a text (%a bytes asked)", cap);
    text_name(&t, args, strlen(args));
    if (args[0] != '\0')
        log_line(sh->say, buf);
    if (somebody(sh))
        log_line(sh->say, "Press any key to continue...");
    while (somebody(sh) && (key == KEY_NONE || key == KEY_SIZE))
        key = screen_key(sh->screen, KEY_WAIT_MS);
    return OK;
}

/* Without an argument it is switched over, as in GRUB. */
struct err entry_pager(struct shell *sh, const char *args)
{
    const char *word;
    size_t len;

    if (sh->pager == NULL) {
        shell_say_once(sh, "pager", "pager: no effect here: output stops only on the command line");
        return OK;
    }
    if (!lex_word(&args, &word, &len))
        sh->pager->off = !sh->pager->off;
    else if (lex_is(word, len, "on") || lex_is(word, len, "off"))
        sh->pager->off = len == 3;
    else
        return ERR(ERR_BAD_ARGUMENT, "`pager' takes on or off, or nothing to switch over");
    log_line(sh->say, sh->pager->off ? "Internal pager is now off" : "Internal pager is now on");
    return OK;
}

struct err entry_displaymem(struct shell *sh, const char *args)
{
    uint64_t total_bytes = 0, free_bytes = 0;
    char buf[128];
    struct text t = text_on(buf, sizeof(buf));

    (void)args;
    if (sh->env == NULL || sh->env->memory_size == NULL) {
        log_line(sh->say, "how much memory the guest has is known only in the guest");
        return OK;
    }
    sh->env->memory_size(sh->env->ctx, &total_bytes, &free_bytes);
    text_char(&t, ' ');
    text_size(&t, total_bytes);
    text_str(&t, " of memory, ");
    text_size(&t, free_bytes);
    text_str(&t, " free for a kernel and its initrd");
    log_line(sh->say, buf);
    return OK;
}

/* ---- passwords ------------------------------------------------------------------------------- */

/* Without a password in the menu there is nobody to keep out, as in GRUB. */
struct err entry_lock(struct shell *sh, const char *args)
{
    (void)args;
    if (sh->settings == NULL || !sh->settings->has_password || sh->authenticated)
        return OK;
    return ERR(ERR_PRIVILEGED, "the entry is locked: press p in the menu and give its password");
}

/* Goes on only with the password of this line; that of the menu does not matter. */
struct err entry_password(struct shell *sh, const char *args)
{
    struct password password;
    const char *rest;

    TRY(password_parse(&password, args, &rest));
    TRY(ask_password(sh->screen, &password));
    if (rest[0] != '\0')
        log_line(sh->say, "password: in an entry no other menu is read: the file is ignored");
    return OK;
}

/* The hash of what is typed, or of the argument, which everybody can read on the screen. */
struct err entry_md5crypt(struct shell *sh, const char *args)
{
    char typed[PASSWORD_TYPED_MAX + 1], salt[PASSWORD_SALT_LEN], hash[PASSWORD_MD5_BYTES];
    char line[PASSWORD_MD5_BYTES + 32];
    struct text t = text_on(line, sizeof(line));
    struct err e;

    if (sh->env == NULL || sh->env->seed == NULL) {
        log_line(sh->say, "passwords are hashed only in the guest; elsewhere: openssl passwd -1");
        return OK;
    }
    password_salt(sh->env->seed(sh->env->ctx), salt);
    if (args[0] != '\0') {
        e = password_md5crypt(args, strlen(args), salt, hash, sizeof(hash));
    } else if (ask_secret(sh->screen, "Password: ", typed, sizeof(typed))) {
        e = password_md5crypt(typed, strlen(typed), salt, hash, sizeof(hash));
        edit_wipe(typed, sizeof(typed));
    } else {
        return ERR(ERR_BAD_ARGUMENT, "`md5crypt' wants a password");
    }
    TRY(e);
    text_str(&t, "Encrypted: ");
    text_str(&t, hash);
    log_line(sh->say, line);
    return OK;
}

/* ---- savedefault ----------------------------------------------------------------------------- */

struct savedefault {
    bool has_number, fallback, once;
    uint32_t number;
};

static struct err savedefault_number(struct savedefault *out, const char *word, size_t len)
{
    uint64_t v;

    if (!lex_number(word, len, &v) || v > UINT32_MAX)
        return ERR(ERR_NUMBER_PARSING, "an entry number or `fallback' is wanted");
    out->has_number = true;
    out->number = (uint32_t)v;
    return OK;
}

/* [NUMBER|fallback] [--default=NUMBER] [--once] [--wait=SECONDS] [--stage2=FILE] */
static struct err parse_savedefault(struct shell *sh, const char *args, struct savedefault *out)
{
    const char *word;
    size_t len;

    *out = (struct savedefault){0};
    while (lex_word(&args, &word, &len)) {
        shell_about(sh, word, len);
        if (lex_is(word, len, "fallback"))
            out->fallback = true;
        else if (lex_is(word, len, "--once"))
            out->once = true;
        else if (len > 10 && memcmp(word, "--default=", 10) == 0)
            TRY(savedefault_number(out, word + 10, len - 10));
        else if (len >= 2 && memcmp(word, "--", 2) == 0) {
            if ((len < 7 || memcmp(word, "--wait=", 7) != 0) &&
                (len < 9 || memcmp(word, "--stage2=", 9) != 0))
                return ERR(ERR_BAD_ARGUMENT, "`savedefault' knows --once, --default=NUMBER, "
                                             "--wait=SECONDS and --stage2=FILE");
        } else
            TRY(savedefault_number(out, word, len));
    }
    shell_about(sh, "", 0);
    return OK;
}

struct err entry_savedefault(struct shell *sh, const char *args)
{
    struct savedefault what;

    TRY(parse_savedefault(sh, args, &what));
    if (what.once)
        log_line(sh->say,
                 "savedefault: --once means nothing to the file `default': the entry stays "
                 "saved until another one is");
    return cmd_save_default(sh, what.has_number ? &what.number : NULL, what.fallback);
}

/* ---- help ------------------------------------------------------------------------------------ */

static void help_on(struct shell *sh, const struct command *c)
{
    char buf[HELP_LINE_MAX];
    struct text t = text_on(buf, sizeof(buf));

    text_str(&t, c->name);
    if (c->usage != NULL && c->usage[0] != '\0') {
        text_char(&t, ' ');
        text_str(&t, c->usage);
    }
    text_str(&t, ": ");
    if (c->ignored != NULL)
        text_str(&t, "accepted, without effect: ");
    if (c->refused != NULL)
        text_str(&t, "not here: ");
    text_str(&t, c->ignored != NULL ? c->ignored : c->refused != NULL ? c->refused : c->help);
    if (c->entry == NULL && c->menu != NULL)
        text_str(&t, " (a line before the first title)");
    log_line(sh->say, buf);
}

/* What can be typed, in columns. */
static void help_all(struct shell *sh)
{
    char buf[HELP_LINE_MAX];
    struct text t = text_on(buf, sizeof(buf));
    uint32_t nr = 0;

    for (const struct command *c = menu_commands; c->name != NULL; c++) {
        if (c->entry == NULL)
            continue;
        if (nr > 0 && nr % HELP_COLUMNS == 0) {
            log_line(sh->say, buf);
            t = text_on(buf, sizeof(buf));
        }
        while (t.len < nr % HELP_COLUMNS * HELP_WIDTH)
            text_char(&t, ' ');
        text_str(&t, c->name);
        nr++;
    }
    log_line(sh->say, buf);
    log_line(sh->say, "`help COMMAND' says more about one of them.");
}

/* `help ker` is about all commands that begin so, as in GRUB. */
struct err entry_help(struct shell *sh, const char *args)
{
    const char *word;
    size_t len;
    bool any = false;

    while (lex_word(&args, &word, &len)) {
        bool found = false;

        any = true;
        if (lex_is(word, len, "--all")) {
            for (const struct command *c = menu_commands; c->name != NULL; c++)
                help_on(sh, c);
            continue;
        }
        for (const struct command *c = menu_commands; c->name != NULL; c++) {
            if (strncmp(c->name, word, len) != 0)
                continue;
            help_on(sh, c);
            found = true;
        }
        if (!found) {
            shell_about(sh, word, len);
            return ERR(ERR_UNRECOGNIZED, "`help' lists the commands");
        }
    }
    if (!any)
        help_all(sh);
    return OK;
}
