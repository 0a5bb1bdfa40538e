/* SPDX-License-Identifier: MIT */
/*
 * Guests whose runner did not answer. Asking it again at every look would hold up all others, so it
 * is left alone for a while: a second, then twice as long each time, half a minute at most.
 */
#ifndef PVBOOT_CLOUD_ENGINE_SILENCE_H
#define PVBOOT_CLOUD_ENGINE_SILENCE_H

#include <pthread.h>
#include <stdbool.h>
#include <stdint.h>

#define SILENCE_GUESTS_MAX 64 /* with more, those that were noted first are asked at once again */
#define SILENCE_ID_BYTES   24

struct silence {
    pthread_mutex_t lock;
    struct {
        char id[SILENCE_ID_BYTES];
        uint64_t until_ns, length_ns;
    } guest[SILENCE_GUESTS_MAX];
};

void silence_init(struct silence *s);
void silence_destroy(struct silence *s);

/* Is it to be left alone now? */
bool silence_lasts(struct silence *s, const char *id);

/* It did not answer, or it did. */
void silence_note(struct silence *s, const char *id, bool answered);

#endif
