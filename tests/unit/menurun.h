/* SPDX-License-Identifier: MIT */
/*
 * Menus that boot by themselves on two disks: what their commands do is in `term`.
 *
 *     (hd0)    the files given, and /boot/grub/menu.lst; label ROOT, UUID MENURUN_UUID
 *     (hd1)    /data/only-here and /both; label "Data disk"
 */
#ifndef PVBOOT_TESTS_MENURUN_H
#define PVBOOT_TESTS_MENURUN_H

#include "tests/unit/term.h"
#include "tests/unit/tree.h"

#define MENURUN_UUID "01234567-89ab-cdef-0123-456789abcdef"

/* Before the first run: what lies on (hd0) beside the menu. The list ends with a path of NULL. */
void menurun_files(const struct tree_file *files);

/* Run the menu to its end. keys NULL: nobody is there. */
struct err menurun(struct term *term, const char *menu, const struct key *keys);

/* The same with the lines of one entry: "timeout 0\ntitle x\n" stands before them. */
struct err menurun_entry(struct term *term, const char *lines, const struct key *keys);

#endif
