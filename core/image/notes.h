/* SPDX-License-Identifier: MIT */
/* Xen's ELF notes: reading them, and checking what they ask for. Private to core/image. */
#ifndef PVBOOT_IMAGE_NOTES_H
#define PVBOOT_IMAGE_NOTES_H

#include "core/image/image.h"

/* Read all notes of a range into n; others than Xen's are passed over. Notes that run out of the
 * range end it. */
struct err notes_parse(struct xen_notes *n, const uint8_t *data, size_t len, const struct log *log);

/*
 * May one more line be said about what was passed over? After NOTES_SAID_MAX of them only that no
 * more are: a kernel can have thousands.
 */
#define NOTES_SAID_MAX 16
bool notes_may_say(struct xen_notes *n, const struct log *log);

/* One FEATURES string: "!writable_page_tables|pae_pgdir_above_4gb". */
struct err notes_features(struct xen_notes *n, const char *s, size_t len, const struct log *log);

/*
 * Read the string of a __xen_guest section, which says what notes say since: "KEY=VALUE,...", ended
 * by a zero byte or by the section.
 */
struct err guest_section_parse(struct xen_notes *n, const uint8_t *data, size_t len,
                               const struct log *log);

/* After the last range: fill in the defaults, then refuse what cannot run here. */
struct err notes_check(struct image *img, uint32_t offered_features);

#endif
