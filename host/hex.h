/* SPDX-License-Identifier: MIT */
/* Bytes as hexadecimal text. */
#ifndef PVBOOT_HOST_HEX_H
#define PVBOOT_HOST_HEX_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* Lower-case, terminated: 2 * len + 1 bytes. */
void hex_write(const uint8_t *bytes, size_t len, char *out);
/* Exactly 2 * len digits of either case. */
bool hex_read(const char *text, uint8_t *out, size_t len);

#endif
