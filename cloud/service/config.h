/* SPDX-License-Identifier: MIT */
/*
 * The configuration file of pvbootd.
 *
 * Lines "name = value"; a line "[account 123456789012]" begins what belongs to that account. '#'
 * begins a comment line. An unknown name, one that is given twice in its section, a value out of
 * range or a secret that others can read is an error, with the line's number where it has one: a
 * service never starts on half of its configuration.
 */
#ifndef PVBOOT_CLOUD_SERVICE_CONFIG_H
#define PVBOOT_CLOUD_SERVICE_CONFIG_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "host/xenhost/buf.h"

#define CONFIG_ACCOUNTS_MAX 256

struct login {
    char *access_key;
    char *secret;
};

struct account {
    char id[13]; /* twelve digits */
    char *access_key;
    char *secret;
    char *certificate;    /* whose key signs its bundles; NULL: signatures are not checked */
    struct login s3;      /* at s3_url; both NULL: the service's own one there */
    uint64_t quota_bytes; /* of its buckets, all together; see quota.h */
    unsigned images_max;
    uint64_t quota_volume_bytes; /* of its volumes as their guests see them, all together */
    unsigned quota_snapshots;
    unsigned quota_instances;
    unsigned line; /* where it begins */
};

struct config {
    bool opened;   /* the file could be read, whatever is wrong in it */
    char *address; /* to listen on */
    unsigned port;
    char *state_dir;
    char *region;
    char *endpoint;      /* host[:port] that clients reach us by, or NULL: whatever they used */
    char *akis;          /* the catalogue */
    char *pvboot_images; /* the folder of pvboot's own images, which AKIs of the catalogue mean */
    char *types;         /* the instance types */
    char *kernel_arguments; /* of kernels that are no pvboot; %r and %s are the root device */
    bool restart;           /* instances that ran when this machine went down */
    unsigned stop_timeout_s;
    char *tls_certificate, *tls_key; /* both or none */
    char *ec2_certificate, *ec2_key; /* of bundles; both or none: own ones are made */
    bool log_json;
    unsigned threads;
    unsigned connections_max, connections_per_address_max;
    unsigned idle_timeout_s;
    unsigned clock_skew_s;
    uint64_t form_bytes_max;     /* a request of the Query API */
    uint64_t object_bytes_max;   /* an object of a bucket */
    uint64_t volume_bytes_max;   /* a volume, as its guest sees it */
    char *engine;                /* what runs the instances, see cloud/engine/engine.h */
    char *libvirt_uri;           /* or NULL */
    char *bridge;                /* of the instances' network, or NULL: they have none */
    char *xen32;                 /* embedded: a Xen for 32-bit instances, or NULL */
    uint64_t instance_bytes_max; /* memory of all instances together */
    char *s3_url;                /* the S3 that holds the bundles, or NULL: the own bucket store */
    char *s3_region;             /* of its signatures, or NULL: `region` */
    struct login s3;             /* for accounts that have none of their own there */
    struct account *accounts;
    size_t nr_accounts;
};

/*
 * Read the file, and what its settings name as far as that is not read by others (akis, types, the
 * state, the engine); an s3_url that is not NULL stands over that in it. False: `why` holds one
 * sentence for each mistake, one a line. `out` is to be freed in any case.
 */
bool config_read(const char *path, const char *s3_url, struct config *out, struct buf *why);
void config_free(struct config *c);

/* Add a sentence to `why`, on a line of its own. */
void config_mistake(struct buf *why, const char *format, ...) __attribute__((format(printf, 2, 3)));

/* By its access key, or NULL. */
const struct account *config_account(const struct config *c, const char *access_key);

#endif
