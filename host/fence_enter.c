/* SPDX-License-Identifier: MIT */
/*
 * What the fence is made of, in the order in which it is put up: descriptors, user, Landlock,
 * limits, and at last seccomp, after which nothing of this could be done any more.
 *
 * Sources: seccomp(2), landlock(7), capabilities(7), prctl(2), the kernel's own
 * Documentation/userspace-api/landlock.rst for what headers of older distributions lack.
 */
#include "host/fence.h"

#include <errno.h>
#include <grp.h>
#include <signal.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <linux/audit.h>
#include <linux/capability.h>
#include <linux/filter.h>
#include <linux/landlock.h>
#include <linux/seccomp.h>

#define NOBODY 65534u

/* A sanitizer's shadow memory is larger than any limit. */
#if defined(__SANITIZE_ADDRESS__)
#define MEMORY_IS_LIMITED false
#elif defined(__has_feature)
#if __has_feature(address_sanitizer)
#define MEMORY_IS_LIMITED false
#endif
#endif
#ifndef MEMORY_IS_LIMITED
#define MEMORY_IS_LIMITED true
#endif

#if defined(__x86_64__)
#define FENCE_ARCH AUDIT_ARCH_X86_64
#elif defined(__i386__)
#define FENCE_ARCH AUDIT_ARCH_I386
#elif defined(__aarch64__)
#define FENCE_ARCH AUDIT_ARCH_AARCH64
#else
#error "fence_enter.c does not know this architecture's system calls: add its AUDIT_ARCH_"
#endif

/* The names that differ. */
#ifdef SYS_mmap2
#define FENCE_MMAP SYS_mmap2
#else
#define FENCE_MMAP SYS_mmap
#endif
#ifdef SYS_fstatat64
#define FENCE_STATAT SYS_fstatat64
#else
#define FENCE_STATAT SYS_newfstatat
#endif

/* ---- descriptors ----------------------------------------------------------------------------- */

static int by_number(const void *a, const void *b)
{
    return *(const int *)a - *(const int *)b;
}

static void close_from_to(unsigned first, unsigned last)
{
    struct rlimit open_max;

    if (first > last || syscall(SYS_close_range, first, last, 0) == 0)
        return;
    /* Before Linux 5.9: one by one. */
    if (getrlimit(RLIMIT_NOFILE, &open_max) == 0 && last > open_max.rlim_cur)
        last = (unsigned)open_max.rlim_cur;
    for (unsigned fd = first; fd <= last; fd++)
        close((int)fd);
}

/* Standard input goes too: nothing behind the fence listens to anybody. */
static void close_the_rest(const struct fence *f)
{
    int keep[FENCE_FILES_MAX];
    unsigned next = STDERR_FILENO + 1;

    memcpy(keep, f->keep, f->nr_keep * sizeof(keep[0]));
    qsort(keep, f->nr_keep, sizeof(keep[0]), by_number);
    close(STDIN_FILENO);
    for (size_t i = 0; i < f->nr_keep; i++) {
        if (keep[i] < (int)next)
            continue;
        if ((unsigned)keep[i] > next)
            close_from_to(next, (unsigned)keep[i] - 1);
        next = (unsigned)keep[i] + 1;
    }
    close_from_to(next, ~0u);
}

/* ---- user and capabilities ------------------------------------------------------------------- */

/*
 * Another user, when started as root. A container may have no other one; then at least the
 * capabilities go, and seccomp is what counts. False: capabilities that cannot be given up.
 */
static bool give_up_privileges(const struct fence *f, char *made, size_t cap)
{
    struct __user_cap_header_struct header = {.version = _LINUX_CAPABILITY_VERSION_3};
    struct __user_cap_data_struct none[2] = {{0}};
    uid_t uid = f->uid != 0 ? f->uid : NOBODY;
    gid_t gid = (gid_t)uid;

    if (geteuid() != 0)
        snprintf(made, cap, "user %u", (unsigned)geteuid());
    else if (setgroups(0, NULL) == 0 && setresgid(gid, gid, gid) == 0 &&
             setresuid(uid, uid, uid) == 0)
        snprintf(made, cap, "user %u", (unsigned)uid);
    else
        snprintf(made, cap, "user 0 without capabilities (there is no other one here)");
    return syscall(SYS_capset, &header, none) == 0;
}

/* ---- Landlock -------------------------------------------------------------------------------- */

#define FS_RIGHTS_ABI1 UINT64_C(0x1fff)
#define FS_REFER       (UINT64_C(1) << 13) /* ABI 2 */
#define FS_TRUNCATE    (UINT64_C(1) << 14) /* ABI 3 */
#define NET_TCP        UINT64_C(3)         /* ABI 4: bind, connect */
#define FS_IOCTL_DEV   (UINT64_C(1) << 15) /* ABI 5 */
#define SCOPES         UINT64_C(3)         /* ABI 6: abstract sockets, signals */

/* struct landlock_ruleset_attr of ABI 6. */
struct ruleset {
    uint64_t fs, net, scoped;
};

/* Forbid everything that this kernel's Landlock knows of. Returns its ABI, 0: it has none. */
static long enter_landlock(void)
{
    struct ruleset r = {.fs = FS_RIGHTS_ABI1};
    long abi = syscall(SYS_landlock_create_ruleset, NULL, 0, LANDLOCK_CREATE_RULESET_VERSION);
    size_t size = abi >= 6 ? sizeof(r) : offsetof(struct ruleset, scoped);

    if (abi < 1)
        return 0;
    if (abi < 4)
        size = offsetof(struct ruleset, net);
    r.fs |=
        (abi >= 2 ? FS_REFER : 0) | (abi >= 3 ? FS_TRUNCATE : 0) | (abi >= 5 ? FS_IOCTL_DEV : 0);
    r.net = abi >= 4 ? NET_TCP : 0;
    r.scoped = abi >= 6 ? SCOPES : 0;
    long fd = syscall(SYS_landlock_create_ruleset, &r, size, 0);

    if (fd < 0)
        return 0;
    long rc = syscall(SYS_landlock_restrict_self, fd, 0);

    close((int)fd);
    return rc == 0 ? abi : 0;
}

/* ---- limits ---------------------------------------------------------------------------------- */

static rlim_t lower(rlim_t now, uint64_t value)
{
    return now != RLIM_INFINITY && now < value ? now : (rlim_t)value;
}

/* Never more than there was. `more`: what the hard limit is above the one that tells its reason. */
static void limit(__rlimit_resource_t what, uint64_t value, uint64_t more)
{
    struct rlimit r = {RLIM_INFINITY, RLIM_INFINITY};

    getrlimit(what, &r);
    r.rlim_cur = lower(r.rlim_cur, value);
    r.rlim_max = lower(r.rlim_max, value + more);
    setrlimit(what, &r);
}

static void set_limits(const struct fence *f)
{
    limit(RLIMIT_CORE, 0, 0); /* what the image made of the memory stays in it */
    limit(RLIMIT_NOFILE, 0, 0);
    limit(RLIMIT_NPROC, 0, 0);
    if (f->memory_bytes != 0 && MEMORY_IS_LIMITED)
        limit(RLIMIT_AS, f->memory_bytes, 0);
    if (f->file_bytes != 0)
        limit(RLIMIT_FSIZE, f->file_bytes, 0);
    if (f->cpu_s != 0)
        limit(RLIMIT_CPU, f->cpu_s, 5);
}

/* ---- seccomp --------------------------------------------------------------------------------- */

/* What reading, unpacking and writing need, and the end of a program. */
static const int allowed[] = {
    SYS_write,
    SYS_writev,
    SYS_close,
    SYS_fstat,
    SYS_munmap,
    SYS_mremap,
    SYS_brk,
    SYS_madvise,
    SYS_futex,
    SYS_exit,
    SYS_exit_group,
    SYS_getpid,
    SYS_gettid,
    SYS_rt_sigaction,
    SYS_rt_sigprocmask,
    SYS_rt_sigreturn,
    SYS_sigaltstack,
    SYS_getrandom,
    SYS_clock_gettime,
    SYS_gettimeofday,
    SYS_restart_syscall,
    SYS_sched_yield,
    SYS_sysinfo,
#ifdef SYS_time
    SYS_time,
#endif
#ifdef SYS_fstat64
    SYS_fstat64,
#endif
#ifdef SYS_clock_gettime64
    SYS_clock_gettime64,
#endif
#ifdef SYS_futex_time64
    SYS_futex_time64,
#endif
};

/* What a library may ask for and can do without: an error, and it goes on. */
static const int answered_no[] = {
    SYS_openat,    FENCE_STATAT, SYS_faccessat, SYS_readlinkat, SYS_statx,
    SYS_ioctl,     SYS_fcntl,    SYS_prctl,     SYS_uname,      SYS_sched_getaffinity,
    SYS_prlimit64,
#ifdef SYS_open
    SYS_open,      SYS_access,   SYS_readlink,  SYS_stat,       SYS_lstat,
#endif
#ifdef SYS_fcntl64
    SYS_fcntl64,
#endif
};

#define FILTER_MAX 256

struct filter {
    struct sock_filter code[FILTER_MAX];
    unsigned short nr;
};

#define DATA(field) ((uint32_t)offsetof(struct seccomp_data, field))
#define ARG_LOW(n)  ((uint32_t)(offsetof(struct seccomp_data, args) + 8 * (n)))
#define NO          (SECCOMP_RET_ERRNO | EACCES)

static void add(struct filter *f, uint16_t code, uint32_t k, uint8_t if_true, uint8_t if_false)
{
    if (f->nr < FILTER_MAX)
        f->code[f->nr++] = (struct sock_filter){code, if_true, if_false, k};
}

static void load(struct filter *f, uint32_t off)
{
    add(f, BPF_LD | BPF_W | BPF_ABS, off, 0, 0);
}

static void ret(struct filter *f, uint32_t action)
{
    add(f, BPF_RET | BPF_K, action, 0, 0);
}

/* The call's number is loaded: if it is nr, the action. */
static void when(struct filter *f, int nr, uint32_t action)
{
    add(f, BPF_JMP | BPF_JEQ | BPF_K, (uint32_t)nr, 0, 1);
    ret(f, action);
}

/* If it is nr: allowed when `test` of an argument's low half against k comes out as wanted. */
static void when_arg(struct filter *f, int nr, unsigned arg, uint16_t test, uint32_t k, bool wanted)
{
    add(f, BPF_JMP | BPF_JEQ | BPF_K, (uint32_t)nr, 0, 4);
    load(f, ARG_LOW(arg));
    add(f, (uint16_t)(BPF_JMP | test | BPF_K), k, wanted ? 0 : 1, wanted ? 1 : 0);
    ret(f, SECCOMP_RET_ALLOW);
    ret(f, SECCOMP_RET_KILL_PROCESS);
}

/* Memory of its own, that is never code. */
static void when_mmap(struct filter *f, int nr)
{
    add(f, BPF_JMP | BPF_JEQ | BPF_K, (uint32_t)nr, 0, 6);
    load(f, ARG_LOW(2));
    add(f, BPF_JMP | BPF_JSET | BPF_K, PROT_EXEC, 3, 0);
    load(f, ARG_LOW(3));
    add(f, BPF_JMP | BPF_JSET | BPF_K, MAP_ANONYMOUS, 0, 1);
    ret(f, SECCOMP_RET_ALLOW);
    ret(f, SECCOMP_RET_KILL_PROCESS);
}

static bool enter_seccomp(void)
{
    struct filter f = {.nr = 0};
    const uint32_t first_own = STDERR_FILENO + 1;

    load(&f, DATA(arch));
    add(&f, BPF_JMP | BPF_JEQ | BPF_K, FENCE_ARCH, 1, 0);
    ret(&f, SECCOMP_RET_KILL_PROCESS);
    load(&f, DATA(nr));
    /* The most frequent one first: reading an image. Never what stands behind stdout. */
    when_arg(&f, SYS_pread64, 0, BPF_JGE, first_own, true);
    when_arg(&f, SYS_read, 0, BPF_JGE, first_own, true);
    for (size_t i = 0; i < sizeof(allowed) / sizeof(allowed[0]); i++)
        when(&f, allowed[i], SECCOMP_RET_ALLOW);
    when_arg(&f, SYS_lseek, 0, BPF_JGE, first_own, true);
    when_arg(&f, SYS_mprotect, 2, BPF_JSET, PROT_EXEC, false);
    when_arg(&f, SYS_tgkill, 0, BPF_JEQ, (uint32_t)getpid(), true); /* abort */
    when_mmap(&f, FENCE_MMAP);
#ifdef SYS__llseek
    when_arg(&f, SYS__llseek, 0, BPF_JGE, first_own, true);
#endif
    for (size_t i = 0; i < sizeof(answered_no) / sizeof(answered_no[0]); i++)
        when(&f, answered_no[i], NO);
    ret(&f, SECCOMP_RET_KILL_PROCESS);

    const struct sock_fprog program = {.len = f.nr, .filter = f.code};

    return f.nr < FILTER_MAX && syscall(SYS_seccomp, SECCOMP_SET_MODE_FILTER, 0, &program) == 0;
}

/* ---- all of it ------------------------------------------------------------------------------- */

bool fence_enter(const struct fence *f, pid_t parent, char *made, size_t made_cap, char *why,
                 size_t why_cap)
{
    char user[80], landlock[64] = "no Landlock in this kernel", memory[64] = "";
    long abi;

    close_the_rest(f);
    if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) < 0 || !give_up_privileges(f, user, sizeof(user))) {
        snprintf(why, why_cap, "privileges could not be given up, so the image is not read: %s",
                 strerror(errno));
        return false;
    }
    /* After the change of user, which takes both back. */
    prctl(PR_SET_PDEATHSIG, SIGKILL, 0, 0, 0);
    prctl(PR_SET_DUMPABLE, 0, 0, 0, 0);
    if (getppid() != parent) { /* it was gone before that was heard */
        snprintf(why, why_cap, "the process that wanted the image read is gone");
        return false;
    }
    abi = enter_landlock();
    if (abi > 0)
        snprintf(landlock, sizeof(landlock), "Landlock (ABI %ld)", abi);
    set_limits(f);
    if (f->memory_bytes != 0 && MEMORY_IS_LIMITED)
        snprintf(memory, sizeof(memory), ", at most %u MiB of memory",
                 (unsigned)(f->memory_bytes >> 20));
    if (!enter_seccomp()) {
        snprintf(
            why, why_cap,
            "this kernel gives no seccomp filter (%s), and without one no image is read; use a "
            "kernel with CONFIG_SECCOMP_FILTER",
            strerror(errno));
        return false;
    }
    snprintf(made, made_cap, "seccomp, %s, %s, no new privileges%s", landlock, user, memory);
    return true;
}
