/* SPDX-License-Identifier: MIT */
/*
 * `pvboot aki`: the catalogue of kernel images (AKIs) of clouds, and which of them an image needs.
 *
 *   aki.c         arguments, output, exit status
 *   aki_table.c   the catalogue: reading it, and finding what fits
 *   aki_image.c   what an image file needs: looks into it, behind the fence
 */
#ifndef PVBOOT_HOST_AKI_H
#define PVBOOT_HOST_AKI_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define AKI_MAX       4096 /* lines of all catalogues together */
#define AKI_FILE_MAX  ((size_t)1 << 20)
#define AKI_WHY_MAX   1024
#define AKI_OWN_TABLE "/etc/pvboot/akis.tsv"

struct aki {
    char id[32];     /* "aki-427d952b" */
    char region[32]; /* "us-east-1" */
    char version[16];
    char manifest[256];
    bool narrow; /* i386 */
    bool hd00;   /* for images with a partition table */
    uint32_t file, line_nr;
};

struct aki_table {
    size_t nr;
    uint32_t nr_files;
    struct aki *akis; /* by malloc */
};

/*
 * Add the lines of a catalogue in text[0..len), which `path` names in sentences. An id that an
 * earlier file had is replaced; twice in one file is an error. False: `why` is the sentence.
 */
bool aki_table_add(struct aki_table *t, const char *path, const char *text, size_t len, char *why,
                   size_t why_cap);
bool aki_table_add_file(struct aki_table *t, const char *path, char *why, size_t why_cap);

/* The catalogue that comes with the program, and AKI_OWN_TABLE where it exists. */
bool aki_table_load(struct aki_table *t, char *why, size_t why_cap);
void aki_table_free(struct aki_table *t);

const char *aki_arch(bool narrow);
const char *aki_layout(bool hd00);

/* Regions are named in any case: US-East-1 is us-east-1. */
bool aki_same_region(const char *a, const char *b);
const struct aki *aki_find(const struct aki_table *t, const char *id);

/* False: `why` names those that are known. */
bool aki_region_known(const struct aki_table *t, const char *region, char *why, size_t why_cap);

/* The newest that fits; the first of equals. NULL: `why` says what there is. */
const struct aki *aki_select(const struct aki_table *t, const char *region, bool narrow, bool hd00,
                             char *why, size_t why_cap);

/*
 * Does the AKI serve an image of this width and layout in this region (NULL: in any)? False: `why`
 * says what does not fit, and names the one that does.
 */
bool aki_fits(const struct aki_table *t, const struct aki *a, const char *region, bool narrow,
              bool hd00, char *why, size_t why_cap);

/* What an image file is. Text in it comes from the image: escape it before it is shown. */
struct aki_image {
    bool boots;
    bool narrow, hd00;
    char scheme[8]; /* "none", "mbr", "gpt" */
    char kernel[512];
    char reason[AKI_WHY_MAX]; /* why it does not boot */
};

/*
 * Look into an image, as a guest of either width or of the one that is named ("x86_64", "i386";
 * else NULL) would. False: it could not be looked at, the sentence was written, *status is the exit
 * status.
 */
bool aki_image_look(const char *path, const char *arch, struct aki_image *out, int *status);

/*
 * The same of an image that is made of open files, which stay the caller's (machine.h).
 */
struct machine_layer;
bool aki_layers_look(const struct machine_layer *layers, uint32_t nr_layers, const char *arch,
                     struct aki_image *out, int *status);

/* text with what must not steer a terminal escaped, in a buffer of the caller's. */
const char *aki_shown(const char *text, char *buf, size_t cap);

#endif
