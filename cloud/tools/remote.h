/* SPDX-License-Identifier: MIT */
/*
 * What the tools that talk to a service have in common: where it is, who asks, how often.
 *
 * Each value comes from the first of: the option, the environment, the file REMOTE_CONF. A secret
 * in the arguments is overwritten there, so that lists of processes do not show it.
 */
#ifndef PVBOOT_CLOUD_TOOLS_REMOTE_H
#define PVBOOT_CLOUD_TOOLS_REMOTE_H

#include <getopt.h>

#include "cloud/aws/client.h"
#include "cloud/bundle/manifest.h"
#include "core/base/arena.h"

#define REMOTE_CONF     "/etc/pvboot/ec2.conf"
#define REMOTE_CONF_ENV "PVBOOT_EC2_CONF" /* another place of that file */

enum remote_service { REMOTE_S3, REMOTE_EC2 };

/* Of the shared options; tools have their own below. */
enum {
    REMOTE_ACCESS_KEY = 1000,
    REMOTE_SECRET,
    REMOTE_TOKEN,
    REMOTE_URL,
    REMOTE_REGION,
    REMOTE_CA,
    REMOTE_RETRY,
    REMOTE_BATCH,
    REMOTE_VERSION,
    REMOTE_HELP = 'h',
};

/* remote_parse adds -h to the letters of a tool. */
#define REMOTE_LONG_OPTIONS                                                                        \
    {"url", required_argument, NULL, REMOTE_URL},                                                  \
        {"region", required_argument, NULL, REMOTE_REGION},                                        \
        {"cacert", required_argument, NULL, REMOTE_CA},                                            \
        {"retry", optional_argument, NULL, REMOTE_RETRY},                                          \
        {"batch", no_argument, NULL, REMOTE_BATCH},                                                \
        {"version", no_argument, NULL, REMOTE_VERSION}, {"help", no_argument, NULL, REMOTE_HELP},  \
    {                                                                                              \
        NULL, 0, NULL, 0                                                                           \
    }

struct remote {
    struct client client;
    bool help;    /* or the version: tell that and do nothing */
    bool version; /* that it is */
    struct arena arena;
};

/* What a tool has beyond that. `one` is asked first and says what became of an option. */
enum remote_taken { TAKEN, NOT_MINE, REFUSED };

struct remote_syntax {
    const char *shorts;
    const struct option *longs;
    enum remote_taken (*one)(void *ctx, int opt, char *value);
    void *ctx;
    const char **operand; /* the one word that is no option, or NULL when there is none */
};

void remote_init(struct remote *r);
void remote_free(struct remote *r);

/* -a, -s and -t of the tools for buckets; NOT_MINE for any other. */
enum remote_taken remote_s3_option(struct remote *r, int opt, char *value);
/* -O, -W, -T and -U of the tools of the Query API. */
enum remote_taken remote_api_option(struct remote *r, int opt, char *value);

/* A tool as a whole. */
struct remote_tool {
    enum remote_service service;
    const char *help, *more_help; /* what --help says before the shared options; NULL: no more */
    const char *example;
    bool (*parse)(void *ctx, int argc, char **argv); /* remote_parse, and what it has to check */
    bool (*work)(void *ctx);
};

/* From the arguments to the exit status. The caller has called remote_init, and frees. */
int remote_main(struct remote *r, const struct remote_tool *t, void *ctx, int argc, char **argv);

/* False: the sentence was written. */
bool remote_parse(struct remote *r, const struct remote_syntax *s, int argc, char **argv);

/* A connection; the sentence was written where it is NULL. */
struct http *remote_open(const struct remote *r);

/* "BUCKET[/PREFIX]": the bucket in the arena, and what stands before the name of each key, with its
 * slash. */
bool remote_bucket(struct remote *r, const char *text, const char **bucket, const char **before);

/* A key of before and name, in the arena. */
const char *remote_key(struct remote *r, const char *before, const char *name);

/* The manifest of a file here. False: the sentence was written. */
bool remote_manifest(struct remote *r, const char *path, struct manifest *m);

#endif
