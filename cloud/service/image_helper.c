/* SPDX-License-Identifier: MIT */
/* The process that looks into images, both sides of it; see image_helper.h. */
#include "cloud/service/image_helper.h"

#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <spawn.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <openssl/crypto.h>

#include "host/cmd.h"
#include "host/filedisk.h"
#include "host/kernel_look.h"

#define POLL_MS   500
#define FILES_MAX (MACHINE_LAYERS_MAX + 1)
#define HELPER_FD STDIN_FILENO
#define NO_PART   UINT32_MAX
#define WHY_BYTES 1024

extern char **environ;

/* ---- what they say --------------------------------------------------------------------------- */

/* To the helper, with the descriptors of the manifest, if there is a bundle, and of the layers. */
struct order {
    enum manifest_type type;
    bool narrow, bundle;
    struct bundle_key key;
    char place[256];
    uint32_t nr_layers;
    bool qcow2[MACHINE_LAYERS_MAX];
};

/* To the helper, with a descriptor when `there`. */
struct part_answer {
    bool there;
};

/* To the service: a part is wanted, or this is the end. */
struct report_message {
    uint32_t part; /* or NO_PART */
    bool good;
    char why[WHY_BYTES];
    struct image_found found;
};

static bool send_message(int to, const void *bytes, size_t len, const int *fds, size_t nr_fds)
{
    union {
        struct cmsghdr align;
        char bytes[CMSG_SPACE(FILES_MAX * sizeof(int))];
    } control = {0};
    struct iovec iov = {.iov_base = (void *)bytes, .iov_len = len};
    struct msghdr m = {.msg_iov = &iov, .msg_iovlen = 1};
    ssize_t n;

    if (nr_fds > 0) {
        struct cmsghdr *c = &control.align;

        m.msg_control = control.bytes;
        m.msg_controllen = CMSG_SPACE(nr_fds * sizeof(int));
        c->cmsg_level = SOL_SOCKET;
        c->cmsg_type = SCM_RIGHTS;
        c->cmsg_len = CMSG_LEN(nr_fds * sizeof(int));
        memcpy(CMSG_DATA(c), fds, nr_fds * sizeof(int));
    }
    do
        n = sendmsg(to, &m, MSG_NOSIGNAL);
    while (n < 0 && errno == EINTR);
    return n == (ssize_t)len;
}

/* False: the other side is gone, or says something else than it should. */
static bool receive_message(int from, void *bytes, size_t len, int *fds, size_t max, size_t *nr_fds)
{
    union {
        struct cmsghdr align;
        char bytes[CMSG_SPACE(FILES_MAX * sizeof(int))];
    } control;
    struct iovec iov = {.iov_base = bytes, .iov_len = len};
    struct msghdr m = {.msg_iov = &iov,
                       .msg_iovlen = 1,
                       .msg_control = control.bytes,
                       .msg_controllen = max > 0 ? CMSG_LEN(max * sizeof(int)) : 0};
    struct cmsghdr *c;
    ssize_t n;

    *nr_fds = 0;
    do
        n = recvmsg(from, &m, MSG_CMSG_CLOEXEC);
    while (n < 0 && errno == EINTR);
    c = max > 0 && n > 0 ? CMSG_FIRSTHDR(&m) : NULL;
    if (c && c->cmsg_level == SOL_SOCKET && c->cmsg_type == SCM_RIGHTS) {
        *nr_fds = (c->cmsg_len - CMSG_LEN(0)) / sizeof(int);
        memcpy(fds, CMSG_DATA(c), *nr_fds * sizeof(int));
    }
    return n == (ssize_t)len && (m.msg_flags & (MSG_TRUNC | MSG_CTRUNC)) == 0;
}

/* ---- the service's side ---------------------------------------------------------------------- */

static pid_t start_helper(int socket_fd, char *why, size_t why_cap)
{
    const char *const argv[] = {"pvbootd", "--image-helper", NULL};
    posix_spawn_file_actions_t actions;
    posix_spawnattr_t attributes;
    sigset_t none;
    pid_t pid = -1;
    int error;

    sigemptyset(&none);
    posix_spawn_file_actions_init(&actions);
    posix_spawn_file_actions_adddup2(&actions, socket_fd, HELPER_FD);
    posix_spawn_file_actions_adddup2(&actions, STDERR_FILENO, STDOUT_FILENO);
    posix_spawnattr_init(&attributes);
    posix_spawnattr_setsigmask(&attributes, &none);
    posix_spawnattr_setflags(&attributes, POSIX_SPAWN_SETSIGMASK);
    error =
        posix_spawn(&pid, "/proc/self/exe", &actions, &attributes, (char *const *)argv, environ);
    posix_spawn_file_actions_destroy(&actions);
    posix_spawnattr_destroy(&attributes);
    if (error == 0)
        return pid;
    snprintf(why, why_cap, "The process that looks into images cannot be started: %s.",
             strerror(error));
    return -1;
}

/* The manifest as a file that has no name. */
static int manifest_file(const struct image_work *w)
{
    int fd = memfd_create("manifest", MFD_CLOEXEC);

    if (fd >= 0 && write(fd, w->manifest, w->manifest_len) == (ssize_t)w->manifest_len)
        return fd;
    if (fd >= 0)
        close(fd);
    return -1;
}

static bool give_order(const struct image_work *w, int to)
{
    struct order o = {.type = w->type,
                      .narrow = strcmp(w->arch, "i386") == 0,
                      .bundle = w->manifest != NULL,
                      .key = w->key,
                      .nr_layers = w->nr_layers};
    int fds[FILES_MAX], manifest = o.bundle ? manifest_file(w) : -1;
    size_t nr = 0;
    bool good = !o.bundle || manifest >= 0;

    if (manifest >= 0)
        fds[nr++] = manifest;
    for (uint32_t i = 0; i < w->nr_layers; i++) {
        o.qcow2[i] = w->layers[i].qcow2;
        fds[nr++] = w->layers[i].fd;
    }
    snprintf(o.place, sizeof(o.place), "%s", w->place ? w->place : "");
    good = good && send_message(to, &o, sizeof(o), fds, nr);
    OPENSSL_cleanse(&o, sizeof(o));
    if (manifest >= 0)
        close(manifest);
    return good;
}

static bool wait_for_message(int from, const stop_flag *stop)
{
    struct pollfd p = {.fd = from, .events = POLLIN};

    while (*stop == 0) {
        int ready = poll(&p, 1, POLL_MS);

        if (ready > 0 || (ready < 0 && errno != EINTR))
            return true;
    }
    return false;
}

/* Give parts until the helper says how it went. False: it is gone, or a part is not there. */
static bool converse(const struct image_work *w, int with, struct report_message *m, bool *again,
                     char *why, size_t why_cap)
{
    size_t none;

    for (;;) {
        struct part_answer answer;
        int fd;

        if (!wait_for_message(with, w->stop) ||
            !receive_message(with, m, sizeof(*m), NULL, 0, &none))
            return false;
        if (m->part == NO_PART)
            return true;
        fd = w->open_part ? w->open_part(w->ctx, m->part, again, why, why_cap) : -1;
        answer.there = fd >= 0;
        if (!answer.there)
            return false;
        if (!send_message(with, &answer, sizeof(answer), &fd, 1)) {
            close(fd);
            return false;
        }
        close(fd);
    }
}

static bool disk_full(const char *why)
{
    return strstr(why, strerror(ENOSPC)) != NULL || strstr(why, strerror(EDQUOT)) != NULL;
}

bool image_work(const struct image_work *w, struct image_found *found, bool *again, char *why,
                size_t why_cap)
{
    struct report_message *m = calloc(1, sizeof(*m));
    int ends[2], status = 0;
    pid_t pid;
    bool good;

    *again = true;
    why[0] = '\0';
    if (!m || socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, ends) != 0) {
        snprintf(why, why_cap, "There is no memory to look into images.");
        free(m);
        return false;
    }
    pid = start_helper(ends[1], why, why_cap);
    close(ends[1]);
    good = pid > 0 && give_order(w, ends[0]) && converse(w, ends[0], m, again, why, why_cap);
    close(ends[0]);
    if (pid > 0) {
        kill(pid, SIGKILL);
        while (waitpid(pid, &status, 0) < 0 && errno == EINTR)
            ;
    }
    if (good) {
        m->why[sizeof(m->why) - 1] = '\0';
        *found = m->found;
        found->image.kernel[sizeof(found->image.kernel) - 1] = '\0';
        found->image.reason[sizeof(found->image.reason) - 1] = '\0';
        snprintf(why, why_cap, "%s", m->why);
        *again = disk_full(why);
        good = m->good;
    } else if (!why[0]) {
        snprintf(why, why_cap,
                 "The process that looks into images has ended too early; the "
                 "service's log may tell why.");
    }
    free(m);
    return good;
}

/* ---- the helper's side ----------------------------------------------------------------------- */

static const stop_flag never;

/* In a thread, while the fence forks: nothing here takes a lock. */
static int ask_for_part(void *ctx, uint32_t i)
{
    static struct report_message m;
    struct part_answer answer;
    size_t nr = 0;
    int fd = -1;

    (void)ctx;
    m.part = i;
    if (send_message(HELPER_FD, &m, sizeof(m), NULL, 0) &&
        receive_message(HELPER_FD, &answer, sizeof(answer), &fd, 1, &nr) && nr == 1)
        return fd;
    errno = EIO;
    return -1;
}

static bool unpack(const struct order *o, int manifest_fd, int out, char *why, size_t why_cap)
{
    const struct bundle_source from = {.open_part = ask_for_part, .place = o->place};
    const struct bundle_job job = {.stop = &never};
    struct manifest *m = calloc(1, sizeof(*m));
    struct stat st = {0};
    struct arena arena;
    const char *text;
    bool good;

    arena_init(&arena, &host_memory);
    fstat(manifest_fd, &st);
    text = mmap(NULL, (size_t)st.st_size + 1, PROT_READ, MAP_PRIVATE, manifest_fd, 0);
    good = m && text != MAP_FAILED &&
           manifest_read(m, text, (size_t)st.st_size, &arena, why, why_cap) &&
           bundle_unpack(m, &from, &o->key, out, &job, why, why_cap);
    arena_reset(&arena);
    free(m);
    return good;
}

static void look(const struct order *o, const int *fds, struct image_found *found)
{
    struct machine_layer layers[MACHINE_LAYERS_MAX];
    int status;

    if (o->type == MANIFEST_KERNEL) {
        if (!kernel_look(fds[0], o->narrow, &found->image))
            snprintf(found->image.reason, sizeof(found->image.reason),
                     "the kernel could not be looked at; the service's log tells why");
        found->looked = true;
        return;
    }
    for (uint32_t i = 0; i < o->nr_layers; i++)
        layers[i] = (struct machine_layer){.fd = fds[i], .qcow2 = o->qcow2[i]};
    found->looked =
        aki_layers_look(layers, o->nr_layers, aki_arch(o->narrow), &found->image, &status);
    if (!found->looked)
        snprintf(found->image.reason, sizeof(found->image.reason),
                 "it could not be looked at; the service's log tells why");
}

int image_helper(void)
{
    static struct report_message m = {.part = NO_PART};
    struct order o;
    int fds[FILES_MAX];
    size_t nr = 0, first;

    prctl(PR_SET_PDEATHSIG, SIGKILL, 0, 0, 0);
    signal(SIGPIPE, SIG_IGN);
    if (!receive_message(HELPER_FD, &o, sizeof(o), fds, FILES_MAX, &nr)) {
        fputs("pvbootd: --image-helper is for the service itself\n", stderr);
        return EXIT_USAGE;
    }
    first = o.bundle ? 1 : 0;
    if (nr != first + o.nr_layers || o.nr_layers == 0)
        return EXIT_USAGE;
    m.good = !o.bundle || unpack(&o, fds[0], fds[first], m.why, sizeof(m.why));
    OPENSSL_cleanse(&o.key, sizeof(o.key));
    if (m.good && o.type != MANIFEST_RAMDISK)
        look(&o, fds + first, &m.found);
    return send_message(HELPER_FD, &m, sizeof(m), NULL, 0) ? EXIT_OK : EXIT_USAGE;
}
