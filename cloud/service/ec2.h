/* SPDX-License-Identifier: MIT */
/*
 * EC2's Query API, as its files share it.
 *
 * An action first takes its parameters, then calls ec2_parameters_done, which refuses what nobody
 * took: a parameter that is not known is an error, never ignored. Only then it acts.
 */
#ifndef PVBOOT_CLOUD_SERVICE_EC2_H
#define PVBOOT_CLOUD_SERVICE_EC2_H

#include "cloud/service/request.h"

#define EC2_LIST_MAX    1000
#define EC2_FILTERS_MAX 50
#define EC2_VALUES_MAX  200

struct ec2_call {
    struct request *r;
    const char *version;
    bool *taken;  /* one for each parameter of the request */
    bool dry_run; /* it is checked like any other, and nothing is done */
};

struct ec2_list {
    const char *value[EC2_LIST_MAX];
    size_t nr;
};

struct ec2_filter {
    const char *name;
    const char *value[EC2_VALUES_MAX];
    size_t nr;
};

struct ec2_filters {
    struct ec2_filter filter[EC2_FILTERS_MAX];
    size_t nr;
};

/* A parameter's value, or NULL. */
const char *ec2_take(struct ec2_call *call, const char *name);

/* The same, but it still waits to be taken. */
const char *ec2_peek(const struct ec2_call *call, const char *name);

/* Is the parameter about the request itself (who signed it, when), not about what it asks for? */
bool ec2_is_envelope(const char *name);

/* NAME.1, NAME.2, ... False: the answer is an error. */
bool ec2_take_list(struct ec2_call *call, const char *name, struct ec2_list *out);

/* "true" or "false"; `otherwise` when it is not there. False: the answer is an error. */
bool ec2_take_bool(struct ec2_call *call, const char *name, bool otherwise, bool *out);

/*
 * Filter.N.Name, Filter.N.Value.M; `known` is a list of names, ended by NULL. One that ends with a
 * colon ("tag:") stands for every name that begins so.
 */
bool ec2_take_filters(struct ec2_call *call, const char *const *known, struct ec2_filters *out);

/*
 * Was every parameter taken? False: the answer is an error. A dry run goes on, and looks at
 * everything that the action looks at: its answer takes the place of the action's in ec2_close, or
 * of the commit (ec2_common.h).
 */
bool ec2_parameters_done(struct ec2_call *call);

/* Does `text` fit a pattern with '*', '?' and '\' as EC2's filters have them? */
bool ec2_pattern(const char *pattern, const char *text);

/* Is `name` not filtered on, or does `value` fit one of its patterns? */
bool ec2_filter_fits(const struct ec2_filters *f, const char *name, const char *value);

/* The answer's first element, with its request id; and its end. */
void ec2_open(struct ec2_call *call, const char *action);
void ec2_close(struct ec2_call *call, const char *action);

/* The error DryRunOperation, which says that it would have worked. */
void ec2_answer_dry_run(struct ec2_call *call);

void ec2_describe_regions(struct ec2_call *call);
void ec2_describe_availability_zones(struct ec2_call *call);
void ec2_describe_images(struct ec2_call *call);
void ec2_create_image(struct ec2_call *call);
void ec2_register_image(struct ec2_call *call);
void ec2_deregister_image(struct ec2_call *call);
void ec2_describe_image_attribute(struct ec2_call *call);
void ec2_modify_image_attribute(struct ec2_call *call);
void ec2_reset_image_attribute(struct ec2_call *call);

#endif
