/* SPDX-License-Identifier: MIT */
/* The fence from its inside: what may be done there, what may not, and how the outside tells it. */
#include <errno.h>
#include <fcntl.h>
#include <grp.h>
#include <sched.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <linux/filter.h>
#include <linux/seccomp.h>

#include "host/fence.h"
#include "tests/unit/test.h"

#define NOBODY 65534

static struct shared {
    volatile pid_t child;
    volatile bool go;
    char status[4096]; /* of /proc, as somebody outside reads it */
    volatile int value;
} * shared;

static char said[2048]; /* what the last run wrote on standard error */

static struct fence_end run(const struct fence *f, int (*work)(void *ctx), void *ctx)
{
    int saved = dup(STDERR_FILENO);
    FILE *to = tmpfile();
    size_t len;

    fflush(stdout);
    dup2(fileno(to), STDERR_FILENO);
    struct fence_end end = fence_run(f, work, ctx);

    dup2(saved, STDERR_FILENO);
    close(saved);
    rewind(to);
    len = fread(said, 1, sizeof(said) - 1, to);
    said[len] = '\0';
    fclose(to);
    return end;
}

static int give(void *ctx)
{
    shared->value = 42;
    return *(int *)ctx;
}

static void passes_on_what_the_work_returns(void)
{
    const struct fence f = {.memory_bytes = FENCE_MEMORY};

    for (int status = 0; status < 8; status += 7) {
        signal(SIGCHLD, status == 0 ? SIG_DFL : SIG_IGN); /* what the caller does with its own */
        shared->value = 0;
        struct fence_end end = run(&f, give, &status);

        CHECK_U64(end.status, status);
        CHECK_U64(end.signal_nr, 0);
        CHECK_U64(shared->value, 42);
        CHECK_STR(said, "");
    }
    signal(SIGCHLD, SIG_DFL);
}

/* ---- what is forbidden ----------------------------------------------------------------------- */

struct call {
    const char *name;
    long nr, args[6];
};

static int make_call(void *ctx)
{
    const struct call *c = ctx;
    long rc =
        syscall(c->nr, c->args[0], c->args[1], c->args[2], c->args[3], c->args[4], c->args[5]);

    shared->value = rc < 0 ? errno : 0;
    return 0;
}

#ifdef SYS_mmap2
#define MMAP SYS_mmap2
#else
#define MMAP SYS_mmap
#endif

/* One try and no more: the process is stopped. */
static void stops_who_reaches_over_it(void)
{
    static const char program[] = "/bin/true";
    const struct fence f = {.memory_bytes = FENCE_MEMORY};
    static char *const argv[] = {NULL};
    void *page = mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    const long rx = PROT_READ | PROT_EXEC, mine = MAP_PRIVATE | MAP_ANONYMOUS;
    const struct call calls[] = {
        {"socket", SYS_socket, {2, 1, 0}},
        {"connect", SYS_connect, {3, (long)page, 16}},
        {"execve", SYS_execve, {(long)program, (long)argv, (long)argv}},
        {"execveat", SYS_execveat, {0, (long)program, (long)argv, (long)argv, 0}},
        {"clone", SYS_clone, {SIGCHLD}},
        {"ptrace", SYS_ptrace, {16, getpid()}},
        {"kill", SYS_kill, {getpid(), SIGTERM}},
        {"tgkill of another process", SYS_tgkill, {getpid(), getpid(), SIGTERM}},
        {"openat2", SYS_openat2, {-100, (long)program, (long)page, 24}},
        {"creat", SYS_creat, {(long)"/tmp/pvboot-fence", 0600}},
        {"unlink", SYS_unlink, {(long)"/tmp/pvboot-fence"}},
        {"setuid", SYS_setuid, {0}},
        {"prlimit of the past", SYS_setrlimit, {7, (long)page}},
        {"io_uring_setup", SYS_io_uring_setup, {1, (long)page}},
        {"process_vm_readv", SYS_process_vm_readv, {getpid(), (long)page, 1, (long)page, 1, 0}},
        {"memory that is code", MMAP, {0, 4096, rx, mine, -1, 0}},
        {"a file as memory", MMAP, {0, 4096, PROT_READ, MAP_PRIVATE, 3, 0}},
        {"memory made code", SYS_mprotect, {(long)page, 4096, rx}},
        {"reading what is behind stdout", SYS_pread64, {1, (long)page, 1, 0}},
        {"going back on stdout", SYS_lseek, {1, 0, SEEK_SET}},
        {"reading standard input", SYS_read, {0, (long)page, 1}},
        {"reading a pipe behind stdout", SYS_read, {1, (long)page, 1}},
    };

    for (size_t i = 0; i < sizeof(calls) / sizeof(calls[0]); i++) {
        struct call c = calls[i];

        shared->value = -1;
        struct fence_end end = run(&f, make_call, &c);

        if (shared->value != -1 || end.status != FENCE_FAILED || end.signal_nr != 0) {
            printf("%s: value %d, status %d, signal %d\n", c.name, shared->value, end.status,
                   end.signal_nr);
            CHECK(false);
        }
        CHECK(strstr(said, "tried a system call that its fence forbids") != NULL);
    }
    munmap(page, 4096);
}

/* Libraries ask for these by habit. */
static void refuses_to_open(void)
{
    const struct fence f = {.memory_bytes = FENCE_MEMORY};
    const long name = (long)"/etc/passwd";
    const struct call calls[] = {
        {"openat", SYS_openat, {-100, name, O_RDONLY}},
        {"open", SYS_open, {name, O_RDONLY}},
        {"openat to write",
         SYS_openat,
         {-100, (long)"/tmp/pvboot-fence", O_CREAT | O_WRONLY, 0600}},
        {"readlinkat", SYS_readlinkat, {-100, (long)"/proc/self/exe", (long)said, 10}},
        {"statx", SYS_statx, {-100, name, 0, 0, 0}},
        {"ioctl", SYS_ioctl, {1, 0x5412, name}}, /* TIOCSTI: type for whoever is at the terminal */
        {"fcntl", SYS_fcntl, {1, F_DUPFD, 5}},
    };

    for (size_t i = 0; i < sizeof(calls) / sizeof(calls[0]); i++) {
        struct call c = calls[i];

        shared->value = -1;
        struct fence_end end = run(&f, make_call, &c);

        if (shared->value != EACCES || end.status != 0)
            printf("%s: errno %d, status %d\n", c.name, shared->value, end.status);
        CHECK(shared->value == EACCES && end.status == 0);
    }
    CHECK(access("/tmp/pvboot-fence", F_OK) < 0);
}

/* ---- what it has ----------------------------------------------------------------------------- */

static int look_at_files(void *ctx)
{
    const int *fds = ctx;
    char c = 0;
    int bad = 0;

    bad += pread(fds[1], &c, 1, 4095) != 1 || c != 'x' ? 1 : 0;
    bad += lseek(fds[1], 0, SEEK_END) != 4096 ? 2 : 0;
    bad += pread(fds[0], &c, 1, 0) != -1 || errno != EBADF ? 4 : 0;
    bad += pread(fds[2], &c, 1, 0) != -1 || errno != EBADF ? 8 : 0;
    return bad;
}

static void leaves_only_the_files_that_are_named(void)
{
    struct fence f = {.memory_bytes = FENCE_MEMORY};
    char bytes[4096];
    int fds[3];

    memset(bytes, 'x', sizeof(bytes));
    for (size_t i = 0; i < 3; i++) {
        fds[i] = memfd_create("image", 0);
        CHECK(write(fds[i], bytes, sizeof(bytes)) == (ssize_t)sizeof(bytes));
    }
    f.keep[f.nr_keep++] = fds[1];
    CHECK_U64(run(&f, look_at_files, fds).status, 0);
    for (size_t i = 0; i < 3; i++)
        close(fds[i]);
}

static int wait_there(void *ctx)
{
    (void)ctx;
    shared->child = getpid();
    while (!shared->go)
        sched_yield();
    return 0;
}

/* Another process looks at the child, then does what it is told to this one. */
static pid_t start_watcher(int signal_nr)
{
    pid_t parent = getpid();

    shared->child = 0;
    shared->go = false;
    fflush(stdout);
    pid_t watcher = fork();

    if (watcher != 0)
        return watcher;
    char name[64];

    while (shared->child == 0)
        usleep(1000);
    snprintf(name, sizeof(name), "/proc/%d/status", (int)shared->child);
    int fd = open(name, O_RDONLY);
    ssize_t got = fd < 0 ? 0 : read(fd, shared->status, sizeof(shared->status) - 1);

    shared->status[got > 0 ? got : 0] = '\0';
    if (signal_nr != 0)
        kill(parent, signal_nr);
    else
        shared->go = true;
    _exit(0);
}

static void has_no_privileges(void)
{
    const struct fence f = {.memory_bytes = FENCE_MEMORY, .verbose = true};
    uid_t uid = getuid() != 0 ? getuid() : NOBODY;
    char line[64];
    pid_t watcher = start_watcher(0);

    CHECK_U64(run(&f, wait_there, NULL).status, 0);
    waitpid(watcher, NULL, 0);
    CHECK(strstr(shared->status, "\nSeccomp:\t2\n") != NULL);
    CHECK(strstr(shared->status, "\nNoNewPrivs:\t1\n") != NULL);
    CHECK(strstr(shared->status, "\nCapEff:\t0000000000000000\n") != NULL);
    CHECK(strstr(shared->status, "\nCapPrm:\t0000000000000000\n") != NULL);
    snprintf(line, sizeof(line), "\nUid:\t%u\t%u\t%u\t%u\n", (unsigned)uid, (unsigned)uid,
             (unsigned)uid, (unsigned)uid);
    CHECK(strstr(shared->status, line) != NULL);
    CHECK(strstr(said, "pvboot: the image is read behind a fence: seccomp, ") == said);
}

static void ends_with_its_parent_s_signal(void)
{
    const struct fence f = {.memory_bytes = FENCE_MEMORY};
    pid_t watcher = start_watcher(SIGTERM);
    struct fence_end end = run(&f, wait_there, NULL);

    waitpid(watcher, NULL, 0);
    CHECK_U64(end.signal_nr, SIGTERM);
    CHECK(kill(shared->child, 0) < 0 && errno == ESRCH);
    CHECK_STR(said, "");
}

/* ---- how it ends ----------------------------------------------------------------------------- */

static int die(void *ctx)
{
    signal(*(int *)ctx, SIG_DFL);
    raise(*(int *)ctx);
    return 0;
}

static void tells_of_a_crash(void)
{
    static const int signals[] = {SIGSEGV, SIGBUS, SIGABRT, SIGFPE, SIGILL};
    const struct fence f = {.memory_bytes = FENCE_MEMORY};

    for (size_t i = 0; i < sizeof(signals) / sizeof(signals[0]); i++) {
        int nr = signals[i];
        struct fence_end end = run(&f, die, &nr);

        CHECK_U64(end.status, FENCE_FAILED);
        CHECK_U64(end.signal_nr, 0);
        CHECK(strstr(said, "pvboot: the process that reads the image crashed (") == said);
        CHECK(strchr(said, '\n') == said + strlen(said) - 1);
    }
    int nr = SIGPIPE;

    CHECK_U64(run(&f, die, &nr).signal_nr, SIGPIPE);
    CHECK_STR(said, "");
}

static int spin(void *ctx)
{
    (void)ctx;
    while (!shared->go || shared->value >= 0)
        shared->value = 1;
    return 0;
}

static int write_much(void *ctx)
{
    static const char bytes[4096];

    for (int i = 0; i < 8; i++) {
        if (write(*(int *)ctx, bytes, sizeof(bytes)) < 0)
            return 1;
    }
    return 0;
}

static int allocate(void *ctx)
{
    (void)ctx;
    char *p = malloc((size_t)1 << 30);
    bool got = p != NULL;

    free(p);
    return got ? 1 : 0;
}

static void keeps_to_its_limits(void)
{
    struct fence f = {.cpu_s = 1, .file_bytes = 8192};
    int fd = fileno(tmpfile());

    CHECK_U64(run(&f, spin, NULL).status, FENCE_FAILED);
    CHECK(strstr(said, "took more than 1 s of processor time") != NULL);
    f.keep[f.nr_keep++] = fd;
    CHECK_U64(run(&f, write_much, &fd).status, FENCE_FAILED);
    CHECK(strstr(said, "larger than a file may be") != NULL);
    CHECK_U64(lseek(fd, 0, SEEK_END), 8192);
    f.memory_bytes = (uint64_t)256 << 20; /* a sanitizer's build goes without this limit */
    int status = run(&f, allocate, NULL).status;
#if defined(__SANITIZE_ADDRESS__)
    CHECK(status <= 1);
#else
    CHECK_U64(status, 0);
#endif
}

/* A kernel without seccomp, as far as this process can tell. */
static void reads_nothing_without_seccomp(void)
{
    struct sock_filter code[] = {
        {BPF_LD | BPF_W | BPF_ABS, 0, 0, 0},
        {BPF_JMP | BPF_JEQ | BPF_K, 0, 1, SYS_seccomp},
        {BPF_RET | BPF_K, 0, 0, SECCOMP_RET_ERRNO | ENOSYS},
        {BPF_RET | BPF_K, 0, 0, SECCOMP_RET_ALLOW},
    };
    const struct sock_fprog program = {.len = 4, .filter = code};
    const struct fence f = {.memory_bytes = FENCE_MEMORY};
    int zero = 0, wait_status;

    fflush(stdout);
    pid_t pid = fork();

    if (pid == 0) {
        shared->value = 0;
        prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0);
        prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &program, 0, 0);
        CHECK_U64(run(&f, give, &zero).status, FENCE_FAILED);
        CHECK(strstr(said, "this kernel gives no seccomp filter") != NULL);
        CHECK_U64(shared->value, 0);
        fflush(stdout);
        _exit(test_bad_checks_ == 0 ? 0 : 1);
    }
    waitpid(pid, &wait_status, 0);
    CHECK_U64(wait_status, 0);
}

static void run_all(void)
{
    RUN(passes_on_what_the_work_returns);
    RUN(stops_who_reaches_over_it);
    RUN(refuses_to_open);
    RUN(leaves_only_the_files_that_are_named);
    RUN(has_no_privileges);
    RUN(ends_with_its_parent_s_signal);
    RUN(tells_of_a_crash);
    RUN(keeps_to_its_limits);
    RUN(reads_nothing_without_seccomp);
}

/* All of it again as somebody who has no rights to give up. */
static void works_for_an_ordinary_user(void)
{
    int wait_status;

    fflush(stdout);
    pid_t pid = fork();

    if (pid == 0) {
        if (getuid() == 0 && (setgroups(0, NULL) < 0 || setgid(1) < 0 || setuid(1) < 0))
            _exit(1);
        run_all();
        fflush(stdout);
        _exit(test_failed_ == 0 ? 0 : 1);
    }
    waitpid(pid, &wait_status, 0);
    CHECK_U64(wait_status, 0);
}

int main(void)
{
    shared = fence_share(sizeof(*shared));
    if (shared == NULL)
        return 1;
    run_all();
    RUN(works_for_an_ordinary_user);
    return test_done();
}
