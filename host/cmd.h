/* SPDX-License-Identifier: MIT */
/*
 * Sub-commands of `pvboot`. Each gets its own arguments (argv[0] is its name) and returns the
 * exit status: 0 is success everywhere. The statuses below are those of `run` and `host`; `ls` and
 * `cat` share 0 and 1 and have EXIT_FILES_ERROR of files.h; those of `inspect` and
 * `extract` are their own.
 */
#ifndef PVBOOT_HOST_CMD_H
#define PVBOOT_HOST_CMD_H

#include <stdbool.h>

enum exit_status {
    EXIT_OK = 0,          /* run: the guest powered off */
    EXIT_USAGE = 1,       /* wrong arguments; run: or an image that cannot be used */
    EXIT_CRASHED = 2,     /* run: the guest crashed */
    EXIT_TIMED_OUT = 3,   /* run: --timeout passed */
    EXIT_HOST_FAILED = 4, /* run, host: the Xen host did not start, or broke down */
    EXIT_LEFT = 5,        /* run: left by the escape key or a signal */
};

int cmd_run(int argc, char **argv);
int cmd_host(int argc, char **argv);
int cmd_ls(int argc, char **argv);
int cmd_cat(int argc, char **argv);
int cmd_inspect(int argc, char **argv);
int cmd_extract(int argc, char **argv);
int cmd_aki(int argc, char **argv);

/* One sentence on standard error, behind "pvboot: "; returns EXIT_USAGE. */
__attribute__((format(printf, 1, 2))) int usage_error(const char *fmt, ...);

/*
 * Write out what standard output still holds. A last write can fail as late as here: a full disk, a
 * closed pipe. False: the sentence was written.
 */
bool flush_stdout(void);

/* After getopt_long refused an option: as it was typed. `letter` is room for a short one. */
const char *refused_option(char *const *argv, char letter[3]);

/* A whole number from `min` to `max`, nothing else around it. False: the sentence was written. */
bool parse_number(const char *what, const char *text, unsigned min, unsigned max, unsigned *out);

#endif
