/* SPDX-License-Identifier: MIT */
/*
 * The key that bundles are encrypted for, with its certificate, which clients need to make bundles:
 * GET /cert-ec2.pem gives it to everybody. The service makes both at its first start, as
 * ec2-key.pem and cert-ec2.pem in the state's directory, unless the configuration names others.
 */
#ifndef PVBOOT_CLOUD_SERVICE_IDENTITY_H
#define PVBOOT_CLOUD_SERVICE_IDENTITY_H

#include "cloud/bundle/keys.h"
#include "cloud/service/config.h"

struct identity {
    struct key *private;
    struct buf certificate; /* PEM */
};

/* False: `why` holds one sentence. */
bool identity_open(const struct config *config, struct identity *out, struct buf *why);
void identity_free(struct identity *id);

#endif
