/* SPDX-License-Identifier: MIT */
/* The functions behind the table of commands (table.c), and what they share; private. */
#ifndef PVBOOT_MENU_CMD_H
#define PVBOOT_MENU_CMD_H

#include "core/base/text.h"
#include "core/menu/commands.h"

/* cmd_menu.c: lines before the first title. */
struct err menu_color(struct menu_settings *s, const char *args, const struct log *log);
struct err menu_default(struct menu_settings *s, const char *args, const struct log *log);
struct err menu_fallback(struct menu_settings *s, const char *args, const struct log *log);
struct err menu_hiddenmenu(struct menu_settings *s, const char *args, const struct log *log);
struct err menu_password(struct menu_settings *s, const char *args, const struct log *log);
struct err menu_timeout(struct menu_settings *s, const char *args, const struct log *log);

/* cmd_boot.c: what is booted. */
struct err entry_boot(struct shell *sh, const char *args);
struct err entry_chainloader(struct shell *sh, const char *args);
struct err entry_initrd(struct shell *sh, const char *args);
struct err entry_kernel(struct shell *sh, const char *args);
struct err entry_module(struct shell *sh, const char *args);

/* cmd_disk.c: disks, partitions, and which of them is the root. */
struct err entry_geometry(struct shell *sh, const char *args);
struct err entry_root(struct shell *sh, const char *args);
struct err entry_rootnoverify(struct shell *sh, const char *args);

/* cmd_find.c: volumes by what they hold. */
struct err entry_find(struct shell *sh, const char *args);
struct err entry_search(struct shell *sh, const char *args);
struct err entry_uuid(struct shell *sh, const char *args);

/* cmd_file.c: looking at files. */
struct err entry_blocklist(struct shell *sh, const char *args);
struct err entry_cat(struct shell *sh, const char *args);
struct err entry_cmp(struct shell *sh, const char *args);
struct err entry_configfile(struct shell *sh, const char *args);
struct err entry_testload(struct shell *sh, const char *args);

/* cmd_misc.c: the machine and the person in front of it. */
struct err entry_clear(struct shell *sh, const char *args);
struct err entry_displaymem(struct shell *sh, const char *args);
struct err entry_halt(struct shell *sh, const char *args);
struct err entry_help(struct shell *sh, const char *args);
struct err entry_lock(struct shell *sh, const char *args);
struct err entry_md5crypt(struct shell *sh, const char *args);
struct err entry_password(struct shell *sh, const char *args);
struct err entry_pager(struct shell *sh, const char *args);
struct err entry_pause(struct shell *sh, const char *args);
struct err entry_reboot(struct shell *sh, const char *args);
struct err entry_savedefault(struct shell *sh, const char *args);

/*
 * cmd_saved.c: save the entry: number; NULL: the one after this one in the list of fallbacks, or
 * this one. That it cannot be saved is a line and no error: the entry boots all the same.
 */
struct err cmd_save_default(struct shell *sh, const uint32_t *number, bool fallback);

/* ---- what they share (commands.c, cmd_file.c) ------------------------------------------------ */

/* "(hd0)/boot/x" for "/boot/x" on the root; cap counts the terminator. */
struct err shell_full_name(struct shell *sh, const char *word, size_t len, char *buf, size_t cap);

/* Open the file that the word names; its full name is what it is about. */
struct err shell_open(struct shell *sh, const char *word, size_t len, struct file *out);

/* shell_open; an empty file, or one whose first bytes cannot be read, is an error. name: it in
 * full. */
struct err shell_open_readable(struct shell *sh, const char *word, size_t len, const char *name,
                               struct file *out);

/* One line, for each command only once a session. */
void shell_say_once(struct shell *sh, const char *command, const char *what);

#endif
