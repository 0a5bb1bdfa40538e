/* SPDX-License-Identifier: MIT */
/*
 * What the tools of EC2's Query API have in common. Their options become parameters of the request
 * as they are read: what a service does not know, it says itself.
 */
#ifndef PVBOOT_CLOUD_TOOLS_API_H
#define PVBOOT_CLOUD_TOOLS_API_H

#include "cloud/tools/remote.h"

struct api {
    struct remote remote;
    struct http *http;
    struct call_result result;
    struct buf form;
    struct arena answers; /* of api_wait */
    unsigned nr_mappings;
    bool json;
};

enum {
    API_KERNEL = 2000,
    API_RAMDISK,
    API_JSON,
};

#define API_SHORT_OPTIONS "b:O:W:T:U:"
#define API_LONG_OPTIONS                                                                           \
    {"kernel", required_argument, NULL, API_KERNEL},                                               \
        {"ramdisk", required_argument, NULL, API_RAMDISK},                                         \
        {"block-device-mapping", required_argument, NULL, 'b'},                                    \
        {"aws-access-key", required_argument, NULL, 'O'},                                          \
        {"aws-secret-key", required_argument, NULL, 'W'},                                          \
        {"security-token", required_argument, NULL, 'T'}, {"json", no_argument, NULL, API_JSON},   \
        REMOTE_LONG_OPTIONS

/* The lines of these options in a tool's help. */
extern const char api_help_text[];

void api_init(struct api *a, const char *action);
void api_free(struct api *a);

/* The options above. */
enum remote_taken api_option(struct api *a, int opt, char *value);

/* One of a list: NAME.N.FIELD; field may be NULL. */
void api_add_nr(struct api *a, const char *name, unsigned nr, const char *field, const char *value);

/* The address and the account, and a connection. False: the sentence was written. */
bool api_open(struct api *a);

/* Send a->form. NULL: the sentence was written. */
const struct xml_node *api_call(struct api *a, const char *what, bool once);

/*
 * Send a->form again and again, with pauses, until `settled` says so. The answer of that time,
 * valid until the next wait; NULL: the sentence was written.
 */
struct api_wait {
    const char *what;    /* begins the sentence: "ami-1 was not looked at" */
    const char *subject; /* of the progress line and an interruption: "ami-1 is pending" */
    const char *missing; /* the code of what is not known yet, for an instant */
    bool (*settled)(void *ctx, const struct xml_node *answer);
    void *ctx;
};
const struct xml_node *api_wait(struct api *a, const struct api_wait *w);

#endif
