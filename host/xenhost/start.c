/* SPDX-License-Identifier: MIT */
/*
 * Coming up: the host's files (mkhost.sh makes and caches them), the choice between KVM and
 * QEMU's own translator, and the wait for dom0.
 *
 * /dev/kvm that opens proves little: on many machines Xen does not start under it. So KVM is used
 * only after it has once brought dom0 up here; the answer is kept beside the host's files.
 */
#include "host/xenhost/internal.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/utsname.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#define MAKER_END_LIMIT_MS 5000

/* The folder with mkhost.sh: beside the sources when run from a build tree, else installed. */
static enum xh_result find_scripts(struct xenhost *h, char *out, size_t size)
{
    static const char *const place[] = {"../host/xenhost", "../share/pvboot/xenhost",
                                        "../lib/pvboot/xenhost"};
    const char *env = getenv("PVBOOT_XENHOST_DIR");
    char exe[PATH_MAX];
    ssize_t n = readlink("/proc/self/exe", exe, sizeof(exe) - 1);
    char *slash;

    if (env) {
        snprintf(out, size, "%s/mkhost.sh", env);
        if (access(out, R_OK) == 0)
            return XH_OK;
        return xh_fail(h, "PVBOOT_XENHOST_DIR names %s, but there is no mkhost.sh in it", env);
    }
    exe[n > 0 ? n : 0] = 0;
    slash = strrchr(exe, '/');
    if (slash)
        *slash = 0;
    for (size_t i = 0; i < sizeof(place) / sizeof(place[0]); i++) {
        if (snprintf(out, size, "%s/%s/mkhost.sh", exe, place[i]) < (int)size &&
            access(out, R_OK) == 0)
            return XH_OK;
    }
    return xh_fail(h, "cannot find mkhost.sh near %s; set PVBOOT_XENHOST_DIR to its folder", exe);
}

/* In the child. mkhost.sh has a process group of its own, so that all that it runs can be ended. */
_Noreturn static void run_maker(char *script, pid_t parent, int out_fd)
{
    char *argv[] = {(char *)"sh", script, NULL};
    int null = open("/dev/null", O_RDONLY | O_CLOEXEC);

    setpgid(0, 0);
    prctl(PR_SET_PDEATHSIG, SIGTERM);
    if (getppid() != parent)
        _exit(1);
    signal(SIGPIPE, SIG_DFL);
    if (null < 0 || dup2(null, 0) < 0 || dup2(out_fd, 1) < 0)
        _exit(1);
    execv("/bin/sh", argv);
    _exit(127);
}

/* Reads the folder's name, mkhost.sh's only line. */
static void on_maker(void *ctx)
{
    struct xenhost *h = ctx;
    size_t len = strlen(h->folder);
    ssize_t n = read(h->maker_fd, h->folder + len, sizeof(h->folder) - 1 - len);

    if (n > 0)
        h->folder[len + (size_t)n] = 0;
    else if (n == 0 || errno != EINTR)
        h->made = true;
}

/* Waits for mkhost.sh, after it has been told to end if `stop`; true: it did its work. */
static bool reap_maker(struct xenhost *h, bool stop)
{
    uint64_t end = xh_now_ns() + MAKER_END_LIMIT_MS * 1000000ull;
    const struct timespec pause = {.tv_nsec = 5000000};
    int status = 0;
    pid_t got;

    if (stop)
        kill(-h->maker, SIGTERM); /* it removes its temporary folder */
    while ((got = waitpid(h->maker, &status, stop ? WNOHANG : 0)) == 0 ||
           (got < 0 && errno == EINTR)) {
        if (stop && xh_now_ns() > end) {
            kill(-h->maker, SIGKILL);
            stop = false;
        }
        if (got == 0)
            nanosleep(&pause, NULL);
    }
    h->maker = 0;
    return got > 0 && WIFEXITED(status) && WEXITSTATUS(status) == 0;
}

/* Runs mkhost.sh. Its own messages go to our standard error. */
static enum xh_result make_host(struct xenhost *h)
{
    char script[PATH_MAX + 64];
    pid_t parent = getpid();
    enum xh_result r = XH_OK;
    int fd[2];
    bool worked;

    if (find_scripts(h, script, sizeof(script)) != XH_OK)
        return XH_DEAD;
    if (pipe2(fd, O_CLOEXEC) < 0) {
        xh_fail(h, "pipe: %s", strerror(errno));
        return XH_DEAD;
    }
    h->maker = fork();
    if (h->maker == 0)
        run_maker(script, parent, fd[1]);
    close(fd[1]);
    if (h->maker < 0) {
        h->maker = 0;
        close(fd[0]);
        xh_fail(h, "fork: %s", strerror(errno));
        return XH_DEAD;
    }
    setpgid(h->maker, h->maker); /* whoever of the two comes first */
    h->maker_fd = fd[0];
    xh_watch_fd(h, fd[0], on_maker, h);
    while (r == XH_OK && !h->made)
        r = xh_step(h, -1);
    xh_unwatch_fd(h, fd[0]);
    close(fd[0]);
    worked = reap_maker(h, r != XH_OK);
    if (r == XH_CANCELLED)
        return r;
    if (r != XH_OK)
        return XH_DEAD;
    if (!worked || h->folder[0] != '/') {
        xh_fail(h, "the Xen host could not be made");
        return XH_DEAD;
    }
    h->folder[strcspn(h->folder, "\n")] = 0;
    return XH_OK;
}

static enum xh_result bring_up(struct xenhost *h, const struct xh_options *opt, const char *accel,
                               int limit_ms)
{
    enum xh_result r;

    h->ready = h->spoke = false;
    r = qemu_spawn(h, opt, accel);
    if (r == XH_OK && strcmp(accel, "kvm") == 0)
        r = loop_until(h, &h->spoke, SPEAK_LIMIT_MS);
    if (r == XH_OK)
        r = loop_until(h, &h->ready, limit_ms);
    if (r == XH_TIMEOUT)
        xh_fail(h, "dom0 was not ready after %d s; --verbose shows how far it came",
                limit_ms / 1000);
    if (r == XH_OK)
        r = qmp_start(h);
    return r == XH_FAILED || r == XH_TIMEOUT ? XH_DEAD : r;
}

/* Reads the cached answer: 1 yes, 0 no, -1 not known for the kernel that runs here. */
static int cached_answer(const char *file, const char *kernel)
{
    char text[256] = "";
    int fd = open(file, O_RDONLY | O_CLOEXEC);
    ssize_t n;

    if (fd < 0)
        return -1;
    n = read(fd, text, sizeof(text) - 1);
    close(fd);
    text[n > 0 ? n : 0] = 0;
    text[strcspn(text, "\n")] = 0;
    if (strncmp(text, "yes ", 4) == 0 && strcmp(text + 4, kernel) == 0)
        return 1;
    return strncmp(text, "no ", 3) == 0 && strcmp(text + 3, kernel) == 0 ? 0 : -1;
}

/* Whether KVM is worth a try: the cached answer, or a short run of the host without drives. */
static bool kvm_works(struct xenhost *h)
{
    char file[PATH_MAX + 16];
    struct xh_options bare = {.guest_memory_mib = 64};
    struct xh_callbacks cb = h->cb;
    struct utsname name;
    enum xh_result r;
    int fd, known;

    fd = open("/dev/kvm", O_RDWR | O_CLOEXEC);
    if (fd < 0 || uname(&name) < 0)
        return false;
    close(fd);
    snprintf(file, sizeof(file), "%s/../kvm", h->folder);
    known = cached_answer(file, name.release);
    if (known >= 0)
        return known > 0;
    memset(&h->cb, 0, sizeof(h->cb));
    r = bring_up(h, &bare, "kvm", PROBE_LIMIT_MS);
    qemu_end(h);
    h->cb = cb;
    h->error[0] = 0;
    if (r == XH_CANCELLED)
        return false;
    fd = open(file, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0644);
    if (fd >= 0) {
        dprintf(fd, "%s %s\n", r == XH_OK ? "yes" : "no", name.release);
        close(fd);
    }
    return r == XH_OK;
}

struct xenhost *xh_new(const struct xh_options *opt)
{
    struct xenhost *h = xalloc(sizeof(*h));

    h->cb = opt->cb;
    h->accel = "tcg";
    for (int i = 0; i < CH_COUNT; i++)
        h->chan[i].fd = -1;
    for (int i = 0; i < XH_MAX_WATCHES; i++)
        h->watch[i].fd = -1;
    return h;
}

enum xh_result xh_prepare(struct xenhost *h)
{
    return make_host(h);
}

enum xh_result xh_start(struct xenhost *h, const struct xh_options *opt)
{
    bool kvm;
    enum xh_result r;

    if (opt->nr_drives > XH_MAX_DRIVES) {
        xh_fail(h, "at most %d drives are possible, not %zu", XH_MAX_DRIVES, opt->nr_drives);
        return XH_DEAD;
    }
    kvm = !opt->no_kvm && kvm_works(h);
    if (h->cancelled)
        return XH_CANCELLED;
    r = bring_up(h, opt, kvm ? "kvm" : "tcg", START_LIMIT_MS);
    return r;
}

void xh_stop(struct xenhost *h)
{
    if (!h)
        return;
    qemu_end(h);
    buf_free(&h->line);
    buf_free(&h->last_stderr);
    buf_free(&h->req.text);
    buf_free(&h->req.out);
    buf_free(&h->qmp_error);
    buf_free(&h->copy_error);
    free(h);
}

const char *xh_accel(const struct xenhost *h)
{
    return h->accel;
}

const char *xh_folder(const struct xenhost *h)
{
    return h->folder;
}

double xh_ready_uptime(const struct xenhost *h)
{
    return h->ready_uptime;
}
