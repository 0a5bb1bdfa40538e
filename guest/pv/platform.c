/* SPDX-License-Identifier: MIT */
/* platform.h for Xen PV: puts guest/xen and guest/pv together, and takes them apart again. */
#include "guest/platform.h"

#include <string.h>

#include "guest/panic.h"
#include "guest/print.h"
#include "guest/pv/devices.h"
#include "guest/pv/pool.h"
#include "guest/pv/pv.h"
#include "guest/xen/blkfront.h"
#include "guest/xen/clock.h"
#include "guest/xen/console.h"
#include "guest/xen/events.h"
#include "guest/xen/grants.h"
#include "guest/xen/xenstore.h"

#define CONSOLE_FLUSH_NS (5 * NS_PER_S)
#define CACHE_BLOCKS     1024 /* of metadata, for each disk: 4 MiB */

static bool grants_up;

static void *map_frame(mfn_t mfn)
{
    void *va = mm_map_frames(&mfn, 1);

    if (va == NULL)
        guest_panic("no memory to map a page of Xen's", mfn, 0);
    return va;
}

void platform_init(const void *start)
{
    const struct start_info *si = start;

    pv_init(si);
    /* The console before all else, so that what goes wrong is seen. */
    void *console = pv_boot_address(pv_mfn_to_pfn(si->console.domU.mfn));

    if (console != NULL)
        xen_console_init(console, si->console.domU.evtchn);
    traps_init();
    /* An overrun of the stack faults instead of running on into the image. */
    if (hypercall_update_va_mapping((unsigned long)boot_stack, 0, UVMF_INVLPG) != 0)
        guest_panic("unmapping the page below the stack failed", va_of(boot_stack), 0);
    mm_init();
    arch_canary_init();
    pv_set_shared_info(map_frame(si->shared_info >> PAGE_SHIFT));
    events_init(pv_shared_info());
    clock_init(pv_shared_info());
    if (console == NULL)
        xen_console_init(map_frame(si->console.domU.mfn), si->console.domU.evtchn);
}

void platform_describe(struct text *t)
{
    xen_extraversion_t extra = {0};
    long version = hypercall_xen_version(XENVER_version, NULL);

    text_str(t, "Xen ");
    if (version > 0 && hypercall_xen_version(XENVER_extraversion, extra) == 0) {
        text_u64(t, (uint64_t)version >> 16);
        text_char(t, '.');
        text_u64(t, (uint64_t)version & 0xffff);
        text_name(t, extra, strnlen(extra, sizeof(extra)));
    }
    text_str(t, ", " ARCH_MODE ", ");
    text_size(t, mm_nr_total() << PAGE_SHIFT);
    text_str(t, " of memory");
}

const struct mem_source *platform_memory(void)
{
    return &pool_memory;
}

const char *platform_arch(void)
{
    return ARCH_NAME;
}

const char *platform_cmdline(void)
{
    static char line[MAX_GUEST_CMDLINE + 1];

    memcpy(line, pv_start_info()->cmd_line, MAX_GUEST_CMDLINE);
    return line;
}

/* A CD is not a disk of the machine, and neither is a drive that cannot be used: name them. */
static void log_other_device(const struct log *log, const struct vbd *vbd)
{
    char line[300];
    struct text t = text_on(line, sizeof(line));

    if (vbd->kind == VBD_FAILED) {
        err_format(vbd->why, vbd->disk.name, line, sizeof(line));
    } else {
        text_str(&t, vbd->disk.name);
        text_str(&t, vbd->kind == VBD_CDROM ? ": a CD-ROM, not numbered as a disk"
                                            : ": an empty drive, not numbered as a disk");
    }
    log_line(log, line);
}

struct err platform_disks(struct arena *a, const struct log *log,
                          struct err (*found)(void *ctx, struct disk *d), void *ctx)
{
    const struct start_info *si = pv_start_info();
    struct blkfront_options options = {
        .persistent = strstr(platform_cmdline(), "pvboot.persistent=0") == NULL, .log = log};
    struct vbd *vbd;

    TRY(xenstore_init(map_frame(si->store_mfn), si->store_evtchn));
    TRY(grants_init());
    grants_up = true;
    TRY(blkfront_init(&options));
    for (size_t i = 0; (vbd = blkfront_vbd(i)) != NULL; i++) {
        if (vbd->kind != VBD_DISK) {
            log_other_device(log, vbd);
            continue;
        }
        TRY(disk_cache_attach(&vbd->disk, a, CACHE_BLOCKS));
        TRY(found(ctx, &vbd->disk));
    }
    return OK;
}

static void log_failure(const struct log *log, struct err e, const char *what)
{
    char line[300];

    if (!failed(e))
        return;
    err_format(e, what, line, sizeof(line));
    log_line(log, line);
}

void devices_close(const struct log *log)
{
    log_failure(log, blkfront_close(), "closing the disks");
    log_failure(log, xenstore_fini(), "leaving xenstore");
    if (grants_up)
        grants_fini();
    (void)xen_console_flush(clock_ns() + CONSOLE_FLUSH_NS);
}

void platform_put(const char *s, size_t len)
{
    print_mem(s, len);
}

int platform_get(uint32_t timeout_ms)
{
    return xen_console_read(timeout_ms == 0 ? 0 : clock_ns() + timeout_ms * NS_PER_MS);
}

_Noreturn void platform_power(enum session_power how)
{
    guest_shutdown(how == SESSION_REBOOT ? SHUTDOWN_reboot : SHUTDOWN_poweroff);
}

void platform_memory_size(uint64_t *total_bytes, uint64_t *free_bytes)
{
    *total_bytes = mm_nr_total() << PAGE_SHIFT;
    *free_bytes = mm_nr_free() << PAGE_SHIFT;
}

uint64_t platform_seed(void)
{
    const struct shared_info *shared = pv_shared_info();
    uint64_t ns = clock_ns();

    return ((uint64_t)shared->wc_sec << 32 | shared->wc_nsec) ^ ns << 20 ^ ns;
}

_Noreturn void platform_give_up(void)
{
    guest_shutdown(SHUTDOWN_crash);
}
