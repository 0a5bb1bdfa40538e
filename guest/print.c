/* SPDX-License-Identifier: MIT */
/* Messages go where the Xen console is. */
#include "guest/print.h"

#include <string.h>

#include "guest/xen/console.h"

void print_mem(const char *s, size_t len)
{
    xen_console_write(s, len);
}

void print_str(const char *s)
{
    print_mem(s, strlen(s));
}

void print_line(const char *s)
{
    print_str(s);
    print_mem("\n", 1);
}
