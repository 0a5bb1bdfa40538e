/* SPDX-License-Identifier: MIT */
/*
 * The connection to libvirt. It is watched: a hypervisor that does not answer for half a minute
 * fails the calls that wait for it, and the next call connects again. Connecting itself happens in
 * a thread of its own, because ssh to a host that is gone may take minutes.
 */
#include "cloud/engine/libvirt_priv.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "host/xenhost/xenhost.h"

#define CONNECT_SECONDS 20                         /* that a call waits */
#define AGAIN_NS        (3 * UINT64_C(1000000000)) /* so often it is tried at most */
#define ALIVE_SECONDS   6
#define ALIVE_COUNT     5
#define TICK_MS         500

static pthread_once_t once = PTHREAD_ONCE_INIT;
static bool usable;

static void quiet(void *unused, virErrorPtr error)
{
    (void)unused;
    (void)error;
}

static void initialize(void)
{
    virSetErrorFunc(NULL, quiet);
    usable = virInitialize() == 0 && virEventRegisterDefaultImpl() == 0;
}

void virt_refused(struct buf *why, const char *what)
{
    virErrorPtr error = virGetLastError();

    buf_printf(why, "%s: ", what);
    engine_words(why, error && error->message ? error->message : "libvirt does not say why");
}

/* ---- events ------------------------------------------------------------------------------------
 */

static void tick(int timer, void *unused)
{
    (void)timer;
    (void)unused;
}

static bool is_closing(struct virt *v)
{
    bool closing;

    pthread_mutex_lock(&v->lock);
    closing = v->closing;
    pthread_mutex_unlock(&v->lock);
    return closing;
}

static void *run_events(void *arg)
{
    struct virt *v = arg;
    int timer = virEventAddTimeout(TICK_MS, tick, NULL, NULL);

    while (!is_closing(v)) {
        if (virEventRunDefaultImpl() != 0)
            nanosleep(&(struct timespec){.tv_nsec = TICK_MS * 1000000L}, NULL);
        virt_open_consoles(v);
    }
    if (timer >= 0)
        virEventRemoveTimeout(timer);
    return NULL;
}

bool virt_start_events(struct virt *v, struct buf *why)
{
    pthread_once(&once, initialize);
    if (usable && pthread_create(&v->events, NULL, run_events, v) == 0)
        return true;
    buf_puts(why, "libvirt's library cannot be used");
    return false;
}

void virt_stop_events(struct virt *v)
{
    pthread_mutex_lock(&v->lock);
    v->closing = true;
    pthread_mutex_unlock(&v->lock);
    pthread_join(v->events, NULL);
}

/* ---- the connection ----------------------------------------------------------------------------
 */

static bool learn_kind(virConnectPtr conn, enum virt_kind *kind, bool *kvm, struct buf *why)
{
    const char *type = virConnectGetType(conn);

    *kvm = false;
    if (type && strcmp(type, "Xen") == 0) {
        *kind = VIRT_XEN;
    } else if (type && strcmp(type, "TEST") == 0) {
        *kind = VIRT_TEST;
    } else if (type && strcmp(type, "QEMU") == 0) {
        char *caps = virConnectGetDomainCapabilities(conn, NULL, "x86_64", NULL, "kvm", 0);

        *kind = VIRT_QEMU;
        *kvm = caps != NULL;
        free(caps);
    } else {
        buf_printf(why, "libvirt's driver %s is none of Xen, QEMU and test",
                   type ? type : "(none)");
        return false;
    }
    return true;
}

static void *connect_main(void *arg)
{
    struct virt *v = arg;
    virConnectPtr conn = virConnectOpen(v->uri);
    enum virt_kind kind = VIRT_XEN;
    struct buf why = {0};
    bool kvm = false;

    if (!conn)
        virt_refused(&why, "no connection to the hypervisor");
    else if (learn_kind(conn, &kind, &kvm, &why))
        virConnectSetKeepAlive(conn, ALIVE_SECONDS, ALIVE_COUNT); /* a local one needs none */
    if (conn && why.len > 0) {
        virConnectClose(conn);
        conn = NULL;
    }
    pthread_mutex_lock(&v->lock);
    v->conn = conn;
    v->kind = kind;
    v->kvm = kvm;
    v->connecting = false;
    buf_clear(&v->problem);
    buf_add(&v->problem, why.text, why.len);
    v->problem_ns = xh_now_ns();
    pthread_cond_broadcast(&v->changed);
    pthread_mutex_unlock(&v->lock);
    buf_free(&why);
    return NULL;
}

/* The lock is held. */
static void begin_connecting(struct virt *v)
{
    pthread_t thread;

    if (v->conn || v->connecting || (v->problem.len > 0 && xh_now_ns() - v->problem_ns < AGAIN_NS))
        return;
    if (pthread_create(&thread, NULL, connect_main, v) == 0) {
        pthread_detach(thread);
        v->connecting = true;
    }
}

virConnectPtr virt_connection(struct virt *v, struct buf *why)
{
    virConnectPtr conn, dead = NULL;
    struct timespec end;

    clock_gettime(CLOCK_REALTIME, &end);
    end.tv_sec += CONNECT_SECONDS;
    pthread_mutex_lock(&v->lock);
    if (v->conn && virConnectIsAlive(v->conn) != 1) {
        dead = v->conn;
        v->conn = NULL;
        virt_lose_streams(v);
    }
    begin_connecting(v);
    while (v->connecting && pthread_cond_timedwait(&v->changed, &v->lock, &end) != ETIMEDOUT)
        ;
    conn = v->conn;
    if (conn)
        virConnectRef(conn);
    else if (v->connecting || v->problem.len == 0)
        buf_puts(why, "no connection to the hypervisor: it does not answer");
    else
        buf_add(why, v->problem.text, v->problem.len);
    pthread_mutex_unlock(&v->lock);
    if (dead)
        virConnectClose(dead);
    return conn;
}

bool virt_find(struct virt *v, const char *id, virDomainPtr *dom, struct buf *why)
{
    unsigned char uuid[VIRT_UUID_BYTES];
    virConnectPtr conn;
    bool good = true;

    *dom = NULL;
    if (!engine_id_good(id)) {
        buf_printf(why, "\"%s\" is not the id of an instance", id);
        return false;
    }
    conn = virt_connection(v, why);
    if (!conn)
        return false;
    virt_uuid(id, uuid);
    *dom = virDomainLookupByUUID(conn, uuid);
    if (!*dom && virGetLastErrorCode() != VIR_ERR_NO_DOMAIN) {
        virt_refused(why, "the hypervisor cannot be asked");
        good = false;
    }
    virConnectClose(conn);
    return good;
}

virDomainPtr virt_running(struct virt *v, const char *id, struct buf *why)
{
    virDomainPtr dom;

    if (!virt_find(v, id, &dom, why))
        return NULL;
    if (dom && virDomainIsActive(dom) == 1)
        return dom;
    if (dom)
        virDomainFree(dom);
    buf_puts(why, "the instance does not run");
    return NULL;
}
