/* SPDX-License-Identifier: MIT */
#include "cloud/tools/api.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "cloud/tools/tools.h"
#include "host/memory.h"

#define POLL_FIRST_MS 500u
#define POLL_MAX_MS   5000u
#define MISSING_MAX   5u /* so often a new thing may not be known yet */

const char api_help_text[] =
    "  -b, --block-device-mapping DEVICE=WHAT  may stand several times; WHAT is ephemeral0, none,\n"
    "                          or a volume: [SNAPSHOT]:[GIB][:DELETE-ON-TERMINATION[:TYPE]]\n"
    "      --kernel AKI        the kernel image\n"
    "      --ramdisk ARI       its initrd, where the kernel image is a plain kernel\n"
    "  -O, --aws-access-key KEY     your access key; or $AWS_ACCESS_KEY, $AWS_ACCESS_KEY_ID\n"
    "  -W, --aws-secret-key SECRET  its secret; or $AWS_SECRET_KEY, $AWS_SECRET_ACCESS_KEY\n"
    "  -T, --security-token TOKEN   of temporary keys; or $AWS_SESSION_TOKEN\n"
    "      --json              write JSON\n";

void api_init(struct api *a, const char *action)
{
    memset(a, 0, sizeof(*a));
    remote_init(&a->remote);
    arena_init(&a->answers, &host_memory);
    query_begin(&a->form, action);
}

void api_free(struct api *a)
{
    http_close(a->http);
    call_result_free(&a->result);
    buf_free(&a->form);
    arena_reset(&a->answers);
    remote_free(&a->remote);
}

void api_add_nr(struct api *a, const char *name, unsigned nr, const char *field, const char *value)
{
    struct buf whole = {0};

    buf_printf(&whole, "%s.%u%s%s", name, nr, field != NULL ? "." : "", field != NULL ? field : "");
    query_add(&a->form, whole.text, value);
    buf_free(&whole);
}

/* ---- options --------------------------------------------------------------------------------- */

/* "[SNAPSHOT]:[GIB][:DELETE[:TYPE]]"; `text` is cut. */
static bool add_volume(struct api *a, unsigned nr, char *text)
{
    static const char *const fields[] = {"Ebs.SnapshotId", "Ebs.VolumeSize",
                                         "Ebs.DeleteOnTermination", "Ebs.VolumeType"};

    for (unsigned i = 0; i < 4; i++) {
        char *colon = strchr(text, ':');

        if (colon != NULL)
            *colon = '\0';
        if (*text != '\0')
            api_add_nr(a, "BlockDeviceMapping", nr, fields[i], text);
        if (colon == NULL)
            return true;
        text = colon + 1;
    }
    return false;
}

static bool add_mapping(struct api *a, const char *text)
{
    const char *equals = strchr(text, '=');
    char *device, *what;
    unsigned nr = ++a->nr_mappings;
    bool good = equals != NULL && equals > text && equals[1] != '\0';

    device = xstrdup(text);
    what = good ? device + (equals - text) + 1 : device;
    if (good) {
        what[-1] = '\0';
        api_add_nr(a, "BlockDeviceMapping", nr, "DeviceName", device);
        if (strcmp(what, "none") == 0)
            api_add_nr(a, "BlockDeviceMapping", nr, "NoDevice", "");
        else if (strncmp(what, "ephemeral", 9) == 0)
            api_add_nr(a, "BlockDeviceMapping", nr, "VirtualName", what);
        else
            good = add_volume(a, nr, what);
    }
    free(device);
    if (!good)
        tool_say("-b is DEVICE=WHAT, as /dev/sda1=snap-12345678:10:true, /dev/sdb=ephemeral0 or "
                 "/dev/sdc=:5, not \"%s\"",
                 text);
    return good;
}

enum remote_taken api_option(struct api *a, int opt, char *value)
{
    switch (opt) {
    case 'b':
        return add_mapping(a, value) ? TAKEN : REFUSED;
    case API_KERNEL:
        query_add(&a->form, "KernelId", value);
        return TAKEN;
    case API_RAMDISK:
        query_add(&a->form, "RamdiskId", value);
        return TAKEN;
    case API_JSON:
        a->json = true;
        return TAKEN;
    default:
        return remote_api_option(&a->remote, opt, value);
    }
}

/* ---- calls ----------------------------------------------------------------------------------- */

bool api_open(struct api *a)
{
    a->http = remote_open(&a->remote);
    return a->http != NULL;
}

const struct xml_node *api_call(struct api *a, const char *what, bool once)
{
    const struct xml_node *root =
        query_call(&a->remote.client, a->http, what, &a->form, once, &a->result, &a->remote.arena);

    if (root == NULL)
        tool_say("%s", a->result.why);
    return root;
}

static void show_waiting(const char *subject, time_t began)
{
    if (isatty(STDERR_FILENO))
        fprintf(stderr, "\r%s, %lld s\033[K", subject, (long long)(time(NULL) - began));
}

static void end_waiting(void)
{
    if (isatty(STDERR_FILENO))
        fputs("\r\033[K", stderr);
}

const struct xml_node *api_wait(struct api *a, const struct api_wait *w)
{
    const struct client *client = &a->remote.client;
    time_t began = time(NULL);
    unsigned pause_ms = POLL_FIRST_MS, nr_missing = 0;

    for (;;) {
        const struct xml_node *root;

        show_waiting(w->subject, began);
        arena_reset(&a->answers);
        root = query_call(client, a->http, w->what, &a->form, false, &a->result, &a->answers);
        if (root != NULL && w->settled(w->ctx, root)) {
            end_waiting();
            return root;
        }
        if (root == NULL && (strcmp(a->result.code, w->missing) != 0 || ++nr_missing > MISSING_MAX))
            break;
        if (!client_pause(client, pause_ms)) {
            a->result.answer.failure = HTTP_STOPPED;
            break;
        }
        pause_ms = pause_ms < POLL_MAX_MS / 2 ? pause_ms * 3 / 2 : POLL_MAX_MS;
    }
    end_waiting();
    if (a->result.answer.failure == HTTP_STOPPED)
        tool_say("interrupted; %s, and goes on without this command", w->subject);
    else
        tool_say("%s", a->result.why);
    return NULL;
}
