/* SPDX-License-Identifier: MIT */
/*
 * menu.lst as data: bytes in, a list of global commands and a list of entries out. A pure function
 * of (bytes, length): it reads no disk, and knows of no command but `title`.
 *
 *     bytes --menu_parse--> struct menu --menu_settings (commands.h)--> default, timeout, ...
 *                                       --shell_run_entry (commands.h)--> struct boot_request
 *
 * Source of the format: the GRUB 0.97 manual, and its habits as lex.h says.
 */
#ifndef PVBOOT_MENU_MENU_H
#define PVBOOT_MENU_MENU_H

#include "core/base/arena.h"
#include "core/base/err.h"
#include "core/base/log.h"

#define MENU_BYTES_MAX    ((uint64_t)4 << 20) /* of a menu file */
#define MENU_COMMANDS_MAX ((uint32_t)262144)  /* lines that are neither blank nor comments */
#define MENU_ENTRIES_MAX  ((uint32_t)65536)

struct menu_command {
    const char *line; /* the whole line, cleaned; its first name_len bytes are the command */
    size_t name_len;
    const char *args; /* in line; "" when there are none */
    uint32_t line_nr;
};

struct menu_entry {
    const char *title;
    uint32_t line_nr;
    uint32_t nr_commands;
    const struct menu_command *commands;
};

struct menu {
    uint32_t nr_globals; /* commands before the first title */
    const struct menu_command *globals;
    uint32_t nr_entries;
    const struct menu_entry *entries;
};

/*
 * Parse text[0..len) into *out; everything of it lies in the arena (the text is copied). The only
 * errors are ERR_LIMIT, naming the cap, and ERR_NO_MEMORY: no content is a syntax error. A menu
 * without entries is not an error here.
 */
struct err menu_parse(struct menu *out, const char *text, size_t len, struct arena *a,
                      const struct log *log);

#endif
