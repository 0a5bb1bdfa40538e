/* SPDX-License-Identifier: MIT */
/*
 * The files of the libvirt engine.
 *
 *   libvirt.c          the operations
 *   libvirt_conn.c     the connection: made, watched, made again
 *   libvirt_xml.c      what libvirt is told of a guest, and the disks that it tells of
 *   libvirt_disk.c     disks that come and go, copies
 *   libvirt_console.c  the recorder of consoles, for hypervisors whose libvirt keeps none
 */
#ifndef PVBOOT_CLOUD_ENGINE_LIBVIRT_PRIV_H
#define PVBOOT_CLOUD_ENGINE_LIBVIRT_PRIV_H

#include <libvirt/libvirt.h>
#include <libvirt/virterror.h>
#include <pthread.h>

#include "cloud/engine/engine_priv.h"
#include "host/stop.h"

#define VIRT_UUID_BYTES 16
#define VIRT_DISKS_MAX  64

enum virt_kind { VIRT_XEN, VIRT_QEMU, VIRT_TEST };

struct virt_recorder;

struct virt {
    struct engine engine;
    char *uri, *dir, *bridge;
    pthread_t events;
    uint64_t looked_ns; /* after the consoles; that thread's own */

    pthread_mutex_t lock; /* of all that follows */
    pthread_cond_t changed;
    bool closing;
    virConnectPtr conn; /* or NULL */
    bool connecting;
    struct buf problem;  /* why the last attempt to connect failed */
    uint64_t problem_ns; /* when */
    enum virt_kind kind;
    bool kvm;
    struct virt_recorder *recorders;

    struct engine_pauses pauses; /* has its own lock */
    _Atomic unsigned copies;     /* that this process makes at the moment */
};

/* libvirt_conn.c */
bool virt_start_events(struct virt *v, struct buf *why);
void virt_stop_events(struct virt *v);
/* A reference to the connection, for virConnectClose; NULL: `why`. */
virConnectPtr virt_connection(struct virt *v, struct buf *why);
/* "WHAT: what libvirt said last" */
void virt_refused(struct buf *why, const char *what);
/*
 * The guest, for virDomainFree. False: libvirt could not be asked; *dom NULL: it knows no such
 * guest.
 */
bool virt_find(struct virt *v, const char *id, virDomainPtr *dom, struct buf *why);
/* As virt_find, but a guest that does not run is an error. */
virDomainPtr virt_running(struct virt *v, const char *id, struct buf *why);

/* libvirt_xml.c */
/* A UUID that follows from the id, as version 5 of RFC 4122 makes one from a name. */
void virt_uuid(const char *id, unsigned char uuid[VIRT_UUID_BYTES]);
bool virt_domain_xml(const struct virt *v, const struct engine_guest *g, struct buf *xml,
                     struct buf *why);
struct virt_disk {
    char source[4096], target[16], serial[32];
    bool qcow2, copied; /* by a job of the hypervisor */
};
/* `nth`: which one of the guest's disks, where libvirt has names of its own for them. */
void virt_disk_xml(const struct virt *v, const struct engine_disk *d, unsigned nth,
                   struct buf *xml);
/* The number of disks, or -1. */
int virt_read_disks(const char *domain_xml, struct virt_disk *disks);
void virt_text(struct buf *xml, const char *text);

/* libvirt_disk.c */
bool virt_attach(struct engine *e, const char *id, const struct engine_disk *d,
                 const stop_flag *stop, struct buf *why);
bool virt_detach(struct engine *e, const char *id, const char *vdev, const stop_flag *stop,
                 struct buf *why);
bool virt_copy(struct engine *e, const char *id, const char *vdev, const char *to,
               const stop_flag *stop, struct buf *why);
/* libvirt_console.c */
/* Record what the guest writes from now on, where libvirt does not do it itself. */
void virt_record(struct virt *v, const char *id, virDomainPtr dom);
void virt_record_no_more(struct virt *v, const char *id);
/* From the thread of the events: look after the consoles that are not open. */
void virt_open_consoles(struct virt *v);
/* The connection is lost, and the lock held. */
void virt_lose_streams(struct virt *v);
/* When that thread is gone. */
void virt_close_consoles(struct virt *v);

#endif
