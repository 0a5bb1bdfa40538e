/* SPDX-License-Identifier: MIT */
/*
 * The recorder of consoles. libvirt records those of QEMU's guests itself; those of Xen's are
 * streams that somebody must read. Until then Xen's console daemon keeps what a guest writes, so
 * that a guest whose service is away for a moment loses nothing.
 *
 * The thread of the events reads, opens what is not open, and takes recorders away.
 */
#include "cloud/engine/libvirt_priv.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "host/xenhost/xenhost.h"

#define LOOK_NS UINT64_C(1000000000)

struct virt_recorder {
    struct virt_recorder *next;
    struct virt *v;
    char *id, *path;
    virStreamPtr stream; /* or NULL: opened soon */
    bool gone;
};

/* The lock of the engine is held wherever a recorder is looked at. */
static struct virt_recorder *find(struct virt *v, const char *id)
{
    struct virt_recorder *r = v->recorders;

    while (r && strcmp(r->id, id) != 0)
        r = r->next;
    return r;
}

static void hang_up(struct virt_recorder *r)
{
    if (!r->stream)
        return;
    virStreamEventRemoveCallback(r->stream);
    virStreamAbort(r->stream);
    virStreamFree(r->stream);
    r->stream = NULL;
}

static void hear(virStreamPtr stream, int events, void *arg)
{
    struct virt_recorder *r = arg;
    char bytes[4096];
    int n = 0;

    pthread_mutex_lock(&r->v->lock);
    while (r->stream == stream && (n = virStreamRecv(stream, bytes, sizeof(bytes))) > 0)
        console_append(r->path, bytes, (size_t)n);
    /* -2: nothing more for now */
    if (r->stream == stream &&
        (n == 0 || n == -1 || (events & (VIR_STREAM_EVENT_ERROR | VIR_STREAM_EVENT_HANGUP)) != 0))
        hang_up(r);
    pthread_mutex_unlock(&r->v->lock);
}

static void open_stream(struct virt_recorder *r, virDomainPtr dom)
{
    virConnectPtr conn = virDomainGetConnect(dom); /* the domain's own reference */
    virStreamPtr stream = virStreamNew(conn, VIR_STREAM_NONBLOCK);

    if (!stream)
        return;
    if (virDomainOpenConsole(dom, NULL, stream, 0) != 0) {
        virStreamFree(stream);
        return;
    }
    r->stream = stream;
    if (virStreamEventAddCallback(
            stream, VIR_STREAM_EVENT_READABLE | VIR_STREAM_EVENT_ERROR | VIR_STREAM_EVENT_HANGUP,
            hear, r, NULL) != 0) {
        virStreamAbort(stream);
        virStreamFree(stream);
        r->stream = NULL;
    }
}

void virt_record(struct virt *v, const char *id, virDomainPtr dom)
{
    struct virt_recorder *r;

    if (v->kind != VIRT_XEN)
        return;
    pthread_mutex_lock(&v->lock);
    r = find(v, id);
    if (!r) {
        r = xalloc(sizeof(*r));
        *r = (struct virt_recorder){.next = v->recorders, .v = v, .id = xstrdup(id)};
        r->path = engine_path(v->dir, id, ".console");
        v->recorders = r;
    }
    r->gone = false;
    if (!r->stream)
        open_stream(r, dom);
    pthread_mutex_unlock(&v->lock);
}

void virt_record_no_more(struct virt *v, const char *id)
{
    struct virt_recorder *r;

    pthread_mutex_lock(&v->lock);
    r = find(v, id);
    if (r)
        r->gone = true;
    pthread_mutex_unlock(&v->lock);
}

static void take_away(struct virt *v, bool all)
{
    struct virt_recorder **at = &v->recorders;

    while (*at) {
        struct virt_recorder *r = *at;

        if (!all && !r->gone) {
            at = &r->next;
            continue;
        }
        hang_up(r);
        *at = r->next;
        free(r->id);
        free(r->path);
        free(r);
    }
}

/* The id of one guest whose console is not open, after the one of the last call. */
static bool next_closed(struct virt *v, size_t skip, char *id, size_t cap)
{
    struct virt_recorder *r;

    pthread_mutex_lock(&v->lock);
    for (r = v->recorders; r && (r->stream || r->gone || skip-- > 0); r = r->next)
        ;
    if (r)
        snprintf(id, cap, "%s", r->id);
    pthread_mutex_unlock(&v->lock);
    return r != NULL;
}

/* Open it again, or hear no more of a guest that does not run: `status` sees when it does. */
static void look_after(struct virt *v, const char *id)
{
    struct buf why = {0};
    virDomainPtr dom;

    if (virt_find(v, id, &dom, &why)) {
        if (dom && virDomainIsActive(dom) == 1)
            virt_record(v, id, dom);
        else
            virt_record_no_more(v, id);
        if (dom)
            virDomainFree(dom);
    }
    buf_free(&why);
}

void virt_open_consoles(struct virt *v)
{
    char id[64];

    if (xh_now_ns() - v->looked_ns < LOOK_NS)
        return;
    v->looked_ns = xh_now_ns();
    pthread_mutex_lock(&v->lock);
    take_away(v, false);
    pthread_mutex_unlock(&v->lock);
    for (size_t i = 0; next_closed(v, i, id, sizeof(id)); i++)
        look_after(v, id);
}

void virt_lose_streams(struct virt *v)
{
    for (struct virt_recorder *r = v->recorders; r; r = r->next)
        hang_up(r);
}

void virt_close_consoles(struct virt *v)
{
    pthread_mutex_lock(&v->lock);
    take_away(v, true);
    pthread_mutex_unlock(&v->lock);
}
