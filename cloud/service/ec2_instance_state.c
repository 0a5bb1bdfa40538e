/* SPDX-License-Identifier: MIT */
/* StartInstances, StopInstances, RebootInstances, TerminateInstances. */
#include "cloud/service/ec2_instances.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "cloud/service/volume.h"

/* What an action does with an instance in a state. */
struct turn {
    const char *from;
    const char *to;  /* NULL: nothing is to be done */
    const char *set; /* the columns that change, besides `state` */
};

struct change {
    const struct turn *turns;
    size_t nr_turns;
    const char *otherwise; /* why an instance in any other state cannot, and what to do */
    bool ids_only;         /* the answer is only <return> */
};

#define BY_USER                                                                                    \
    "changed = unixepoch(), reason_code = 'Client.UserInitiatedShutdown',"                         \
    " reason = 'User initiated shutdown', wish_since = unixepoch(), wish = "

static const struct turn starts[] = {
    {"stopped", "pending",
     "changed = unixepoch(), launched = unixepoch(), reason_code = '', reason = '', wish = ''"},
    {"pending", NULL, NULL},
    {"running", NULL, NULL},
};
static const struct turn stops[] = {
    {"running", "stopping", BY_USER "''"},
    {"stopping", NULL, NULL},
    {"stopped", NULL, NULL},
};
static const struct turn stops_by_force[] = {
    {"running", "stopping", BY_USER "'force'"},
    {"stopping", "stopping", "wish = 'force'"},
    {"stopped", NULL, NULL},
};
static const struct turn reboots[] = {
    {"running", "running", "wish = 'reboot', wish_since = unixepoch()"},
    {"pending", NULL, NULL},
};
static const struct turn terminations[] = {
    {"pending", "shutting-down", BY_USER "''"},
    {"running", "shutting-down", BY_USER "''"},
    {"stopping", "shutting-down", BY_USER "''"},
    {"stopped", "shutting-down", BY_USER "''"},
    {"shutting-down", NULL, NULL},
    {"terminated", NULL, NULL},
};

#define TURNS(list) .turns = (list), .nr_turns = sizeof(list) / sizeof((list)[0])

/* ---- one instance ----------------------------------------------------------------------------
 */

struct machine {
    char state[16], root_device[VOLUME_DEVICE_BYTES];
    int64_t memory_mib;
    bool protected;
};

static bool read_machine(sqlite3 *c, const char *id, struct machine *out)
{
    sqlite3_stmt *s = db_query(c,
                               "SELECT state, memory_mib, disable_termination, root_device"
                               " FROM instance WHERE id = ?",
                               "s", id);
    bool found = s != NULL && sqlite3_step(s) == SQLITE_ROW;

    if (found) {
        snprintf(out->state, sizeof(out->state), "%s", db_text(s, 0));
        out->memory_mib = sqlite3_column_int64(s, 1);
        out->protected = sqlite3_column_int64(s, 2) != 0;
        snprintf(out->root_device, sizeof(out->root_device), "%s", db_text(s, 3));
    }
    db_finish(s);
    return found;
}

static const struct turn *find_turn(const struct change *change, const char *state)
{
    for (size_t i = 0; i < change->nr_turns; i++)
        if (strcmp(change->turns[i].from, state) == 0)
            return &change->turns[i];
    return NULL;
}

static bool write_turn(sqlite3 *c, const char *id, const struct turn *turn)
{
    struct buf sql = {0};
    bool good;

    buf_printf(&sql, "UPDATE instance SET state = ?1, %s WHERE id = ?2", turn->set);
    good = db_run(c, sql.text, "ss", turn->to, id);
    buf_free(&sql);
    return good;
}

/* May it start? False: the answer is an error. */
static bool check_start(struct ec2_call *call, sqlite3 *c, const char *id, const struct machine *m)
{
    if (volume_at(c, id, m->root_device))
        return ec2_memory_fits(call, c, 1, m->memory_mib);
    reply_error(call->r, 400, "IncorrectInstanceState",
                "The instance %s has no root device to start from; attach a volume to it as %s "
                "first.",
                id, m->root_device);
    return false;
}

/* Change one and write its <item>. False: the answer is an error, or the state failed. */
static bool turn_one(struct ec2_call *call, sqlite3 *c, const struct change *change, const char *id,
                     struct buf *items)
{
    const struct turn *turn;
    struct machine m;

    if (!read_machine(c, id, &m))
        return false;
    turn = find_turn(change, m.state);
    if (turn == NULL) {
        reply_error(call->r, 400, "IncorrectInstanceState", "The instance %s is %s; %s", id,
                    m.state, change->otherwise);
        return false;
    }
    if (change->turns == terminations && m.protected) {
        reply_error(call->r, 400, "OperationNotPermitted",
                    "The instance %s is protected from termination; modify its attribute "
                    "disableApiTermination first.",
                    id);
        return false;
    }
    if (turn->to != NULL && strcmp(turn->to, "pending") == 0 && !check_start(call, c, id, &m))
        return false;
    buf_puts(items, "<item>");
    xml_element(items, "instanceId", id);
    instance_write_state(items, "currentState", turn->to != NULL ? turn->to : m.state);
    instance_write_state(items, "previousState", m.state);
    buf_puts(items, "</item>");
    return turn->to == NULL || write_turn(c, id, turn);
}

/* ---- all that the request names: all of them change, or none ---------------------------------
 */

static void answer(struct ec2_call *call, const struct change *change, const struct buf *items)
{
    struct buf *out = &call->r->reply;

    if (change->ids_only) {
        ec2_answer_true(call);
        return;
    }
    ec2_open(call, call->r->action);
    buf_puts(out, "<instancesSet>");
    buf_add(out, items->text, items->len);
    buf_puts(out, "</instancesSet>");
    ec2_close(call, call->r->action);
}

/* One that is named twice is changed and told of once. */
static bool named_before(const struct ec2_list *ids, size_t i)
{
    bool found = false;

    for (size_t k = 0; k < i && !found; k++)
        found = strcmp(ids->value[k], ids->value[i]) == 0;
    return found;
}

static void turn_all(struct ec2_call *call, const struct change *change, const struct ec2_list *ids)
{
    sqlite3 *c = ec2_begin_change(call);
    struct buf items = {0};
    bool good;

    if (c == NULL)
        return;
    buf_clear(&items);
    good = instances_check(call, c, ids);
    for (size_t i = 0; good && i < ids->nr; i++)
        good = named_before(ids, i) || turn_one(call, c, change, ids->value[i], &items);
    if (ec2_end_change(call, good)) {
        keeper_wake(call->r->svc->keeper, KEEPER_INSTANCES);
        answer(call, change, &items);
    }
    buf_free(&items);
}

static void run(struct ec2_call *call, const struct change *change)
{
    struct ec2_list *ids = xalloc(sizeof(*ids));

    if (ec2_take_list(call, "InstanceId", ids)) {
        if (ids->nr == 0)
            reply_error(call->r, 400, "MissingParameter", "%s needs InstanceId.1.",
                        call->r->action);
        else if (ec2_parameters_done(call))
            turn_all(call, change, ids);
    }
    free(ids);
}

void ec2_start_instances(struct ec2_call *call)
{
    static const struct change change = {
        TURNS(starts),
        .otherwise = "only a stopped one can be started: wait until it is stopped, and run a new "
                     "one in place of one that is terminated."};

    run(call, &change);
}

void ec2_stop_instances(struct ec2_call *call)
{
    static const char why[] = "only a running one can be stopped: wait until it runs, or terminate "
                              "it.";
    static const struct change asked = {TURNS(stops), .otherwise = why};
    static const struct change forced = {TURNS(stops_by_force), .otherwise = why};
    bool force, skip, hibernate;

    if (!ec2_take_bool(call, "Force", false, &force) ||
        !ec2_take_bool(call, "SkipOsShutdown", false, &skip) ||
        !ec2_take_bool(call, "Hibernate", false, &hibernate))
        return;
    if (hibernate)
        reply_error(call->r, 400, "UnsupportedOperation",
                    "Hibernation is not offered here; stop the instance without it.");
    else
        run(call, force || skip ? &forced : &asked);
}

void ec2_reboot_instances(struct ec2_call *call)
{
    static const struct change change = {
        TURNS(reboots),
        .otherwise = "only a running one can be rebooted: start it if it is stopped.",
        .ids_only = true};

    run(call, &change);
}

void ec2_terminate_instances(struct ec2_call *call)
{
    static const struct change change = {TURNS(terminations), .otherwise = ""};
    bool force, skip;

    /* The guest is ended at once, whatever they say. */
    if (ec2_take_bool(call, "Force", false, &force) &&
        ec2_take_bool(call, "SkipOsShutdown", false, &skip))
        run(call, &change);
}
