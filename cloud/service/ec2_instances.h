/* SPDX-License-Identifier: MIT */
/* The actions on instances. */
#ifndef PVBOOT_CLOUD_SERVICE_EC2_INSTANCES_H
#define PVBOOT_CLOUD_SERVICE_EC2_INSTANCES_H

#include "cloud/service/instance.h"

/* What DescribeInstanceStatus says: "ok" is what the engine says runs; nobody looks inside. */
const char *ec2_instance_health(const struct instance *i);

/* A parameter that the API has and this service does not, and why or what else to do. */
struct ec2_refused {
    const char *name; /* it, or what is behind it and a dot */
    const char *sentence;
};

/* Is one of them there and not taken? True: the answer is the error UnsupportedOperation. */
bool ec2_refuse(struct ec2_call *call, const struct ec2_refused *list, size_t nr);

/* Are there so many more, of such a size? False: the answer is an error. In a transaction. */
bool ec2_memory_fits(struct ec2_call *call, sqlite3 *c, int64_t nr, int64_t memory_mib);

/* Does the instance's type run kernels of this width? False: the answer is an error. */
bool ec2_type_fits(struct ec2_call *call, const struct instance_type *type, const char *arch);

/* A type by its name. NULL: the answer is an error. */
const struct instance_type *ec2_find_type(struct ec2_call *call, const char *name);

/* `behavior` is stop or terminate. False: the answer is an error. */
bool ec2_check_behavior(struct ec2_call *call, const char *behavior);

void ec2_run_instances(struct ec2_call *call);
void ec2_describe_instances(struct ec2_call *call);
void ec2_describe_instance_status(struct ec2_call *call);
void ec2_start_instances(struct ec2_call *call);
void ec2_stop_instances(struct ec2_call *call);
void ec2_reboot_instances(struct ec2_call *call);
void ec2_terminate_instances(struct ec2_call *call);
void ec2_describe_instance_attribute(struct ec2_call *call);
void ec2_modify_instance_attribute(struct ec2_call *call);
void ec2_reset_instance_attribute(struct ec2_call *call);
void ec2_get_console_output(struct ec2_call *call);
void ec2_describe_instance_types(struct ec2_call *call);
void ec2_describe_instance_type_offerings(struct ec2_call *call);

#endif
