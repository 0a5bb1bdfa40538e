/* SPDX-License-Identifier: MIT */
/*
 * Guests of a hypervisor that libvirt reaches, here or on another machine. They are persistent
 * domains: what ended them can be asked afterwards, and they are removed by `destroy`. Their names
 * are the instances' ids. The state's folder must lie at the same path where the guests run.
 */
#include "cloud/engine/libvirt_priv.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define ROTATED_MAX 3 /* older files that virtlogd keeps beside a console's */

/* Its console is heard before it runs. */
static bool go(struct virt *v, virDomainPtr dom, const char *id, struct buf *why)
{
    virt_record(v, id, dom);
    if (virDomainResume(dom) == 0 || virDomainIsActive(dom) == 0)
        return true;
    virt_refused(why, "the instance cannot be started");
    return false;
}

static bool create(struct virt *v, virDomainPtr dom, const char *id, struct buf *why)
{
    bool paused = v->kind == VIRT_XEN, good;

    if (paused && !engine_pause_begins(&v->pauses, id, why))
        return false;
    good = virDomainCreateWithFlags(dom, paused ? VIR_DOMAIN_START_PAUSED : 0) == 0;
    if (!good)
        virt_refused(why, "the instance cannot be started");
    good = good && (!paused || go(v, dom, id, why));
    if (paused)
        engine_pause_ended(&v->pauses, id, good || virDomainIsActive(dom) == 0);
    return good;
}

static bool define_and_create(struct virt *v, const struct engine_guest *g, struct buf *why)
{
    virConnectPtr conn = virt_connection(v, why);
    virDomainPtr dom = NULL;
    struct buf xml = {0};
    bool good = false;

    if (conn && engine_make_dir(v->dir, why) && virt_domain_xml(v, g, &xml, why)) {
        dom = virDomainDefineXML(conn, xml.text);
        if (!dom)
            virt_refused(why, "the hypervisor does not take the instance");
    }
    if (dom) {
        good = create(v, dom, g->id, why);
        if (!good) {
            virDomainDestroy(dom);
            virDomainUndefine(dom);
        }
        virDomainFree(dom);
    }
    if (conn)
        virConnectClose(conn);
    buf_free(&xml);
    return good;
}

static bool start(struct engine *e, const struct engine_guest *g, struct buf *why)
{
    struct virt *v = (struct virt *)e;
    virDomainPtr dom;
    bool good = true;

    if (!virt_find(v, g->id, &dom, why))
        return false;
    if (dom && virDomainIsActive(dom) == 1) {
        if (engine_pause_left(&v->pauses, g->id)) {
            good = go(v, dom, g->id, why);
            engine_pause_ended(&v->pauses, g->id, good);
        }
    } else {
        good = define_and_create(v, g, why);
    }
    if (dom)
        virDomainFree(dom);
    return good;
}

static void ended(struct engine_status *out, int why)
{
    out->state = ENGINE_ENDED;
    switch (why) {
    case VIR_DOMAIN_SHUTOFF_SHUTDOWN:
        out->reason = ENGINE_POWEROFF;
        break;
    case VIR_DOMAIN_SHUTOFF_CRASHED:
        out->reason = ENGINE_CRASHED;
        break;
    case VIR_DOMAIN_SHUTOFF_DESTROYED:
        out->reason = ENGINE_DESTROYED;
        break;
    case VIR_DOMAIN_SHUTOFF_UNKNOWN: /* libvirtd or its machine was started since */
        out->state = ENGINE_ABSENT;
        break;
    default:
        out->reason = ENGINE_FAILED;
        snprintf(out->why, sizeof(out->why),
                 "the hypervisor ended the instance (libvirt's reason %d)", why);
    }
}

/*
 * Xen's driver calls a guest that reboots shut off, until it has made it again, and lets nobody
 * change it meanwhile. So something that changes nothing waits until the state is the last one.
 */
static bool last_state(const struct virt *v, virDomainPtr dom, int *state, int *reason)
{
    if (virDomainGetState(dom, state, reason, 0) != 0)
        return false;
    if (v->kind != VIRT_XEN || *state != VIR_DOMAIN_SHUTOFF ||
        *reason != VIR_DOMAIN_SHUTOFF_SHUTDOWN)
        return true;
    return virDomainSetAutostart(dom, 0) == 0 && virDomainGetState(dom, state, reason, 0) == 0;
}

static bool tell(struct virt *v, virDomainPtr dom, const char *id, struct engine_status *out,
                 struct buf *why)
{
    int state, reason;

    if (!last_state(v, dom, &state, &reason)) {
        virt_refused(why, "the hypervisor cannot be asked");
        return false;
    }
    out->state = ENGINE_RUNNING;
    if (state == VIR_DOMAIN_SHUTOFF) {
        ended(out, reason);
    } else if (state == VIR_DOMAIN_CRASHED ||
               (state == VIR_DOMAIN_PAUSED && reason == VIR_DOMAIN_PAUSED_CRASHED)) {
        out->state = ENGINE_ENDED;
        out->reason = ENGINE_CRASHED;
    } else if (state == VIR_DOMAIN_PAUSED && engine_pause_left(&v->pauses, id)) {
        if (!go(v, dom, id, why))
            return false;
        engine_pause_ended(&v->pauses, id, true);
    } else {
        virt_record(v, id, dom);
    }
    return true;
}

static bool status(struct engine *e, const char *id, struct engine_status *out)
{
    struct virt *v = (struct virt *)e;
    struct buf why = {0};
    virDomainPtr dom;
    bool good;

    *out = (struct engine_status){.state = ENGINE_ABSENT};
    good = virt_find(v, id, &dom, &why);
    if (dom) {
        good = tell(v, dom, id, out, &why);
        virDomainFree(dom);
    }
    if (!good)
        snprintf(out->why, sizeof(out->why), "%s", why.text);
    buf_free(&why);
    return good;
}

/* The call that just failed does not matter if the guest has ended meanwhile. */
static bool has_ended(virDomainPtr dom, const char *what, struct buf *why)
{
    struct buf said = {0};
    bool ended;

    virt_refused(&said, what); /* the next call forgets why */
    ended = virDomainIsActive(dom) == 0;
    if (!ended)
        buf_add(why, said.text, said.len);
    buf_free(&said);
    return ended;
}

/* Asking what does not run is a success, see engine.h. */
static bool ask(struct engine *e, const char *id, int (*how)(virDomainPtr, unsigned),
                const char *what, struct buf *why)
{
    virDomainPtr dom;
    bool good;

    if (!virt_find((struct virt *)e, id, &dom, why))
        return false;
    if (!dom)
        return true;
    good = virDomainIsActive(dom) == 0 || how(dom, 0) == 0 || has_ended(dom, what, why);
    virDomainFree(dom);
    return good;
}

static bool shut_down(struct engine *e, const char *id, struct buf *why)
{
    return ask(e, id, virDomainShutdownFlags, "the instance cannot be asked to shut down", why);
}

static bool restart(struct engine *e, const char *id, struct buf *why)
{
    return ask(e, id, virDomainReboot, "the instance cannot be asked to reboot", why);
}

static bool destroy(struct engine *e, const char *id, struct buf *why)
{
    struct virt *v = (struct virt *)e;
    virDomainPtr dom;
    bool good;

    if (!virt_find(v, id, &dom, why))
        return false;
    if (!dom)
        return true;
    /* It is not asked before whether it runs: between two lives of a reboot it does not. */
    good = (virDomainDestroy(dom) == 0 || virGetLastErrorCode() == VIR_ERR_OPERATION_INVALID) &&
           virDomainUndefineFlags(dom, VIR_DOMAIN_UNDEFINE_MANAGED_SAVE) == 0;
    if (!good)
        virt_refused(why, "the instance cannot be ended");
    virDomainFree(dom);
    return good;
}

static bool forget(struct engine *e, const char *id, struct buf *why)
{
    struct virt *v = (struct virt *)e;
    char *path;

    if (!destroy(e, id, why))
        return false;
    virt_record_no_more(v, id);
    path = engine_path(v->dir, id, ".console");
    unlink(path);
    for (int i = 0; i < ROTATED_MAX; i++) {
        struct buf old = {0};

        buf_printf(&old, "%s.%d", path, i);
        unlink(old.text);
        buf_free(&old);
    }
    free(path);
    return true;
}

static bool console(struct engine *e, const char *id, struct buf *out, struct buf *why)
{
    struct virt *v = (struct virt *)e;
    char *path, *older;
    bool good;

    if (!engine_id_good(id)) {
        buf_printf(why, "\"%s\" is not the id of an instance", id);
        return false;
    }
    path = engine_path(v->dir, id, ".console");
    older = engine_path(v->dir, id, ".console.0"); /* of virtlogd, which begins files anew */
    console_tail(older, out);
    good = console_tail(path, out);
    if (!good)
        buf_printf(why, "the instance's console cannot be read: %s", strerror(errno));
    if (out->len > ENGINE_CONSOLE_BYTES)
        buf_drop(out, out->len - ENGINE_CONSOLE_BYTES);
    free(path);
    free(older);
    return good;
}

static void free_virt(struct virt *v)
{
    free(v->uri);
    free(v->dir);
    free(v->bridge);
    buf_free(&v->problem);
    free(v);
}

static void close_virt(struct engine *e)
{
    struct virt *v = (struct virt *)e;
    bool connecting;

    virt_stop_events(v);
    virt_close_consoles(v);
    pthread_mutex_lock(&v->lock);
    connecting = v->connecting;
    pthread_mutex_unlock(&v->lock);
    if (v->conn)
        virConnectClose(v->conn);
    if (!connecting) /* else its thread has it still */
        free_virt(v);
}

static const struct engine_ops ops = {
    .name = "libvirt",
    .start = start,
    .status = status,
    .shutdown = shut_down,
    .reboot = restart,
    .destroy = destroy,
    .forget = forget,
    .console = console,
    .attach = virt_attach,
    .detach = virt_detach,
    .copy = virt_copy,
    .close = close_virt,
};

struct engine *libvirt_open(const struct engine_setup *setup, struct buf *why)
{
    virConnectPtr conn;
    struct virt *v;

    if (!setup->libvirt_uri) {
        buf_puts(why, "the engine libvirt needs libvirt-uri, as xen:///system");
        return NULL;
    }
    if (!engine_needs("qemu-img", "qemu-utils", why))
        return NULL;
    v = xalloc(sizeof(*v));
    v->engine.ops = &ops;
    v->uri = xstrdup(setup->libvirt_uri);
    v->dir = engine_path(setup->state_dir, "engine", "/libvirt");
    v->bridge = setup->bridge ? xstrdup(setup->bridge) : NULL;
    pthread_mutex_init(&v->lock, NULL);
    pthread_cond_init(&v->changed, NULL);
    engine_pauses_init(&v->pauses, v->dir);
    if (!virt_start_events(v, why)) {
        free_virt(v);
        return NULL;
    }
    conn = virt_connection(v, why);
    if (!conn) {
        buf_printf(why, " (libvirt-uri = %s)", setup->libvirt_uri);
        close_virt(&v->engine);
        return NULL;
    }
    virConnectClose(conn);
    return &v->engine;
}
