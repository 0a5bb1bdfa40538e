/* SPDX-License-Identifier: MIT */
/* ec2-register: an image of a bundle that lies in a bucket, or of a snapshot. */
#include "cloud/tools/tools.h"

#include <stdio.h>
#include <string.h>

#include "cloud/tools/api.h"
#include "host/json.h"

static const char help_text[] =
    "usage: ec2-register -n NAME [OPTION]... BUCKET[/PREFIX]/MANIFEST\n"
    "       ec2-register -n NAME -s SNAPSHOT [OPTION]...\n\n"
    "Registers an image and waits until it can be used. Writes \"IMAGE\", a tab, and its id.\n\n"
    "  -n, --name NAME         the image's name\n"
    "  -d, --description TEXT\n"
    "  -a, --architecture ARCH i386 or x86_64; of bundles, their manifest says it\n"
    "  -s, --snapshot SNAPSHOT what the root device is made of\n"
    "      --root-device-name DEVICE  /dev/sda1\n"
    "      --no-wait           do not wait\n";

static const char example[] =
    "ec2-register -n web-1 my-images/web/image.manifest.xml --url https://HOST:8443";

enum { OPT_ROOT = 256, OPT_NO_WAIT, OPT_WAIT };

static const struct option options[] = {
    {"name", required_argument, NULL, 'n'},
    {"description", required_argument, NULL, 'd'},
    {"architecture", required_argument, NULL, 'a'},
    {"snapshot", required_argument, NULL, 's'},
    {"root-device-name", required_argument, NULL, OPT_ROOT},
    {"no-wait", no_argument, NULL, OPT_NO_WAIT},
    {"wait", no_argument, NULL, OPT_WAIT},
    API_LONG_OPTIONS,
};

struct registration {
    struct api api;
    const char *name, *snapshot, *root, *location;
    bool no_wait;
    char id[64];
    char state[32];
};

static enum remote_taken one_option(void *ctx, int opt, char *value)
{
    struct registration *r = ctx;

    switch (opt) {
    case 'n':
        r->name = value;
        return TAKEN;
    case 'd':
        query_add(&r->api.form, "Description", value);
        return TAKEN;
    case 'a':
        query_add(&r->api.form, "Architecture", value);
        return TAKEN;
    case 's':
        r->snapshot = value;
        return TAKEN;
    case OPT_ROOT:
        r->root = value;
        return TAKEN;
    case OPT_NO_WAIT:
    case OPT_WAIT:
        r->no_wait = opt == OPT_NO_WAIT;
        return TAKEN;
    default:
        return api_option(&r->api, opt, value);
    }
}

static bool parse(void *ctx, int argc, char **argv)
{
    struct registration *r = ctx;
    const struct remote_syntax syntax = {.shorts = "n:d:a:s:" API_SHORT_OPTIONS,
                                         .longs = options,
                                         .one = one_option,
                                         .ctx = r,
                                         .operand = &r->location};

    if (!remote_parse(&r->api.remote, &syntax, argc, argv))
        return false;
    if (r->api.remote.help)
        return true;
    if (r->name == NULL)
        tool_say("which name shall the image have? Give it with -n");
    else if (r->location == NULL && r->snapshot == NULL && r->api.nr_mappings == 0)
        tool_say("which bundle? Name its manifest as BUCKET/NAME.manifest.xml, or a snapshot with "
                 "-s");
    else if (r->location != NULL && r->snapshot != NULL)
        tool_say("an image is made of a bundle or of a snapshot (-s), not of both");
    else if (r->location != NULL && (strchr(r->location, '/') == NULL || r->location[0] == '/'))
        tool_say("the manifest is named as BUCKET/NAME.manifest.xml, not \"%s\"; it has to lie in "
                 "a bucket",
                 r->location);
    else
        return true;
    return false;
}

static void add_parameters(struct registration *r)
{
    struct api *a = &r->api;

    query_add(&a->form, "Name", r->name);
    query_add(&a->form, "ImageLocation", r->location);
    query_add(&a->form, "RootDeviceName",
              r->root == NULL && r->snapshot != NULL ? "/dev/sda1" : r->root);
    if (r->snapshot != NULL) {
        unsigned nr = ++a->nr_mappings;

        api_add_nr(a, "BlockDeviceMapping", nr, "DeviceName",
                   r->root != NULL ? r->root : "/dev/sda1");
        api_add_nr(a, "BlockDeviceMapping", nr, "Ebs.SnapshotId", r->snapshot);
    }
}

static bool settled(void *ctx, const struct xml_node *answer)
{
    struct registration *r = ctx;
    const char *state = tree_text(answer, "imagesSet/item/imageState");

    snprintf(r->state, sizeof(r->state), "%s", state);
    return *state != '\0' && strcmp(state, "pending") != 0;
}

/* Until the image is available, or is not going to be. */
static bool wait_for_image(struct registration *r)
{
    struct buf what = {0}, subject = {0};
    const struct xml_node *answer;
    bool good;

    buf_printf(&what, "%s was registered, but not looked at", r->id);
    buf_printf(&subject, "%s is pending", r->id);
    query_begin(&r->api.form, "DescribeImages");
    api_add_nr(&r->api, "ImageId", 1, NULL, r->id);
    answer = api_wait(&r->api, &(struct api_wait){.what = what.text,
                                                  .subject = subject.text,
                                                  .missing = "InvalidAMIID.NotFound",
                                                  .settled = settled,
                                                  .ctx = r});
    good = answer != NULL && strcmp(r->state, "available") == 0;
    if (answer != NULL && !good) {
        const char *reason = tree_text(answer, "imagesSet/item/stateReason/message");

        tool_say("%s is %s: %s", r->id, r->state,
                 *reason != '\0' ? reason : "the service gives no reason");
    }
    buf_free(&what);
    buf_free(&subject);
    return good;
}

static void show_json(const struct registration *r)
{
    struct json j;

    json_init(&j, stdout);
    json_object(&j, NULL);
    json_str(&j, "image_id", r->id);
    json_str(&j, "state", r->state);
    json_end_object(&j);
}

static bool register_image(void *ctx)
{
    struct registration *r = ctx;
    const struct xml_node *answer;
    bool good;

    add_parameters(r);
    answer = api_open(&r->api) ? api_call(&r->api, "the image was not registered", true) : NULL;
    if (answer == NULL)
        return false;
    snprintf(r->id, sizeof(r->id), "%s", tree_text(answer, "imageId"));
    if (r->id[0] == '\0') {
        tool_say("%s answers without the image's id", r->api.remote.client.peer.url);
        return false;
    }
    snprintf(r->state, sizeof(r->state), "pending");
    if (!r->api.json) {
        printf("IMAGE\t%s\n", r->id);
        fflush(stdout); /* the id is known, whatever comes */
    }
    good = r->no_wait || wait_for_image(r);
    if (r->api.json)
        show_json(r);
    return tool_flush() && good;
}

int tool_register(int argc, char **argv)
{
    static const struct remote_tool tool = {.service = REMOTE_EC2,
                                            .help = help_text,
                                            .more_help = api_help_text,
                                            .example = example,
                                            .parse = parse,
                                            .work = register_image};
    static struct registration r;
    int status;

    api_init(&r.api, "RegisterImage");
    status = remote_main(&r.api.remote, &tool, &r, argc, argv);
    api_free(&r.api);
    return status;
}
