/* SPDX-License-Identifier: MIT */
/* GetConsoleOutput. */
#include "cloud/service/ec2_instances.h"

#include <openssl/evp.h>
#include <stdlib.h>
#include <string.h>

static void answer(struct ec2_call *call, const char *id, const struct buf *said)
{
    struct buf *out = &call->r->reply;
    unsigned char *encoded = xalloc(4 * (said->len / 3 + 1) + 1);
    char when[32];

    EVP_EncodeBlock(encoded, (const unsigned char *)(said->text ? said->text : ""), (int)said->len);
    iso_time(time(NULL), when);
    ec2_open(call, "GetConsoleOutput");
    xml_element(out, "instanceId", id);
    xml_element(out, "timestamp", when);
    buf_puts(out, "<output>");
    buf_puts(out, (const char *)encoded);
    buf_puts(out, "</output>");
    ec2_close(call, "GetConsoleOutput");
    free(encoded);
}

/* It is always the latest; `Latest` asks for what there is anyway. */
void ec2_get_console_output(struct ec2_call *call)
{
    struct service *svc = call->r->svc;
    struct ec2_list one = {.nr = 1};
    struct buf said = {0}, why = {0};
    sqlite3 *c;
    bool latest, good;

    one.value[0] = ec2_take(call, "InstanceId");
    if (!ec2_take_bool(call, "Latest", false, &latest))
        return;
    if (one.value[0] == NULL)
        reply_error(call->r, 400, "MissingParameter", "GetConsoleOutput needs InstanceId.");
    if (!ec2_parameters_done(call))
        return;
    c = db_reader(svc->db);
    good = instances_check(call, c, &one);
    db_done(svc->db, c);
    if (!good)
        return;
    buf_clear(&why);
    if (svc->engine->ops->console(svc->engine, one.value[0], &said, &why))
        answer(call, one.value[0], &said);
    else
        reply_error(call->r, 500, "InternalError", "The console of %s cannot be read: %s",
                    one.value[0], why.text);
    buf_free(&said);
    buf_free(&why);
}
