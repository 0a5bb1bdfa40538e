/* SPDX-License-Identifier: MIT */
/*
 * Names without case: what Linux compares in directories that are case-insensitive.
 *
 * The folded form of a name is its Unicode 12.1 case folding (full: one character may become
 * several) in normalization form D, without the code points that are to be ignored by default.
 */
#ifndef PVBOOT_FS_FOLD_H
#define PVBOOT_FS_FOLD_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define FOLD_NAME_MAX  255
#define FOLD_BYTES_MAX 4095 /* of a folded name; Linux gives up past this, too */

/* What folding one name needs; the caller's, and only memory. */
struct fold_work {
    uint32_t items[2 * FOLD_NAME_MAX];
};

/*
 * Fold name[0..len) into out, which holds FOLD_BYTES_MAX bytes. false when it has no folded form,
 * because it is not UTF-8 or longer than FOLD_NAME_MAX: such a name is only equal to itself.
 */
bool fold_name(struct fold_work *w, const char *name, size_t len, uint8_t *out, size_t *out_len);

#endif
