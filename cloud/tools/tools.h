/* SPDX-License-Identifier: MIT */
/*
 * build/pvboot-ec2: one program under the names of Amazon's AMI tools, ec2-bundle-image and so on.
 * Each command gets its own arguments, and returns the exit status.
 */
#ifndef PVBOOT_CLOUD_TOOLS_TOOLS_H
#define PVBOOT_CLOUD_TOOLS_TOOLS_H

#include <stdbool.h>
#include <stddef.h>

#include "cloud/bundle/pack.h"

enum tool_status {
    TOOL_DONE = 0,
    TOOL_FAILED = 1,
    TOOL_USAGE = 2,
};

/* What all commands of Amazon's tools take. Nothing here asks or debugs: those two are accepted. */
enum tool_common { TOOL_COMMON_NONE, TOOL_COMMON_HELP_TEXT, TOOL_COMMON_VERSION };

#define TOOL_COMMON_LETTERS "h"
#define TOOL_COMMON_OPTIONS                                                                        \
    {"help", no_argument, NULL, 'h'}, {"manual", no_argument, NULL, 'h'},                          \
        {"version", no_argument, NULL, TOOL_OPT_VERSION},                                          \
        {"batch", no_argument, NULL, TOOL_OPT_NOTHING},                                            \
    {                                                                                              \
        "debug", no_argument, NULL, TOOL_OPT_NOTHING                                               \
    }
#define TOOL_COMMON_HELP                                                                           \
    "      --batch, --debug    are taken and do nothing: nobody is asked, all reasons are told\n"  \
    "      --version           name the version\n"                                                 \
    "  -h, --help, --manual    this text\n"

enum { TOOL_OPT_VERSION = 1000, TOOL_OPT_NOTHING };

/* getopt_long refused an option: the sentence, and false. */
bool tool_refuse_option(char *const *argv);

bool tool_common_option(int opt, enum tool_common *common); /* true */
int tool_common_answer(enum tool_common common, const char *help_text);

int tool_bundle_image(int argc, char **argv);
int tool_unbundle(int argc, char **argv);
int tool_bundle_vol(int argc, char **argv);
int tool_upload_bundle(int argc, char **argv);
int tool_download_bundle(int argc, char **argv);
int tool_delete_bundle(int argc, char **argv);
int tool_register(int argc, char **argv);
int tool_run_instances(int argc, char **argv);

/* A sentence on standard error behind the tool's name, control bytes escaped. */
__attribute__((format(printf, 1, 2))) void tool_say(const char *fmt, ...);
void tool_name_is(const char *name);

/* What was written to standard output arrived; otherwise that is said. */
bool tool_flush(void);

/* A job that signals interrupt, with a progress bar where standard error is a terminal. */
struct bundle_job *tool_job(void);
void tool_progress_end(void);

/* What all that make bundles are told. */
struct tool_identity {
    const char *key, *cert, *user, *ec2_cert;
    struct key *private, *public, *ec2;
};

/* The keys of the files; they belong together. False: the sentence was written. */
bool tool_keys(struct tool_identity *who);
void tool_keys_free(struct tool_identity *who);

/* An account's number, with or without the dashes, as 12 digits. */
bool tool_user(const char *text, char out[13]);

/* "ami=sda1,root=/dev/sda1" into the manifest. */
bool tool_mappings(const char *text, struct manifest *m, struct arena *a);

/* The folder that a file lies in; that of "/manifest" is "/". NULL: out of memory. */
const char *tool_folder_of(const char *path, struct arena *a);

/* "a,b" into a list of at most `max`. */
bool tool_words(const char *text, const char **list, uint32_t *nr, uint32_t max, const char *what,
                struct arena *a);

/*
 * Take over what the instance that this runs on was started with, where the manifest has nothing
 * yet. What was taken, or why nothing was, is said; false only when it `must` be.
 */
bool tool_inherit(struct manifest *m, bool must, struct arena *a);

/*
 * Would the image boot with this AKI? One that is not in the catalogue is not ours to judge, which
 * is said. False: the reason was said.
 */
bool tool_check_begin(void); /* reads the catalogue; for those that change their mounts then */
bool tool_check_image(const char *image, const char *aki, const char *arch);

/* Would instances start with an image that is a kernel itself? False: the reason was said. */
bool tool_check_kernel(const char *image, const char *arch);

/* Who made the bundle. */
void tool_bundler(struct manifest *m);

#endif
