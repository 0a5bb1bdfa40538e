/* SPDX-License-Identifier: MIT */
/*
 * What libvirt is told of a guest, and the disks that it tells of.
 *
 * Xen: a PV guest; QEMU in dom0 serves its disks under their own names. QEMU: pvboot cannot run, it
 * is a Xen guest, but a plain kernel and ramdisk can; the disks are virtio's, which has names of
 * its own for them, so that ours is the serial number.
 */
#include "cloud/engine/libvirt_priv.h"

#include <expat.h>
#include <openssl/evp.h>
#include <stdio.h>
#include <string.h>

#define NAME_MAX_BYTES 64

void virt_uuid(const char *id, unsigned char uuid[VIRT_UUID_BYTES])
{
    static const unsigned char space[16] = {0x5b, 0x0e, 0x1d, 0x6a, 0x42, 0xc7, 0x4f, 0x39,
                                            0x9a, 0x81, 0x30, 0xd2, 0xee, 0x77, 0x14, 0xb5};
    unsigned char name[sizeof(space) + NAME_MAX_BYTES], digest[EVP_MAX_MD_SIZE] = {0};
    size_t len = strnlen(id, NAME_MAX_BYTES);

    memcpy(name, space, sizeof(space));
    memcpy(name + sizeof(space), id, len);
    EVP_Digest(name, sizeof(space) + len, digest, NULL, EVP_sha1(), NULL);
    memcpy(uuid, digest, VIRT_UUID_BYTES);
    uuid[6] = (uuid[6] & 0x0f) | 0x50;
    uuid[8] = (uuid[8] & 0x3f) | 0x80;
}

void virt_text(struct buf *xml, const char *text)
{
    for (const char *p = text; *p; p++) {
        switch (*p) {
        case '&':
            buf_puts(xml, "&amp;");
            break;
        case '<':
            buf_puts(xml, "&lt;");
            break;
        case '>':
            buf_puts(xml, "&gt;");
            break;
        case '\'':
            buf_puts(xml, "&apos;");
            break;
        default:
            buf_add(xml, p, 1);
        }
    }
}

static void element(struct buf *xml, const char *name, const char *text)
{
    buf_printf(xml, "<%s>", name);
    virt_text(xml, text);
    buf_printf(xml, "</%s>", name);
}

void virt_disk_xml(const struct virt *v, const struct engine_disk *d, unsigned nth, struct buf *xml)
{
    buf_printf(xml, "<disk type='file' device='disk'><driver name='qemu' type='%s'/><source file='",
               d->format == ENGINE_RAW ? "raw" : "qcow2");
    virt_text(xml, d->path);
    buf_puts(xml, "'/><target dev='");
    if (v->kind == VIRT_QEMU)
        buf_printf(xml, "vd%c' bus='virtio'/>", 'a' + (int)(nth % 26));
    else
        buf_printf(xml, "%s' bus='xen'/>", d->vdev);
    if (d->readonly)
        buf_puts(xml, "<readonly/>");
    if (v->kind == VIRT_QEMU)
        element(xml, "serial", d->vdev);
    buf_puts(xml, "</disk>");
}

static void add_os(const struct virt *v, const struct engine_guest *g, struct buf *xml)
{
    if (v->kind == VIRT_XEN)
        buf_printf(xml, "<os><type arch='%s' machine='xenpv'>linux</type>",
                   g->narrow ? "i686" : "x86_64");
    else if (v->kind == VIRT_QEMU)
        buf_puts(xml, "<os><type arch='x86_64' machine='pc'>hvm</type>");
    else
        buf_puts(xml, "<os><type>hvm</type>");
    element(xml, "kernel", g->kernel);
    if (g->ramdisk)
        element(xml, "initrd", g->ramdisk);
    if (g->cmdline && *g->cmdline)
        element(xml, "cmdline", g->cmdline);
    buf_puts(xml, "</os>");
}

static void add_console(const struct virt *v, const char *id, struct buf *xml)
{
    if (v->kind == VIRT_XEN) {
        buf_puts(xml, "<console type='pty'><target type='xen' port='0'/></console>");
    } else if (v->kind == VIRT_QEMU) {
        char *path = engine_path(v->dir, id, ".console");

        buf_puts(xml, "<serial type='pty'><log file='");
        virt_text(xml, path);
        buf_puts(xml, "' append='on'/><target port='0'/></serial><panic model='isa'/>");
        free(path);
    }
}

bool virt_domain_xml(const struct virt *v, const struct engine_guest *g, struct buf *xml,
                     struct buf *why)
{
    static const char *const types[] = {"xen", "qemu", "test"};
    unsigned char u[VIRT_UUID_BYTES];

    if (!engine_guest_good(g, why))
        return false;
    buf_printf(xml, "<domain type='%s'>", v->kvm ? "kvm" : types[v->kind]);
    element(xml, "name", g->id);
    virt_uuid(g->id, u);
    buf_puts(xml, "<uuid>");
    for (int i = 0; i < VIRT_UUID_BYTES; i++)
        buf_printf(xml, "%s%02x", i == 4 || i == 6 || i == 8 || i == 10 ? "-" : "", u[i]);
    buf_printf(xml, "</uuid><memory unit='MiB'>%u</memory><vcpu>%u</vcpu>", g->memory_mib,
               g->vcpus);
    add_os(v, g, xml);
    if (v->kind == VIRT_QEMU)
        buf_puts(xml, "<features><acpi/></features>");
    buf_puts(xml, "<on_poweroff>destroy</on_poweroff><on_reboot>restart</on_reboot>"
                  "<on_crash>destroy</on_crash><devices>");
    for (size_t i = 0; i < g->nr_disks; i++)
        virt_disk_xml(v, &g->disks[i], (unsigned)i, xml);
    if (v->bridge) {
        buf_puts(xml, "<interface type='bridge'><source bridge='");
        virt_text(xml, v->bridge);
        buf_puts(xml, v->kind == VIRT_QEMU ? "'/><model type='virtio'/></interface>"
                                           : "'/></interface>");
    }
    add_console(v, g->id, xml);
    buf_puts(xml, "</devices></domain>");
    return true;
}

/* ---- reading -----------------------------------------------------------------------------------
 */

struct reading {
    struct virt_disk *disks;
    int nr;
    unsigned depth, disk_depth; /* 0: outside a disk */
    bool in_serial;
};

static const char *attribute(const char **attributes, const char *name)
{
    for (; *attributes; attributes += 2)
        if (strcmp(attributes[0], name) == 0)
            return attributes[1];
    return "";
}

static void XMLCALL opens(void *arg, const char *name, const char **attributes)
{
    struct reading *r = arg;
    struct virt_disk *d;

    r->depth++;
    if (!r->disk_depth && strcmp(name, "disk") == 0 && r->nr < VIRT_DISKS_MAX) {
        r->disk_depth = r->depth;
        memset(&r->disks[r->nr++], 0, sizeof(*r->disks));
    }
    if (!r->disk_depth || r->depth != r->disk_depth + 1)
        return; /* a backing file has a source of its own */
    d = &r->disks[r->nr - 1];
    if (strcmp(name, "source") == 0)
        snprintf(d->source, sizeof(d->source), "%s", attribute(attributes, "file"));
    else if (strcmp(name, "target") == 0)
        snprintf(d->target, sizeof(d->target), "%s", attribute(attributes, "dev"));
    else if (strcmp(name, "driver") == 0)
        d->qcow2 = strcmp(attribute(attributes, "type"), "qcow2") == 0;
    else if (strcmp(name, "mirror") == 0)
        d->copied = true;
    r->in_serial = strcmp(name, "serial") == 0;
}

static void XMLCALL closes(void *arg, const char *name)
{
    struct reading *r = arg;

    (void)name;
    if (r->depth == r->disk_depth)
        r->disk_depth = 0;
    r->depth--;
    r->in_serial = false;
}

static void XMLCALL says(void *arg, const char *text, int len)
{
    struct reading *r = arg;
    char *serial;
    size_t had;

    if (!r->in_serial)
        return;
    serial = r->disks[r->nr - 1].serial;
    had = strlen(serial);
    snprintf(serial + had, sizeof(r->disks[0].serial) - had, "%.*s", len, text);
}

int virt_read_disks(const char *domain_xml, struct virt_disk *disks)
{
    XML_Parser parser = XML_ParserCreate(NULL);
    struct reading r = {.disks = disks};
    bool good;

    if (!parser)
        return -1;
    XML_SetUserData(parser, &r);
    XML_SetElementHandler(parser, opens, closes);
    XML_SetCharacterDataHandler(parser, says);
    good = XML_Parse(parser, domain_xml, (int)strlen(domain_xml), 1) == XML_STATUS_OK;
    XML_ParserFree(parser);
    return good ? r.nr : -1;
}
