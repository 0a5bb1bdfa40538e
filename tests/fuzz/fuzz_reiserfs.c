/* SPDX-License-Identifier: MIT */
/*
 * Fuzz the ReiserFS reader and its journal, from mount to file content; see visit.h for what an
 * input is. The images of a kernel are the start, so the journal is replayed in most of the runs.
 */
#include "core/base/bytes.h"
#include "tests/fuzz/visit.h"
#include "tests/unit/reisergen.h"

static const char *const names[] = {"clean", "dirty", "moved"};
#define NR_IMAGES ARRAY_LEN(names)

static struct fuzz_image images[NR_IMAGES];

int LLVMFuzzerInitialize(int *argc, char ***argv);
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerInitialize(int *argc, char ***argv)
{
    (void)argc;
    (void)argv;
    for (size_t i = 0; i < NR_IMAGES; i++) {
        size_t len;
        uint8_t *data = reiser_image(names[i], &len);

        fuzz_image_init(&images[i], data, len);
    }
    return 0;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    fuzz_images(images, NR_IMAGES, data, size);
    return 0;
}
