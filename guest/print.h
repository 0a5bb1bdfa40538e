/* SPDX-License-Identifier: MIT */
/* The guest's own messages: to the Xen console once it is up, to the hypervisor's log before. */
#ifndef PVBOOT_GUEST_PRINT_H
#define PVBOOT_GUEST_PRINT_H

#include <stddef.h>

void print_mem(const char *s, size_t len);
void print_str(const char *s);
void print_line(const char *s); /* and a newline */

#endif
