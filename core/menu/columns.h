/* SPDX-License-Identifier: MIT */
/* Text in so many columns of a terminal; how wide it is, text_cols says. */
#ifndef PVBOOT_MENU_COLUMNS_H
#define PVBOOT_MENU_COLUMNS_H

#include "core/base/text.h"

/*
 * As text_name, but at most `cols` columns: what is longer ends in "...". So does what needs more
 * than 4 bytes a column, which only piles of combining marks do. Returns the columns used. t needs
 * room for 4 * cols + 1 bytes.
 */
uint32_t columns_name(struct text *t, const char *s, size_t len, uint32_t cols);

#endif
