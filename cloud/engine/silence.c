/* SPDX-License-Identifier: MIT */
#include "cloud/engine/silence.h"

#include <stdio.h>
#include <string.h>

#include "host/xenhost/xenhost.h"

#define FIRST_NS   UINT64_C(1000000000)
#define LONGEST_NS UINT64_C(30000000000)

void silence_init(struct silence *s)
{
    memset(s, 0, sizeof(*s));
    pthread_mutex_init(&s->lock, NULL);
}

void silence_destroy(struct silence *s)
{
    pthread_mutex_destroy(&s->lock);
}

/* Its place, or the one to take: a free one, else that whose silence ends first. */
static size_t place(const struct silence *s, const char *id)
{
    size_t first = 0;

    for (size_t i = 0; i < SILENCE_GUESTS_MAX; i++) {
        if (strcmp(s->guest[i].id, id) == 0)
            return i;
        if (s->guest[i].until_ns < s->guest[first].until_ns)
            first = i;
    }
    return first;
}

bool silence_lasts(struct silence *s, const char *id)
{
    size_t i;
    bool lasts;

    pthread_mutex_lock(&s->lock);
    i = place(s, id);
    lasts = strcmp(s->guest[i].id, id) == 0 && xh_now_ns() < s->guest[i].until_ns;
    pthread_mutex_unlock(&s->lock);
    return lasts;
}

void silence_note(struct silence *s, const char *id, bool answered)
{
    size_t i;
    bool known;

    pthread_mutex_lock(&s->lock);
    i = place(s, id);
    known = strcmp(s->guest[i].id, id) == 0;
    if (!answered) {
        uint64_t length_ns = known ? 2 * s->guest[i].length_ns : FIRST_NS;

        snprintf(s->guest[i].id, sizeof(s->guest[i].id), "%s", id);
        s->guest[i].length_ns = length_ns < LONGEST_NS ? length_ns : LONGEST_NS;
        s->guest[i].until_ns = xh_now_ns() + s->guest[i].length_ns;
    } else if (known) {
        memset(&s->guest[i], 0, sizeof(s->guest[i]));
    }
    pthread_mutex_unlock(&s->lock);
}
