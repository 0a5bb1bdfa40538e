/* SPDX-License-Identifier: MIT */
/* The threads of the keeper; see keeper.h. */
#include "cloud/service/keeper.h"

#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "cloud/service/ec2_common.h"

#define LOOK_AGAIN_S 1

static bool (*const steps[NR_KEEPER_ROOMS][4])(struct service *svc) = {
    [KEEPER_COPIES] = {images_step, snapshots_step, blobs_step},
    [KEEPER_INSTANCES] = {volumes_step, instances_step},
    [KEEPER_DISKS] = {attachments_step},
};

struct room {
    struct keeper *keeper;
    enum keeper_room which;
    pthread_t thread;
    bool runs, woken, refused;
    char holds[EC2_ID_BYTES]; /* an instance, or "" */
};

struct keeper {
    struct service *svc;
    pthread_mutex_t lock;
    pthread_cond_t news;
    stop_flag stopping;
    struct room rooms[NR_KEEPER_ROOMS];
};

static bool work(struct room *room)
{
    bool did = false;

    for (size_t i = 0; i < sizeof(steps[0]) / sizeof(steps[0][0]); i++)
        if (steps[room->which][i] != NULL && !room->keeper->stopping)
            did |= steps[room->which][i](room->keeper->svc);
    return did;
}

static void *live(void *arg)
{
    struct room *room = arg;
    struct keeper *k = room->keeper;

    pthread_mutex_lock(&k->lock);
    while (!k->stopping) {
        struct timespec until;
        bool did;

        room->woken = false;
        pthread_mutex_unlock(&k->lock);
        did = work(room);
        clock_gettime(CLOCK_MONOTONIC, &until);
        until.tv_sec += LOOK_AGAIN_S;
        pthread_mutex_lock(&k->lock);
        while (!did && !room->woken && !k->stopping &&
               pthread_cond_timedwait(&k->news, &k->lock, &until) == 0)
            ;
    }
    pthread_mutex_unlock(&k->lock);
    return NULL;
}

struct keeper *keeper_start(struct service *svc)
{
    struct keeper *k = xalloc(sizeof(*k));
    pthread_condattr_t monotonic;
    bool good = true;

    k->svc = svc;
    svc->keeper = k;
    pthread_mutex_init(&k->lock, NULL);
    pthread_condattr_init(&monotonic);
    pthread_condattr_setclock(&monotonic, CLOCK_MONOTONIC);
    pthread_cond_init(&k->news, &monotonic);
    pthread_condattr_destroy(&monotonic);
    for (int i = 0; good && i < NR_KEEPER_ROOMS; i++) {
        struct room *room = &k->rooms[i];

        room->keeper = k;
        room->which = (enum keeper_room)i;
        good = room->runs = pthread_create(&room->thread, NULL, live, room) == 0;
    }
    if (good)
        return k;
    keeper_stop(k);
    return NULL;
}

void keeper_wake(struct keeper *k, enum keeper_room room)
{
    pthread_mutex_lock(&k->lock);
    k->rooms[room].woken = true;
    pthread_cond_broadcast(&k->news);
    pthread_mutex_unlock(&k->lock);
}

bool keeper_hold(struct keeper *k, enum keeper_room room, const char *instance)
{
    struct room *mine = &k->rooms[room];
    bool is_free = true;

    pthread_mutex_lock(&k->lock);
    for (int i = 0; i < NR_KEEPER_ROOMS; i++)
        is_free = is_free && strcmp(k->rooms[i].holds, instance) != 0;
    if (is_free)
        snprintf(mine->holds, sizeof(mine->holds), "%s", instance);
    else
        mine->refused = true;
    pthread_mutex_unlock(&k->lock);
    return is_free;
}

void keeper_release(struct keeper *k, enum keeper_room room)
{
    pthread_mutex_lock(&k->lock);
    k->rooms[room].holds[0] = 0;
    for (int i = 0; i < NR_KEEPER_ROOMS; i++) {
        if (!k->rooms[i].refused)
            continue;
        k->rooms[i].refused = false;
        k->rooms[i].woken = true;
        pthread_cond_broadcast(&k->news);
    }
    pthread_mutex_unlock(&k->lock);
}

void keeper_tell_stop(struct keeper *k)
{
    pthread_mutex_lock(&k->lock);
    k->stopping = 1;
    pthread_cond_broadcast(&k->news);
    pthread_mutex_unlock(&k->lock);
}

void keeper_stop(struct keeper *k)
{
    keeper_tell_stop(k);
    for (int i = 0; i < NR_KEEPER_ROOMS; i++)
        if (k->rooms[i].runs)
            pthread_join(k->rooms[i].thread, NULL);
    k->svc->keeper = NULL;
    pthread_cond_destroy(&k->news);
    pthread_mutex_destroy(&k->lock);
    free(k);
}

const stop_flag *keeper_stopping(const struct keeper *k)
{
    return &k->stopping;
}
