/* SPDX-License-Identifier: MIT */
/* The string functions that core/ and guest/ use, byte by byte: the strings are names and menu
 * lines. */
#include <string.h>

#include "guest/libc/no_idiom.h"

NO_IDIOM size_t strlen(const char *s)
{
    const char *p = s;

    while (*p != '\0')
        p++;
    return (size_t)(p - s);
}

NO_IDIOM size_t strnlen(const char *s, size_t most)
{
    size_t n = 0;

    while (n < most && s[n] != '\0')
        n++;
    return n;
}

int strcmp(const char *a, const char *b)
{
    while (*a != '\0' && *a == *b) {
        a++;
        b++;
    }
    return (unsigned char)*a - (unsigned char)*b;
}

int strncmp(const char *a, const char *b, size_t n)
{
    for (; n > 0; n--, a++, b++) {
        if (*a != *b || *a == '\0')
            return (unsigned char)*a - (unsigned char)*b;
    }
    return 0;
}

char *strchr(const char *s, int c)
{
    for (;; s++) {
        if (*s == (char)c)
            return (char *)(size_t)s;
        if (*s == '\0')
            return NULL;
    }
}

size_t strcspn(const char *s, const char *reject)
{
    size_t n = 0;

    while (s[n] != '\0' && strchr(reject, s[n]) == NULL)
        n++;
    return n;
}

size_t strspn(const char *s, const char *accept)
{
    size_t n = 0;

    while (s[n] != '\0' && strchr(accept, s[n]) != NULL)
        n++;
    return n;
}

void *memchr(const void *data, int c, size_t n)
{
    for (const unsigned char *p = data; n > 0; n--, p++) {
        if (*p == (unsigned char)c)
            return (void *)(size_t)p;
    }
    return NULL;
}

char *strstr(const char *s, const char *part)
{
    size_t len = strlen(part);

    for (;; s++) {
        if (strncmp(s, part, len) == 0)
            return (char *)(size_t)s;
        if (*s == '\0')
            return NULL;
    }
}
