/* SPDX-License-Identifier: MIT */
/* What a file that is no kernel looks like, so that the message can say so. */
#ifndef PVBOOT_IMAGE_DESCRIBE_H
#define PVBOOT_IMAGE_DESCRIBE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "core/base/err.h"

/* Bytes that describe_not_kernel wants to see; fewer is allowed. */
#define DESCRIBE_BYTES 2048

/*
 * The ERR_EXEC_FORMAT for a file that begins with head[0..len) and is none of the containers of
 * image.h. packed: these bytes were unpacked from the file.
 */
struct err describe_not_kernel(const uint8_t *head, size_t len, bool packed);

/* The ERR_EXEC_FORMAT for an ELF file of another machine than x86. */
struct err describe_foreign_machine(uint16_t e_machine);

#endif
