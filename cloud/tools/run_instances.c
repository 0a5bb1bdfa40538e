/* SPDX-License-Identifier: MIT */
/* ec2-run-instances: start instances of an image. */
#include "cloud/tools/tools.h"

#include <errno.h>
#include <openssl/evp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>

#include "cloud/tools/api.h"
#include "core/base/bytes.h"
#include "core/base/text.h"
#include "host/json.h"
#include "host/hex.h"

#define USER_DATA_BYTES_MAX 16384u
#define COUNT_MAX           1000u

static const char help_text[] =
    "usage: ec2-run-instances AMI [OPTION]...\n\n"
    "Starts instances of an image, and writes a line RESERVATION and a line INSTANCE for each.\n\n"
    "  -n, --instance-count N  how many, or MIN-MAX; 1\n"
    "  -t, --instance-type TYPE\n"
    "  -d, --user-data TEXT    what the instances can read\n"
    "  -f, --user-data-file FILE\n"
    "  -k, --key NAME          the key pair\n"
    "  -g, --group NAME        a security group; may stand several times\n"
    "  -z, --availability-zone ZONE\n"
    "      --client-token TOKEN  the same one never starts instances twice; by chance\n"
    "      --instance-initiated-shutdown-behavior stop|terminate\n"
    "      --wait              wait until they run\n";

static const char example[] =
    "ec2-run-instances ami-12345678 -n 2 -t m1.small --wait --url https://HOST:8443";

enum { OPT_TOKEN = 256, OPT_SHUTDOWN, OPT_WAIT };

static const struct option options[] = {
    {"instance-count", required_argument, NULL, 'n'},
    {"instance-type", required_argument, NULL, 't'},
    {"user-data", required_argument, NULL, 'd'},
    {"user-data-file", required_argument, NULL, 'f'},
    {"key", required_argument, NULL, 'k'},
    {"group", required_argument, NULL, 'g'},
    {"availability-zone", required_argument, NULL, 'z'},
    {"client-token", required_argument, NULL, OPT_TOKEN},
    {"instance-initiated-shutdown-behavior", required_argument, NULL, OPT_SHUTDOWN},
    {"wait", no_argument, NULL, OPT_WAIT},
    API_LONG_OPTIONS,
};

struct start {
    struct api api;
    const char *image, *count, *token, *user_data, *user_data_file;
    unsigned nr_groups, nr_group_ids;
    bool wait;
};

static enum remote_taken one_option(void *ctx, int opt, char *value)
{
    static const struct {
        int opt;
        const char *parameter;
    } plain[] = {{'t', "InstanceType"},
                 {'k', "KeyName"},
                 {'z', "Placement.AvailabilityZone"},
                 {OPT_SHUTDOWN, "InstanceInitiatedShutdownBehavior"}};
    struct start *s = ctx;

    for (size_t i = 0; i < ARRAY_LEN(plain); i++) {
        if (plain[i].opt == opt) {
            query_add(&s->api.form, plain[i].parameter, value);
            return TAKEN;
        }
    }
    switch (opt) {
    case 'n':
        s->count = value;
        return TAKEN;
    case 'd':
        s->user_data = value;
        return TAKEN;
    case 'f':
        s->user_data_file = value;
        return TAKEN;
    case 'g':
        if (strncmp(value, "sg-", 3) == 0)
            api_add_nr(&s->api, "SecurityGroupId", ++s->nr_group_ids, NULL, value);
        else
            api_add_nr(&s->api, "SecurityGroup", ++s->nr_groups, NULL, value);
        return TAKEN;
    case OPT_TOKEN:
        s->token = value;
        return TAKEN;
    case OPT_WAIT:
        s->wait = true;
        return TAKEN;
    default:
        return api_option(&s->api, opt, value);
    }
}

/* ---- parameters ------------------------------------------------------------------------------ */

/* "3" or "1-3" */
static bool add_count(struct start *s)
{
    const char *text = s->count != NULL ? s->count : "1", *dash = strchr(text, '-');
    size_t len = dash != NULL ? (size_t)(dash - text) : strlen(text);
    const char *most = dash != NULL ? dash + 1 : text;
    uint64_t min, max;
    char number[24];

    if (!text_parse_u64(text, len, &min) || !text_parse_u64(most, strlen(most), &max) || min == 0 ||
        max < min || max > COUNT_MAX) {
        tool_say("-n is a number from 1 to %u, or MIN-MAX, not \"%s\"", COUNT_MAX, text);
        return false;
    }
    snprintf(number, sizeof(number), "%llu", (unsigned long long)min);
    query_add(&s->api.form, "MinCount", number);
    snprintf(number, sizeof(number), "%llu", (unsigned long long)max);
    query_add(&s->api.form, "MaxCount", number);
    return true;
}

static bool add_bytes(struct start *s, const void *bytes, size_t len, const char *from)
{
    char base64[USER_DATA_BYTES_MAX / 3 * 4 + 8];

    if (len > USER_DATA_BYTES_MAX) {
        tool_say("%s has more than %u bytes, which is the most that user data may have", from,
                 USER_DATA_BYTES_MAX);
        return false;
    }
    EVP_EncodeBlock((unsigned char *)base64, bytes, (int)len);
    query_add(&s->api.form, "UserData", base64);
    return true;
}

static bool add_user_data(struct start *s)
{
    char bytes[USER_DATA_BYTES_MAX + 1];
    size_t len;
    bool good;
    FILE *f;

    if (s->user_data != NULL)
        return add_bytes(s, s->user_data, strlen(s->user_data), "the text of -d");
    if (s->user_data_file == NULL)
        return true;
    f = fopen(s->user_data_file, "re");
    if (f == NULL) {
        tool_say("%s cannot be opened: %s", s->user_data_file, strerror(errno));
        return false;
    }
    len = fread(bytes, 1, sizeof(bytes), f);
    good = ferror(f) == 0;
    if (!good)
        tool_say("%s cannot be read: %s", s->user_data_file, strerror(errno));
    fclose(f);
    return good && add_bytes(s, bytes, len, s->user_data_file);
}

/* With it, a request whose answer was lost can be sent again, and starts nothing twice. */
static bool add_token(struct start *s)
{
    uint8_t chance[16];
    char hex[2 * sizeof(chance) + 1];

    if (s->token == NULL) {
        if (getrandom(chance, sizeof(chance), 0) != (ssize_t)sizeof(chance)) {
            tool_say("the system has no random bytes: %s", strerror(errno));
            return false;
        }
        hex_write(chance, sizeof(chance), hex);
    }
    query_add(&s->api.form, "ClientToken", s->token != NULL ? s->token : hex);
    return true;
}

static bool parse(void *ctx, int argc, char **argv)
{
    struct start *s = ctx;
    const struct remote_syntax syntax = {.shorts = "n:t:d:f:k:g:z:" API_SHORT_OPTIONS,
                                         .longs = options,
                                         .one = one_option,
                                         .ctx = s,
                                         .operand = &s->image};

    if (!remote_parse(&s->api.remote, &syntax, argc, argv))
        return false;
    if (s->api.remote.help)
        return true;
    if (s->image == NULL) {
        tool_say("which image? Name it, as ami-12345678");
        return false;
    }
    if (s->user_data != NULL && s->user_data_file != NULL) {
        tool_say("user data is given with -d or with -f, not with both");
        return false;
    }
    query_add(&s->api.form, "ImageId", s->image);
    return add_count(s) && add_user_data(s) && add_token(s);
}

/* ---- output ---------------------------------------------------------------------------------- */

static const char reservation_items[] = "instancesSet/item";

/* Amazon's columns; what is not known is empty. */
static void show_instance(const struct xml_node *i)
{
    static const char *const columns[] = {
        "instanceId",
        "imageId",
        "dnsName",
        "privateDnsName",
        "instanceState/name",
        "keyName",
        "amiLaunchIndex",
        "productCodes/item/productCode",
        "instanceType",
        "launchTime",
        "placement/availabilityZone",
        "kernelId",
        "ramdiskId",
        "platform",
        "monitoring/state",
        "ipAddress",
        "privateIpAddress",
        "vpcId",
        "subnetId",
        "rootDeviceType",
    };

    fputs("INSTANCE", stdout);
    for (size_t n = 0; n < ARRAY_LEN(columns); n++) {
        const char *value = tree_text(i, columns[n]);

        printf("\t%s%s",
               strcmp(columns[n], "monitoring/state") == 0 && *value != '\0' ? "monitoring-" : "",
               value);
    }
    putchar('\n');
}

static void show_lines(const struct xml_node *reservation)
{
    const struct xml_node *i;

    printf("RESERVATION\t%s\t%s", tree_text(reservation, "reservationId"),
           tree_text(reservation, "ownerId"));
    for (i = tree_find(reservation, "groupSet/item"); i != NULL; i = tree_next(i))
        printf("%c%s", i == tree_find(reservation, "groupSet/item") ? '\t' : ',',
               tree_text(i, "groupName"));
    putchar('\n');
    for (i = tree_find(reservation, reservation_items); i != NULL; i = tree_next(i))
        show_instance(i);
}

static void show_json(const struct xml_node *reservation)
{
    static const struct {
        const char *key, *path;
    } members[] = {
        {"instance_id", "instanceId"},
        {"image_id", "imageId"},
        {"state", "instanceState/name"},
        {"instance_type", "instanceType"},
        {"kernel_id", "kernelId"},
        {"ramdisk_id", "ramdiskId"},
        {"launch_time", "launchTime"},
        {"availability_zone", "placement/availabilityZone"},
        {"private_ip_address", "privateIpAddress"},
    };
    struct json j;

    json_init(&j, stdout);
    json_object(&j, NULL);
    json_str(&j, "reservation_id", tree_text(reservation, "reservationId"));
    json_str(&j, "owner_id", tree_text(reservation, "ownerId"));
    json_list(&j, "instances");
    for (const struct xml_node *i = tree_find(reservation, reservation_items); i != NULL;
         i = tree_next(i)) {
        json_object(&j, NULL);
        for (size_t n = 0; n < ARRAY_LEN(members); n++) {
            const struct xml_node *value = tree_find(i, members[n].path);

            json_str(&j, members[n].key, value != NULL ? value->text : NULL);
        }
        json_end_object(&j);
    }
    json_end_list(&j);
    json_end_object(&j);
}

/* ---- waiting --------------------------------------------------------------------------------- */

static bool settled(void *ctx, const struct xml_node *answer)
{
    const struct xml_node *i = tree_find(answer, "reservationSet/item/instancesSet/item");

    (void)ctx;
    for (; i != NULL; i = tree_next(i)) {
        if (strcmp(tree_text(i, "instanceState/name"), "pending") == 0)
            return false;
    }
    return tree_find(answer, "reservationSet/item") != NULL;
}

/* The reservation with instances that are no longer pending, or NULL. */
static const struct xml_node *wait_for_instances(struct start *s,
                                                 const struct xml_node *reservation)
{
    struct buf subject = {0};
    const struct xml_node *answer, *i = tree_find(reservation, reservation_items);
    unsigned nr = 0;

    query_begin(&s->api.form, "DescribeInstances");
    for (; i != NULL; i = tree_next(i)) {
        api_add_nr(&s->api, "InstanceId", ++nr, NULL, tree_text(i, "instanceId"));
        if (nr == 1)
            buf_puts(&subject, tree_text(i, "instanceId"));
    }
    buf_puts(&subject, nr > 1 ? " and the others are pending" : " is pending");
    answer = api_wait(&s->api, &(struct api_wait){.what = "the instances were started, but not "
                                                          "looked at",
                                                  .subject = subject.text,
                                                  .missing = "InvalidInstanceID.NotFound",
                                                  .settled = settled});
    buf_free(&subject);
    return tree_find(answer, "reservationSet/item");
}

/* Says which do not run, and why. */
static bool all_run(const struct xml_node *reservation)
{
    bool good = true;

    for (const struct xml_node *i = tree_find(reservation, reservation_items); i != NULL;
         i = tree_next(i)) {
        const char *state = tree_text(i, "instanceState/name");
        const char *reason = tree_text(i, "stateReason/message");

        if (strcmp(state, "running") == 0)
            continue;
        good = false;
        tool_say("%s is %s: %s", tree_text(i, "instanceId"), state,
                 *reason != '\0' ? reason : "the service gives no reason");
    }
    return good;
}

static bool start_instances(void *ctx)
{
    struct start *s = ctx;
    const struct xml_node *reservation =
        api_open(&s->api) ? api_call(&s->api, "no instance was started", false) : NULL;
    bool good = true;

    if (reservation == NULL)
        return false;
    if (tree_find(reservation, reservation_items) == NULL) {
        tool_say("%s answers without instances", s->api.remote.client.peer.url);
        return false;
    }
    if (s->wait) {
        const struct xml_node *now = wait_for_instances(s, reservation);

        good = now != NULL && all_run(now);
        if (now != NULL)
            reservation = now;
    }
    if (s->api.json)
        show_json(reservation);
    else
        show_lines(reservation);
    return tool_flush() && good;
}

int tool_run_instances(int argc, char **argv)
{
    static const struct remote_tool tool = {.service = REMOTE_EC2,
                                            .help = help_text,
                                            .more_help = api_help_text,
                                            .example = example,
                                            .parse = parse,
                                            .work = start_instances};
    static struct start s;
    int status;

    api_init(&s.api, "RunInstances");
    status = remote_main(&s.api.remote, &tool, &s, argc, argv);
    api_free(&s.api);
    return status;
}
