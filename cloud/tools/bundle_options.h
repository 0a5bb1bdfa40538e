/* SPDX-License-Identifier: MIT */
/* What the tools that make bundles share: their options, the checks of these, the making. */
#ifndef PVBOOT_CLOUD_TOOLS_BUNDLE_OPTIONS_H
#define PVBOOT_CLOUD_TOOLS_BUNDLE_OPTIONS_H

#include <getopt.h>

#include "cloud/tools/tools.h"

struct bundle_options {
    struct tool_identity who;
    struct manifest m;
    struct arena arena; /* of what m points to */
    const char *arch, *folder;
    char user[13];
    bool no_check;
    enum tool_common common;
};

/* For getopt_long, beside a tool's own. */
#define BUNDLE_LETTERS "k:c:u:r:d:p:B:" TOOL_COMMON_LETTERS
#define BUNDLE_OPTIONS                                                                             \
    {"privatekey", required_argument, NULL, 'k'}, {"cert", required_argument, NULL, 'c'},          \
        {"user", required_argument, NULL, 'u'}, {"arch", required_argument, NULL, 'r'},            \
        {"destination", required_argument, NULL, 'd'}, {"prefix", required_argument, NULL, 'p'},   \
        {"block-device-mapping", required_argument, NULL, 'B'},                                    \
        {"ec2cert", required_argument, NULL, BUNDLE_OPT_EC2},                                      \
        {"kernel", required_argument, NULL, BUNDLE_OPT_KERNEL},                                    \
        {"ramdisk", required_argument, NULL, BUNDLE_OPT_RAMDISK},                                  \
        {"productcodes", required_argument, NULL, BUNDLE_OPT_CODES},                               \
        {"no-check", no_argument, NULL, BUNDLE_OPT_NO_CHECK}, TOOL_COMMON_OPTIONS

enum {
    BUNDLE_OPT_EC2 = 900,
    BUNDLE_OPT_KERNEL,
    BUNDLE_OPT_RAMDISK,
    BUNDLE_OPT_CODES,
    BUNDLE_OPT_NO_CHECK,
};

/* Takes one of them; false: the sentence was written. */
bool bundle_option(struct bundle_options *b, int opt);

/* The values that every bundle needs, checked and put into b->m, whose name is set. */
bool bundle_values(struct bundle_options *b);

/* Make the bundle in the folder; its manifest's name goes to standard output. */
bool bundle_make(struct bundle_options *b, const char *image, const char *folder);

void bundle_options_free(struct bundle_options *b);

#endif
