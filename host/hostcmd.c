/* SPDX-License-Identifier: MIT */
/*
 * `pvboot host`: the embedded Xen host under the control of another program (tests, benchmarks)
 * or of a curious person. Commands come in on standard input, a line each; JSON objects go out
 * on standard output, a line each. A word may be quoted: "a \"b\" \\ \n". The commands:
 *
 *   drive NAME path=FILE [format=raw|qcow2] [write] [readonly] [sector=4096] [fail=SECTOR]...
 *   undrive NAME
 *   file NAME path=FILE                  a kernel or ramdisk for `create`
 *   create NAME kernel=FILE [ramdisk=FILE] [extra=TEXT] [memory=MIB] [maxmem=MIB] [vcpus=N]
 *          [disk=DRIVE,VDEV[,r][,cdrom][,loop|,qdisk]]... [keep]
 *                                       an empty DRIVE is an empty CD drive
 *   unpause NAME | destroy NAME | save NAME | restore NAME
 *   input NAME TEXT
 *   sh LINE                              in dom0
 *   quit
 *
 * Every line gets one {"event":"reply","id":N,"ok":BOOL,...}, N counting the lines from 1.
 */
#include "host/cmd.h"
#include "host/run.h"
#include "host/xenhost/buf.h"
#include "host/xenhost/xenhost.h"

#include <errno.h>
#include <fcntl.h>
#include <getopt.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define MAX_WORDS        64
#define DISKS_MAX        24
#define SHELL_LIMIT_MS   60000
#define HOST_MEMORY_MIB  1024 /* for guests, unless told */
#define GUEST_MEMORY_MIB 256

struct session {
    struct xenhost *h;
    struct buf in;
    bool eof;
    bool log;
    unsigned id;
    size_t nr_words;
    char *word[MAX_WORDS];
};

static double seconds(uint64_t ns)
{
    return (double)ns / 1e9;
}

static void emit(struct buf *b)
{
    buf_puts(b, "}\n");
    fwrite(b->text, 1, b->len, stdout);
    fflush(stdout);
    buf_free(b);
}

static struct buf begin(const char *event, uint64_t time_ns)
{
    struct buf b = {0};

    buf_printf(&b, "{\"event\":\"%s\",\"t\":%.6f", event, seconds(time_ns));
    return b;
}

static void text_field(struct buf *b, const char *key, const void *bytes, size_t len)
{
    buf_printf(b, ",\"%s\":", key);
    buf_json(b, bytes, len);
}

static void on_log(void *ctx, const char *line, size_t len)
{
    const struct session *s = ctx;
    struct buf b;

    if (!s->log)
        return;
    b = begin("log", xh_now_ns());
    text_field(&b, "line", line, len);
    emit(&b);
}

static void on_console(void *ctx, const char *guest, const void *bytes, size_t len,
                       uint64_t time_ns)
{
    struct buf b = begin("console", time_ns);

    (void)ctx;
    text_field(&b, "guest", guest, strlen(guest));
    text_field(&b, "data", bytes, len);
    emit(&b);
}

static void on_event(void *ctx, const struct xh_event *ev)
{
    static const char *const name[] = {"creating", "unpausing", "shutdown",
                                       "dump",     "ended",     "trouble"};
    struct buf b = begin(name[ev->kind], ev->time_ns);

    (void)ctx;
    text_field(&b, "guest", ev->guest, strlen(ev->guest));
    if (ev->kind == XH_EV_SHUTDOWN) {
        const char *reason = xh_reason_name(ev->reason);

        text_field(&b, "reason", reason, strlen(reason));
        buf_printf(&b, ",\"code\":%u", ev->reason);
    }
    if (ev->kind == XH_EV_DUMP || ev->kind == XH_EV_TROUBLE)
        text_field(&b, "text", ev->text, strlen(ev->text));
    else
        buf_printf(&b, ",\"uptime\":%.2f", ev->uptime_s);
    emit(&b);
}

static void on_stdin(void *ctx)
{
    struct session *s = ctx;
    char bytes[65536];
    ssize_t n = read(STDIN_FILENO, bytes, sizeof(bytes));

    if (n > 0) {
        buf_add(&s->in, bytes, (size_t)n);
    } else if (n == 0 || (errno != EINTR && errno != EAGAIN)) {
        s->eof = true;
        xh_unwatch_fd(s->h, STDIN_FILENO);
    }
}

/* Splits a line into words, in place. */
static bool split(struct session *s, char *p)
{
    char *to = p;

    s->nr_words = 0;
    for (;;) {
        bool quoted = false;

        while (*p == ' ' || *p == '\t')
            p++;
        if (!*p)
            return true;
        if (s->nr_words == MAX_WORDS)
            return false;
        to = p;
        s->word[s->nr_words++] = to;
        for (; *p && (quoted || (*p != ' ' && *p != '\t')); p++) {
            if (*p == '"') {
                quoted = !quoted;
            } else if (*p == '\\' && quoted && p[1]) {
                p++;
                *to++ = *p == 'n' ? '\n' : *p == 'r' ? '\r' : *p == 't' ? '\t' : *p;
            } else {
                *to++ = *p;
            }
        }
        if (quoted)
            return false;
        if (*p)
            p++;
        *to = 0;
    }
}

/* The value of `key=` among the words from the third on; NULL when there is none. */
static const char *value(const struct session *s, const char *key, size_t *from)
{
    size_t len = strlen(key);

    for (size_t i = from ? *from : 2; i < s->nr_words; i++) {
        if (strncmp(s->word[i], key, len) != 0 || s->word[i][len] != '=')
            continue;
        if (from)
            *from = i + 1;
        return s->word[i] + len + 1;
    }
    return NULL;
}

static bool flag(const struct session *s, const char *name)
{
    for (size_t i = 2; i < s->nr_words; i++)
        if (strcmp(s->word[i], name) == 0)
            return true;
    return false;
}

static bool number(const struct session *s, const char *key, unsigned *out)
{
    const char *text = value(s, key, NULL);

    return !text || parse_number(key, text, 0, 1u << 30, out);
}

static const char *do_drive(struct session *s, enum xh_result *res)
{
    struct xh_drive d = {.name = s->word[1], .path = value(s, "path", NULL)};
    const char *format = value(s, "format", NULL), *text;
    size_t from = 2;

    if (!d.path)
        return "which file? path=FILE is missing";
    if (access(d.path, R_OK) < 0)
        return "the file cannot be read";
    if (format && strcmp(format, "raw") != 0 && strcmp(format, "qcow2") != 0)
        return "format is raw or qcow2";
    d.format = format && strcmp(format, "qcow2") == 0 ? XH_QCOW2 : XH_RAW;
    d.write = flag(s, "write");
    d.readonly = flag(s, "readonly");
    if (!number(s, "sector", &d.sector_size))
        return "sector is 512 or 4096";
    while ((text = value(s, "fail", &from)) != NULL) {
        if (d.nr_failing == XH_MAX_FAILING)
            return "too many failing sectors";
        d.failing[d.nr_failing++] = strtoull(text, NULL, 10);
    }
    *res = xh_add_drive(s->h, &d);
    return NULL;
}

static const char *do_file(struct session *s, enum xh_result *res)
{
    const char *path = value(s, "path", NULL);

    if (!path)
        return "which file? path=FILE is missing";
    *res = xh_put_file(s->h, s->word[1], path);
    return NULL;
}

#define DISK_SYNTAX "DRIVE,VDEV[,r][,cdrom][,loop|,qdisk]"

static bool parse_disk(char *text, struct xh_disk *d)
{
    char *drive = strsep(&text, ","), *vdev = strsep(&text, ","), *word;

    if (!vdev)
        return false;
    *d = (struct xh_disk){.drive = *drive ? drive : NULL, .vdev = vdev};
    while ((word = strsep(&text, ",")) != NULL) {
        if (strcmp(word, "r") == 0)
            d->readonly = true;
        else if (strcmp(word, "cdrom") == 0)
            d->cdrom = true;
        else if (strcmp(word, "loop") == 0)
            d->backend = XH_LOOP;
        else if (strcmp(word, "qdisk") == 0)
            d->backend = XH_QDISK;
        else
            return false;
    }
    return true;
}

static const char *do_create(struct session *s, enum xh_result *res)
{
    struct xh_disk disk[DISKS_MAX];
    struct xh_guest_config cfg = {
        .name = s->word[1],
        .kernel = value(s, "kernel", NULL),
        .ramdisk = value(s, "ramdisk", NULL),
        .extra = value(s, "extra", NULL),
        .memory_mib = GUEST_MEMORY_MIB,
        .vcpus = 1,
        .disks = disk,
        .keep = flag(s, "keep"),
    };
    const char *text;
    size_t from = 2;

    if (!cfg.kernel)
        return "which kernel? kernel=FILE is missing";
    if (!number(s, "memory", &cfg.memory_mib) || !number(s, "maxmem", &cfg.maxmem_mib) ||
        !number(s, "vcpus", &cfg.vcpus))
        return "a number is expected";
    while ((text = value(s, "disk", &from)) != NULL) {
        if (cfg.nr_disks == DISKS_MAX || !parse_disk((char *)text, &disk[cfg.nr_disks++]))
            return "disk is " DISK_SYNTAX;
    }
    *res = xh_create(s->h, &cfg);
    return NULL;
}

static const char *do_unpause(struct session *s, enum xh_result *res)
{
    *res = xh_unpause(s->h, s->word[1], NULL);
    return NULL;
}

static const char *do_destroy(struct session *s, enum xh_result *res)
{
    *res = xh_destroy(s->h, s->word[1]);
    return NULL;
}

static const char *do_save(struct session *s, enum xh_result *res)
{
    *res = xh_save(s->h, s->word[1]);
    return NULL;
}

static const char *do_restore(struct session *s, enum xh_result *res)
{
    *res = xh_restore(s->h, s->word[1]);
    return NULL;
}

static const char *do_undrive(struct session *s, enum xh_result *res)
{
    *res = xh_remove_drive(s->h, s->word[1]);
    return NULL;
}

static const char *do_input(struct session *s, enum xh_result *res)
{
    if (s->nr_words != 3)
        return "input takes a guest and one (quoted) text";
    *res = xh_input(s->h, s->word[1], s->word[2], strlen(s->word[2]));
    return NULL;
}

static const struct host_command {
    const char *name;
    const char *(*run)(struct session *s, enum xh_result *res);
} commands[] = {
    {"drive", do_drive},   {"undrive", do_undrive}, {"file", do_file},
    {"create", do_create}, {"unpause", do_unpause}, {"destroy", do_destroy},
    {"save", do_save},     {"restore", do_restore}, {"input", do_input},
};

/* Runs one line; NULL or the sentence that refuses it. */
static const char *execute(struct session *s, enum xh_result *res)
{
    if (s->nr_words < 2)
        return "a command and at least one argument are expected";
    if (strcmp(s->word[0], "sh") == 0) {
        *res = xh_shell(s->h, s->word[1], SHELL_LIMIT_MS);
        return NULL;
    }
    for (size_t i = 0; i < sizeof(commands) / sizeof(commands[0]); i++)
        if (strcmp(s->word[0], commands[i].name) == 0)
            return commands[i].run(s, res);
    return "there is no such command";
}

/* Returns false when the session is over. */
static bool one_line(struct session *s, char *line, int *status)
{
    enum xh_result res = XH_OK;
    const char *refused;
    struct buf b;

    if (!split(s, line))
        refused = "the line has an open quote or too many words";
    else if (s->nr_words == 0)
        return true;
    else if (strcmp(s->word[0], "quit") == 0)
        return false;
    else
        refused = execute(s, &res);
    s->id++;
    if (refused || res != XH_OK) {
        const char *why = refused ? refused : xh_error(s->h);

        b = begin("reply", xh_now_ns());
        buf_printf(&b, ",\"id\":%u,\"ok\":false", s->id);
        text_field(&b, "error", why, strlen(why));
    } else {
        b = begin("reply", xh_now_ns());
        buf_printf(&b, ",\"id\":%u,\"ok\":true", s->id);
    }
    if (!refused && *xh_output(s->h))
        text_field(&b, "out", xh_output(s->h), strlen(xh_output(s->h)));
    emit(&b);
    if (res == XH_DEAD)
        *status = EXIT_HOST_FAILED;
    return res != XH_DEAD && res != XH_CANCELLED;
}

static int serve(struct session *s)
{
    struct buf line = {0};
    int status = EXIT_OK;
    enum xh_result res;

    for (;;) {
        bool more = true;

        while (more && buf_line(&s->in, &line))
            more = one_line(s, line.text, &status);
        if (!more || s->eof)
            break;
        res = xh_step(s->h, -1);
        if (res != XH_OK && res != XH_CANCELLED) {
            usage_error("%s", xh_error(s->h));
            status = EXIT_HOST_FAILED;
            break;
        }
    }
    buf_free(&line);
    return status;
}

static int host_help(int status)
{
    fputs("usage: pvboot host [--memory MIB] [--xen FILE] [--no-kvm] [--log]\n\n"
          "Starts the embedded Xen host; takes commands on standard input and prints events on\n"
          "standard output, one JSON object a line. MIB is what all guests may use together.\n"
          "--xen runs another Xen, as an unpacked file. --log adds the host's own log. Commands, a "
          "line each (a word may be \"quoted\"):\n\n"
          "  drive NAME path=FILE [format=raw|qcow2] [write] [readonly] [sector=4096]\n"
          "        [fail=SECTOR]...\n"
          "  undrive NAME\n"
          "  file NAME path=FILE\n"
          "  create NAME kernel=FILE [ramdisk=FILE] [extra=TEXT] [memory=MIB] [maxmem=MIB]\n"
          "         [vcpus=N] [disk=" DISK_SYNTAX "]... [keep]\n"
          "  unpause NAME | destroy NAME | save NAME | restore NAME\n"
          "  input NAME TEXT\n"
          "  sh LINE\n"
          "  quit\n",
          status == EXIT_OK ? stdout : stderr);
    return flush_stdout() ? status : EXIT_USAGE;
}

int cmd_host(int argc, char **argv)
{
    enum { OPT_MEMORY = 1, OPT_XEN, OPT_NO_KVM, OPT_LOG, OPT_HELP };
    static const struct option options[] = {
        {"memory", required_argument, NULL, OPT_MEMORY}, {"xen", required_argument, NULL, OPT_XEN},
        {"no-kvm", no_argument, NULL, OPT_NO_KVM},       {"log", no_argument, NULL, OPT_LOG},
        {"help", no_argument, NULL, OPT_HELP},           {NULL, 0, NULL, 0},
    };
    struct session s = {.h = NULL};
    struct xh_options opt = {
        .guest_memory_mib = HOST_MEMORY_MIB,
        .cb = {.log = on_log, .console = on_console, .event = on_event, .ctx = &s},
    };
    enum xh_result res;
    int c, status;
    struct buf b;

    opterr = 0;
    while ((c = getopt_long(argc, argv, ":h", options, NULL)) != -1) {
        if (c == '?' || c == ':')
            return bad_option("host", c, argv);
        if (c == OPT_HELP || c == 'h')
            return host_help(EXIT_OK);
        if (c == OPT_MEMORY && !parse_number("--memory (MiB)", optarg, XH_MIN_MEMORY_MIB,
                                             XH_MAX_MEMORY_MIB, &opt.guest_memory_mib))
            return EXIT_USAGE;
        if (c == OPT_XEN && !xen_file_ok(optarg))
            return EXIT_USAGE;
        opt.xen = c == OPT_XEN ? optarg : opt.xen;
        opt.no_kvm = opt.no_kvm || c == OPT_NO_KVM;
        s.log = s.log || c == OPT_LOG;
    }
    if (optind != argc)
        return host_help(EXIT_USAGE);
    signal(SIGPIPE, SIG_IGN);
    buf_clear(&s.in);
    s.h = xh_new(&opt);
    res = xh_prepare(s.h);
    if (res == XH_OK)
        res = xh_start(s.h, &opt);
    if (res != XH_OK) {
        usage_error("%s", xh_error(s.h));
        xh_stop(s.h);
        return EXIT_HOST_FAILED;
    }
    b = begin("ready", xh_now_ns());
    text_field(&b, "accel", xh_accel(s.h), strlen(xh_accel(s.h)));
    text_field(&b, "host", xh_folder(s.h), strlen(xh_folder(s.h)));
    buf_printf(&b, ",\"uptime\":%.2f", xh_ready_uptime(s.h));
    emit(&b);
    xh_watch_fd(s.h, STDIN_FILENO, on_stdin, &s);
    status = serve(&s);
    xh_stop(s.h);
    buf_free(&s.in);
    return status;
}
