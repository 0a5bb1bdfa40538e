/* SPDX-License-Identifier: MIT */
/*
 * The QEMU process: its arguments, its channels, its end.
 *
 * Every channel (Xen's serial line, QEMU's monitor, the agent, the consoles) is one end of a
 * socket pair that QEMU inherits: nothing has a name in the file system.
 */
#include "host/xenhost/internal.h"

#include <ctype.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#define END_LIMIT_MS 10000

static const char xen_args[] =
    "console=com1 com1=115200,8n1 dom0_mem=%uM,max:%uM dom0_max_vcpus=1 bootscrub=0 "
    "loglvl=all guest_loglvl=all noreboot";

/* dom0 runs for seconds and trusts its one user: what only costs time is switched off. (rodata=on
 * makes the kernel walk all its page tables once, 0.7 s without KVM.) */
static const char dom0_args[] = "vmlinux console=hvc0 quiet rodata=off cryptomgr.notests audit=0 "
                                "apparmor=0 mitigations=off,initramfs";

struct argv {
    char *word[160];
    size_t nr;
};

static void arg(struct argv *a, const char *word)
{
    if (a->nr + 1 < sizeof(a->word) / sizeof(a->word[0]))
        a->word[a->nr++] = xstrdup(word);
}

static void arg2(struct argv *a, const char *option, struct buf *value)
{
    arg(a, option);
    arg(a, value->text);
    buf_clear(value);
}

bool drive_name_ok(const char *name)
{
    size_t len = strlen(name);

    if (len == 0 || len > XH_NAME_MAX)
        return false;
    for (const char *p = name; *p; p++)
        if (!isalnum((unsigned char)*p))
            return false;
    return true;
}

/* A file name inside a QEMU option: commas are doubled. */
static void option_path(struct buf *b, const char *path)
{
    char full[PATH_MAX];

    if (realpath(path, full))
        path = full;
    for (const char *p = path; *p; p++)
        buf_add(b, *p == ',' ? ",," : p, *p == ',' ? 2 : 1);
}

/* The value of -drive (and of the monitor's drive_add) for a drive. */
void qemu_drive_option(struct buf *b, const struct xh_drive *d)
{
    buf_printf(b, "if=none,id=%s,", d->name);
    if (d->nr_failing) {
        buf_puts(b, d->format == XH_QCOW2 ? "driver=qcow2" : "driver=raw");
        buf_puts(b, ",file.driver=blkdebug,file.image.driver=file,file.image.filename=");
        option_path(b, d->path);
        for (unsigned i = 0; i < d->nr_failing; i++) {
            buf_printf(b, ",file.inject-error.%u.event=none,file.inject-error.%u.iotype=read", i,
                       i);
            buf_printf(b, ",file.inject-error.%u.errno=5,file.inject-error.%u.sector=%llu", i, i,
                       (unsigned long long)d->failing[i]);
        }
    } else {
        buf_puts(b, d->format == XH_QCOW2 ? "format=qcow2" : "format=raw");
        buf_puts(b, ",file=");
        option_path(b, d->path);
    }
    buf_printf(b, ",werror=%s,rerror=report", d->wait_for_room ? "enospc" : "report");
    if (d->readonly)
        buf_puts(b, ",readonly=on");
    else if (d->write)
        buf_puts(b, ",cache=writeback");
    else
        buf_puts(b, ",snapshot=on,cache=unsafe");
}

static bool add_channel(struct argv *a, struct buf *b, struct chan *c, int *child, const char *id)
{
    int pair[2];

    if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, pair) < 0)
        return false;
    c->fd = pair[0];
    *child = pair[1];
    if (fcntl(c->fd, F_SETFL, O_NONBLOCK) < 0 || fcntl(*child, F_SETFD, 0) < 0)
        return false;
    buf_printf(b, "socket,id=%s,fd=%d", id, *child);
    arg2(a, "-chardev", b);
    return true;
}

static bool add_channels(struct xenhost *h, struct argv *a, struct buf *b, int *child)
{
    if (!add_channel(a, b, &h->chan[CH_LOG], &child[CH_LOG], "com1") ||
        !add_channel(a, b, &h->chan[CH_QMP], &child[CH_QMP], "qmp") ||
        !add_channel(a, b, &h->chan[CH_CTL], &child[CH_CTL], "ctl"))
        return false;
    arg(a, "-serial");
    arg(a, "chardev:com1");
    arg(a, "-mon");
    arg(a, "chardev=qmp,mode=control");
    arg(a, "-device");
    arg(a, "virtio-serial-pci,id=ports,max_ports=8");
    arg(a, "-device");
    arg(a, "virtserialport,bus=ports.0,chardev=ctl,name=pv.ctl");
    for (int i = 0; i < XH_MAX_GUESTS; i++) {
        char id[16];

        snprintf(id, sizeof(id), "con%d", i);
        if (!add_channel(a, b, &h->chan[CH_CON0 + i], &child[CH_CON0 + i], id))
            return false;
        buf_printf(b, "virtserialport,bus=ports.0,chardev=%s,name=pv.%s", id, id);
        arg2(a, "-device", b);
    }
    return true;
}

static void add_machine(const struct xh_options *opt, struct argv *a, struct buf *b,
                        const char *accel)
{
    /* Xen's own tables: 32 bytes a page, and what lies below 1 MiB and in its heap */
    char xen[PATH_MAX];
    unsigned memory = DOM0_MEMORY_MIB + opt->guest_memory_mib + opt->guest_memory_mib / 50 + 256;

    arg(a, "-nodefaults");
    arg(a, "-no-user-config");
    arg(a, "-no-reboot");
    arg(a, "-display");
    arg(a, "none");
    arg(a, "-machine");
    arg(a, "pc");
    /* One processor: QEMU's translator runs one faster than two that wait for each other's locks,
     * by a third on an idle machine and by far more on a busy one. */
    arg(a, "-smp");
    arg(a, "1");
    buf_printf(b, "%u", memory);
    arg2(a, "-m", b);
    buf_puts(b, strcmp(accel, "kvm") == 0 ? "kvm" : "tcg,thread=single");
    arg2(a, "-accel", b);
    if (strcmp(accel, "kvm") == 0) {
        arg(a, "-cpu");
        arg(a, "host");
    }
    arg(a, "-kernel");
    arg(a, opt->xen != NULL && realpath(opt->xen, xen) != NULL ? xen : "xen");
    buf_printf(b, xen_args, DOM0_MEMORY_MIB, DOM0_MEMORY_MIB);
    arg2(a, "-append", b);
    arg(a, "-initrd");
    arg(a, dom0_args);
}

static void add_drives(const struct xh_options *opt, struct argv *a, struct buf *b)
{
    for (size_t i = 0; i < opt->nr_drives; i++) {
        const struct xh_drive *d = &opt->drives[i];

        qemu_drive_option(b, d);
        arg2(a, "-drive", b);
        buf_printf(b, "virtio-blk-pci,disable-modern=on,vectors=0,drive=%s,id=dev-%s,serial=%s",
                   d->name, d->name, d->name);
        if (d->sector_size)
            buf_printf(b, ",logical_block_size=%u,physical_block_size=%u", d->sector_size,
                       d->sector_size);
        arg2(a, "-device", b);
    }
}

/* In the child. QEMU must not outlive us, must not see the terminal's signals, and works in the
 * host's folder so that no character of that path can upset its option parser. */
_Noreturn static void run_qemu(const struct xenhost *h, struct argv *a, pid_t parent, int err_fd)
{
    int null = open("/dev/null", O_RDWR | O_CLOEXEC);
    sigset_t none;

    prctl(PR_SET_PDEATHSIG, SIGTERM);
    if (getppid() != parent)
        _exit(1);
    setpgid(0, 0);
    sigemptyset(&none);
    sigprocmask(SIG_SETMASK, &none, NULL);
    signal(SIGPIPE, SIG_DFL);
    if (null < 0 || dup2(null, 0) < 0 || dup2(err_fd, 1) < 0 || dup2(err_fd, 2) < 0 ||
        chdir(h->folder) < 0)
        _exit(1);
    execvp(a->word[0], a->word);
    dprintf(2, "cannot run %s: %s; install the package qemu-system-x86\n", a->word[0],
            strerror(errno));
    _exit(127);
}

enum xh_result qemu_spawn(struct xenhost *h, const struct xh_options *opt, const char *accel)
{
    struct argv a = {.nr = 0};
    struct buf b = {0};
    int child[CH_COUNT];
    int err[2] = {-1, -1};
    enum xh_result r = XH_OK;
    pid_t parent = getpid();

    for (int i = 0; i < CH_COUNT; i++)
        child[i] = -1;
    buf_clear(&b);
    arg(&a, "qemu-system-x86_64");
    add_machine(opt, &a, &b, accel);
    if (!add_channels(h, &a, &b, child) || pipe2(err, O_CLOEXEC | O_NONBLOCK) < 0) {
        r = xh_fail(h, "cannot make a channel to QEMU: %s", strerror(errno));
        goto out;
    }
    add_drives(opt, &a, &b);
    h->accel = accel;
    h->pid = fork();
    if (h->pid == 0)
        run_qemu(h, &a, parent, err[1]);
    if (h->pid < 0) {
        h->pid = 0;
        r = xh_fail(h, "cannot start QEMU: %s", strerror(errno));
    }
    h->chan[CH_STDERR].fd = err[0];
out:
    if (err[1] >= 0)
        close(err[1]);
    for (int i = 0; i < CH_COUNT; i++)
        if (child[i] >= 0)
            close(child[i]);
    for (size_t i = 0; i < a.nr; i++)
        free(a.word[i]);
    buf_free(&b);
    return r;
}

void qemu_end(struct xenhost *h)
{
    if (h->pid) {
        uint64_t end = xh_now_ns() + END_LIMIT_MS * 1000000ull;
        const struct timespec pause = {.tv_nsec = 5000000};
        pid_t got = 0;

        kill(h->pid, SIGTERM);
        while ((got = waitpid(h->pid, NULL, WNOHANG)) == 0 && xh_now_ns() < end)
            nanosleep(&pause, NULL);
        if (got == 0) {
            kill(h->pid, SIGKILL);
            waitpid(h->pid, NULL, 0);
        }
        h->pid = 0;
    }
    for (int i = 0; i < CH_COUNT; i++) {
        if (h->chan[i].fd >= 0)
            close(h->chan[i].fd);
        h->chan[i].fd = -1;
        buf_free(&h->chan[i].in);
        buf_free(&h->chan[i].out);
    }
}
