/* SPDX-License-Identifier: MIT */
/*
 * The boot story. Everything that needs a hypervisor is behind platform.h; everything that needs
 * only bytes is in core/.
 */
#include <string.h>

#include "core/menu/chain.h"
#include "guest/libc/constructors.h"
#include "guest/platform.h"
#include "guest/print.h"

#ifndef PVBOOT_HD00
#define PVBOOT_HD00 false
#endif

_Noreturn void guest_start(const void *start);

static void log_to_console(void *ctx, const char *line)
{
    (void)ctx;
    print_str("pvboot: ");
    print_line(line);
}

static const struct log console_log = {.line = log_to_console};

static void banner(void)
{
    char line[160];
    struct text t = text_on(line, sizeof(line));

    text_str(&t, "pvboot " PVBOOT_VERSION " on ");
    platform_describe(&t);
    print_line(line);
}

/* The disk becomes hdN; say what it is. */
static struct err add_disk(void *ctx, struct disk *d)
{
    struct vols *vols = ctx;
    char line[160];
    struct text t = text_on(line, sizeof(line));

    text_str(&t, "(hd");
    text_u64(&t, vols_nr_disks(vols));
    text_str(&t, ") = ");
    disk_describe(d, &t);
    log_line(&console_log, line);
    return vols_add_disk(vols, d);
}

/*
 * The menu's path, when the command line gives one: a word that begins with ( or /. Anything else
 * there is not for us; EC2 passes "root=/dev/sda1 ro 4".
 */
static const char *menu_argument(struct arena *a)
{
    const char *p = platform_cmdline();

    while (*p != '\0') {
        size_t len = strcspn(p, " \t");

        if (*p == '(' || *p == '/')
            return arena_strndup(a, p, len);
        p += len;
        p += strspn(p, " \t");
    }
    return NULL;
}

/* Does the command line hold this word? */
static bool cmdline_has(const char *word)
{
    size_t len = strlen(word);

    for (const char *p = platform_cmdline(); *p != '\0';) {
        size_t n = strcspn(p, " \t");

        if (n == len && memcmp(p, word, len) == 0)
            return true;
        p += n;
        p += strspn(p, " \t");
    }
    return false;
}

static void put(void *ctx, const char *s, size_t len)
{
    (void)ctx;
    platform_put(s, len);
}

static int get(void *ctx, uint32_t timeout_ms)
{
    (void)ctx;
    return platform_get(timeout_ms);
}

static struct err boot(void *ctx, struct boot_request *req, char *subject, size_t subject_cap)
{
    (void)ctx;
    return platform_boot(req, &console_log, subject, subject_cap);
}

static struct err power(void *ctx, enum session_power how)
{
    (void)ctx;
    platform_power(how);
}

static void memory_size(void *ctx, uint64_t *total_bytes, uint64_t *free_bytes)
{
    (void)ctx;
    platform_memory_size(total_bytes, free_bytes);
}

static uint64_t seed(void *ctx)
{
    (void)ctx;
    return platform_seed();
}

static void show_error(struct err e, const char *subject)
{
    char line[512];

    err_format(e, subject, line, sizeof(line));
    print_line(line);
}

static void show_failure(struct err e)
{
    char line[128];
    struct text t = text_on(line, sizeof(line));

    session_failure_line(&t, e, UINT32_MAX, 0, "");
    print_line(line);
}

_Noreturn void guest_start(const void *start)
{
    static struct arena arena;
    struct vols *vols;
    struct err e;

    platform_init(start);
    run_constructors();
    banner();
    arena_init(&arena, platform_memory());

    e = vols_new(&vols, &arena, &console_log);
    if (!failed(e))
        e = platform_disks(&arena, &console_log, add_disk, vols);
    if (failed(e)) {
        show_error(e, "the disks");
        show_failure(e);
    } else {
        struct session_env env = {
            .vols = vols,
            .log = &console_log,
            .memory = platform_memory(),
            .put = put,
            .get = get,
            .boot = boot,
            .power = power,
            .memory_size = memory_size,
            .seed = seed,
            .menu_arg = menu_argument(&arena),
            .arch = platform_arch(),
            .cmdline = platform_cmdline(),
            .chained = cmdline_has(CHAIN_MARK),
            .hd00 = PVBOOT_HD00,
            .heading = "pvboot " PVBOOT_VERSION,
        };

        /* Comes back only when nothing can be booted and nobody is there; it has said why. */
        (void)session_run(&env);
    }
    platform_give_up();
}
