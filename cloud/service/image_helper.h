/* SPDX-License-Identifier: MIT */
/*
 * A process for what is in images. The service has many threads and its accounts' secrets, so it
 * neither unpacks nor looks into what users bring: it starts itself again as a helper, which has
 * one thread, knows one bundle's key, and does the work behind the fence.
 *
 *     service                                   helper: pvbootd --image-helper
 *     image_work: what to do, files      -->
 *                                        <--    part 0, please
 *     a descriptor of it, or why not     -->
 *                                        <--    how it went, and what the image is
 *
 * They talk through one socket, the helper's standard input.
 */
#ifndef PVBOOT_CLOUD_SERVICE_IMAGE_HELPER_H
#define PVBOOT_CLOUD_SERVICE_IMAGE_HELPER_H

#include "cloud/bundle/unpack.h"
#include "host/aki.h"
#include "host/machine.h"
#include "host/stop.h"

struct image_work {
    enum manifest_type type;
    const char *arch; /* "i386", "x86_64": what a kernel must be for; machine: where to begin */
    /* A bundle that is unpacked first, into layers[0], an empty file. NULL: there is none. */
    const char *manifest;
    size_t manifest_len;
    struct bundle_key key;
    /* A descriptor of part i; -1: `why` is the sentence, *again as below. NULL: no bundle. */
    int (*open_part)(void *ctx, uint32_t i, bool *again, char *why, size_t why_cap);
    void *ctx;
    const char *place; /* where the parts are, for sentences */
    /* The files that the image is made of, as in machine.h; one for a kernel. */
    struct machine_layer layers[MACHINE_LAYERS_MAX];
    uint32_t nr_layers;
    const stop_flag *stop;
};

struct image_found {
    bool looked;            /* at a machine image: the rest is known; else image.reason says why */
    struct aki_image image; /* kernel: boots, and the reason */
};

/* Do the work. False: `why` holds one sentence; *again: the reason may pass. */
bool image_work(const struct image_work *w, struct image_found *found, bool *again, char *why,
                size_t why_cap);

/* The other side: main's, for --image-helper. */
int image_helper(void);

#endif
