/* SPDX-License-Identifier: MIT */
#include "host/cmd.h"

#include <errno.h>
#include <getopt.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

int usage_error(const char *fmt, ...)
{
    va_list ap;

    fputs("pvboot: ", stderr);
    va_start(ap, fmt);
    vfprintf(stderr, fmt, ap);
    va_end(ap);
    fputc('\n', stderr);
    return EXIT_USAGE;
}

bool flush_stdout(void)
{
    if (fflush(stdout) == 0 && !ferror(stdout))
        return true;
    fprintf(stderr, "pvboot: writing to standard output failed: %s\n", strerror(errno));
    return false;
}

const char *refused_option(char *const *argv, char letter[3])
{
    letter[0] = '-';
    letter[1] = (char)optopt;
    letter[2] = '\0';
    /* Of some letters in one word, argv[optind - 1] is the word before. */
    return optopt > ' ' && optopt < 0x7f ? letter : argv[optind - 1];
}

bool parse_number(const char *what, const char *text, unsigned min, unsigned max, unsigned *out)
{
    char *end;
    unsigned long value;

    errno = 0;
    value = strtoul(text, &end, 10);
    if (errno || end == text || *end || text[0] == '-' || text[0] == '+' || text[0] == ' ' ||
        value < min || value > max) {
        usage_error("%s is a whole number from %u to %u, not \"%s\"", what, min, max, text);
        return false;
    }
    *out = (unsigned)value;
    return true;
}
