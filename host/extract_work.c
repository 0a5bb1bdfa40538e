/* SPDX-License-Identifier: MIT */
/*
 * Behind the fence: what the guest would boot, by the guest's own steps: the menu, the default
 * entry, the fallback list; an entry counts when its kernel can be loaded and all its files can be
 * read to their end.
 */
#include "host/extract.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "core/base/bytes.h"
#include "core/base/text.h"
#include "core/menu/commands.h"
#include "core/menu/locate.h"
#include "core/menu/menu.h"
#include "core/unpack/unpack.h"
#include "host/inspect.h"

#define CACHE_BLOCKS 1024
#define INITRD_ALIGN 4096 /* where the guest puts the next one, with zeros before it */
#define PIECE_BYTES  ((size_t)1 << 20)
#define SUBJECT_MAX  1024
#define LINE_BYTES   2048

/* ---- words ----------------------------------------------------------------------------------- */

static void say_line(void *ctx, const char *text)
{
    char shown[4 * LINE_BYTES];
    struct text t = text_on(shown, sizeof(shown));

    (void)ctx;
    text_name(&t, text, strlen(text));
    fprintf(stderr, "pvboot: %s\n", shown);
}

/* For what only --verbose tells. */
static struct log chatter(const struct extract_job *job)
{
    return (struct log){.line = job->o.verbose ? say_line : NULL};
}

/* ---- writing --------------------------------------------------------------------------------- */

struct sink {
    struct extract_output *out;
    uint64_t nr_bytes, max_bytes;
};

/* From the start: an entry that failed may have left something. */
static struct err sink_open(struct sink *s, struct extract_job *job, enum extract_file which,
                            uint64_t max_bytes)
{
    *s = (struct sink){.out = &job->out[which], .max_bytes = max_bytes};
    job->result->file_bytes[which] = 0;
    if (s->out->fd >= 0 && lseek(s->out->fd, 0, SEEK_SET) != 0)
        return ERR1(ERR_WRITE, "errno %a", errno);
    return OK;
}

static struct err sink_put(struct sink *s, const void *data, uint64_t len)
{
    const uint8_t *p = data;

    if (len > s->max_bytes - s->nr_bytes)
        return ERR1(ERR_WONT_FIT, "more than %a bytes", s->max_bytes);
    s->nr_bytes += len;
    while (len > 0 && s->out->fd >= 0) {
        ssize_t n = write(s->out->fd, p, (size_t)len);

        if (n < 0 && errno == EINTR)
            continue;
        if (n <= 0)
            return ERR1(ERR_WRITE, "errno %a", n < 0 ? errno : EIO);
        p += n;
        len -= (uint64_t)n;
    }
    return OK;
}

static struct err put_zeros(struct sink *s, uint64_t len)
{
    static const uint8_t zeros[INITRD_ALIGN];

    return sink_put(s, zeros, len);
}

/* The file as it stands. */
static struct err put_file(struct sink *s, struct file *f, struct arena *a)
{
    struct file_stream *stream = NULL;
    const uint8_t *data;
    size_t len;

    /* Said before much has been written. */
    if (f->node.size_bytes > s->max_bytes - s->nr_bytes)
        return ERR2(ERR_WONT_FIT, "a file of %a bytes, with others at most %b are taken",
                    f->node.size_bytes, s->max_bytes);
    struct err e = file_stream_open(&stream, f, a, 0, f->node.size_bytes);

    while (!failed(e)) {
        e = file_stream_next(stream, &data, &len);
        if (failed(e) || len == 0)
            break;
        e = sink_put(s, data, len);
    }
    file_stream_close(stream);
    return e;
}

static struct err next_chunk(void *ctx, const uint8_t **data, size_t *len)
{
    return file_stream_next(ctx, data, len);
}

/* What is packed in it: the ELF file. */
static struct err put_unpacked(struct sink *s, struct file *f, const struct image *img,
                               struct arena *a)
{
    struct unpack_source source = {.next = next_chunk};
    struct file_stream *stream = NULL;
    struct unpack *u = NULL;
    uint8_t *piece = arena_pages(a, PIECE_BYTES);
    size_t got = PIECE_BYTES;

    if (piece == NULL)
        return arena_exhausted("no memory to unpack the kernel (%a bytes)", PIECE_BYTES);
    struct err e = file_stream_open(&stream, f, a, img->payload_off_bytes, img->payload_bytes);

    source.ctx = stream;
    if (!failed(e))
        e = unpack_open(&u, a, img->compression, &source);
    if (!failed(e) && img->container == IMAGE_BZIMAGE)
        unpack_expect(u, img->unpacked_bytes);
    while (!failed(e) && got == PIECE_BYTES) {
        e = unpack_read(u, piece, PIECE_BYTES, &got);
        if (!failed(e))
            e = sink_put(s, piece, got);
    }
    unpack_close(u);
    file_stream_close(stream);
    return e;
}

/* ---- one entry ------------------------------------------------------------------------------- */

static void set_subject(char *subject, const char *name)
{
    struct text t = text_on(subject, SUBJECT_MAX);

    text_str(&t, name);
}

static struct err take_kernel(struct extract_job *job, struct boot_request *req)
{
    struct report *r = calloc(1, sizeof(*r)); /* for its log */
    const struct log log = chatter(job);
    struct sink s;

    if (r == NULL)
        return ERR(ERR_NO_MEMORY, "a kernel's report");
    r->arena = r->log.arena = req->arena;
    const struct kernel_report *k = inspect_kernel(r, req->kernel_name, &req->kernel);

    for (size_t i = 0; i < r->log.nr; i++)
        log_line(&log, r->log.text[i]);
    free(r);
    TRY(k->error);
    TRY(sink_open(&s, job, EXTRACT_KERNEL, EXTRACT_KERNEL_MAX));
    if (job->o.vmlinux && k->img.compression != UNPACK_NONE)
        TRY(put_unpacked(&s, &req->kernel, &k->img, req->arena));
    else
        TRY(put_file(&s, &req->kernel, req->arena));
    job->result->file_bytes[EXTRACT_KERNEL] = s.nr_bytes;
    return OK;
}

static struct err take_initrds(struct extract_job *job, struct boot_request *req, char *subject)
{
    struct sink s;

    TRY(sink_open(&s, job, EXTRACT_INITRD, EXTRACT_INITRD_MAX));
    for (uint32_t i = 0; i < req->nr_initrds; i++) {
        set_subject(subject, req->initrd_names[i]);
        TRY(put_zeros(&s, align_up(s.nr_bytes, INITRD_ALIGN) - s.nr_bytes));
        TRY(put_file(&s, &req->initrds[i], req->arena));
    }
    job->result->file_bytes[EXTRACT_INITRD] = s.nr_bytes;
    return OK;
}

/* The command line, with what the caller puts behind it. */
static struct err take_cmdline(struct extract_job *job, struct boot_request *req)
{
    struct extract_result *res = job->result;
    const char *more = job->o.args != NULL ? job->o.args : "";
    struct text t = text_on(res->cmdline, sizeof(res->cmdline));
    struct sink s;

    text_str(&t, req->cmdline);
    if (req->cmdline[0] != '\0' && more[0] != '\0')
        text_char(&t, ' ');
    text_str(&t, more);
    if (t.cut)
        return ERR2(ERR_WONT_FIT, "a kernel command line of %a bytes; Xen passes at most %b",
                    strlen(req->cmdline) + strlen(more) + 1, SESSION_CMDLINE_MAX - 1);
    TRY(sink_open(&s, job, EXTRACT_CMDLINE, SESSION_CMDLINE_MAX));
    TRY(sink_put(&s, res->cmdline, strlen(res->cmdline)));
    TRY(sink_put(&s, "\n", 1));
    res->file_bytes[EXTRACT_CMDLINE] = s.nr_bytes;
    return OK;
}

/* Everything that the request names, and its names for the parent. */
static struct err take(struct extract_job *job, struct boot_request *req, char *subject)
{
    struct extract_result *res = job->result;

    set_subject(subject, req->kernel_name);
    TRY(take_kernel(job, req));
    TRY(take_cmdline(job, req));
    TRY(take_initrds(job, req, subject));
    snprintf(res->kernel_name, sizeof(res->kernel_name), "%s", req->kernel_name);
    res->nr_initrds = req->nr_initrds;
    for (uint32_t i = 0; i < req->nr_initrds; i++)
        snprintf(res->initrd_names[i], FS_PATH_MAX, "%s", req->initrd_names[i]);
    return OK;
}

/* ERR_WRITE comes from the sinks alone, which are no matter of the image. */
static int status_of(struct err e)
{
    if (!failed(e))
        return EXTRACT_DONE;
    if (e.code != ERR_WRITE)
        return EXTRACT_NOTHING_BOOTS;
    fprintf(stderr, "pvboot: writing the output failed: %s\n", strerror((int)e.a));
    return EXTRACT_FAILED;
}

/* ---- the menu -------------------------------------------------------------------------------- */

struct choice {
    struct extract_job *job;
    struct menu_file file;
    struct menu menu;
    struct menu_settings settings;
};

/* One attempt, with memory of its own. An error has been said. */
static struct err try_entry(struct choice *c, uint32_t n)
{
    struct extract_job *job = c->job;
    char subject[SUBJECT_MAX] = "", line[LINE_BYTES], where[LINE_BYTES];
    const struct log log = chatter(job);
    struct arena arena;
    struct shell shell = {.vols = job->machine.vols,
                          .say = &log,
                          .file = &c->file,
                          .settings = &c->settings,
                          .root = c->file.vol,
                          .entry = n,
                          .subject = subject,
                          .subject_cap = sizeof(subject)};
    struct err e;

    arena_init(&arena, &host_memory);
    shell.req = arena_alloc(&arena, sizeof(*shell.req));
    if (shell.req == NULL) {
        e = arena_exhausted("no memory for an entry (%a bytes)", sizeof(*shell.req));
    } else {
        shell.req->arena = &arena;
        e = shell_run_entry(&shell, &c->menu.entries[n]);
        if (!failed(e) && shell_does(&shell) != NULL)
            e = ERR(ERR_BOOT_COMMAND, shell_does(&shell));
        if (!failed(e))
            e = take(job, shell.req, subject);
    }
    arena_reset(&arena);
    if (failed(e) && e.code != ERR_WRITE) {
        err_format(e, subject, line, sizeof(line));
        snprintf(where, sizeof(where), "entry %u, line %u of %.512s: %.1400s", n, shell.line_nr,
                 c->file.name, line);
        say_line(NULL, where);
    }
    job->result->entry = n;
    snprintf(job->result->title, sizeof(job->result->title), "%s", c->menu.entries[n].title);
    return e;
}

/* With nobody at the console: the default, then the fallback list, each entry once. */
static int by_itself(struct choice *c)
{
    const struct menu_settings *s = &c->settings;
    struct err e = try_entry(c, s->default_entry);

    for (uint32_t i = 0; failed(e) && e.code != ERR_WRITE && i < s->nr_fallbacks; i++) {
        uint32_t n = s->fallbacks[i];
        bool tried = n == s->default_entry;

        for (uint32_t k = 0; k < i; k++)
            tried = tried || s->fallbacks[k] == n;
        if (tried || n >= c->menu.nr_entries)
            continue;
        fprintf(stderr, "pvboot: falling back to entry %u\n", n);
        e = try_entry(c, n);
    }
    if (failed(e) && e.code != ERR_WRITE) {
        char line[LINE_BYTES];

        snprintf(line, sizeof(line),
                 "no entry of %.512s that is tried could be booted; pvboot "
                 "inspect tells all about each, --entry chooses one",
                 c->file.name);
        say_line(NULL, line);
    }
    return status_of(e);
}

/* --entry: a number, or a title. */
static int by_name(struct choice *c)
{
    const char *want = c->job->o.entry;
    uint64_t n;

    if (!text_parse_u64(want, strlen(want), &n)) {
        for (n = 0; n < c->menu.nr_entries; n++) {
            if (strcmp(c->menu.entries[n].title, want) == 0)
                break;
        }
        if (n == c->menu.nr_entries) {
            char line[LINE_BYTES];

            snprintf(line, sizeof(line),
                     "%.512s has no entry with the title \"%.512s\"; pvboot inspect lists them",
                     c->file.name, want);
            say_line(NULL, line);
            return EXTRACT_FAILED;
        }
    }
    if (n >= c->menu.nr_entries) {
        fprintf(stderr, "pvboot: there is no entry %s: the menu has entries 0 to %u\n", want,
                c->menu.nr_entries - 1);
        return EXTRACT_FAILED;
    }
    return status_of(try_entry(c, (uint32_t)n));
}

static int from_menu(struct extract_job *job)
{
    struct choice c = {.job = job};
    struct machine *m = &job->machine;
    const struct log log = chatter(job);
    char subject[SUBJECT_MAX] = "";
    struct err e =
        menu_locate(&c.file, m->vols, NULL, job->o.hd00, &m->arena, &log, subject, sizeof(subject));

    if (!failed(e)) {
        set_subject(subject, c.file.name);
        e = menu_parse(&c.menu, c.file.text, c.file.len, &m->arena, &log);
    }
    if (!failed(e) && c.menu.nr_entries == 0)
        e = ERR(ERR_NO_MENU, "the file has no `title' line; write an entry");
    if (failed(e)) {
        say_error(e, subject);
        return EXTRACT_NOTHING_BOOTS;
    }
    menu_settings(&c.menu, &c.settings, &log);
    return job->o.entry != NULL ? by_name(&c) : by_itself(&c);
}

/* ---- files that were named ------------------------------------------------------------------- */

static int from_names(struct extract_job *job)
{
    struct machine *m = &job->machine;
    struct boot_request *req = arena_alloc(&m->arena, sizeof(*req));
    char device[VOL_NAME_MAX], subject[SUBJECT_MAX] = "";
    struct vol_id vol;
    struct err e;

    if (req == NULL) {
        say_error(arena_exhausted("no memory for an entry (%a bytes)", sizeof(*req)), NULL);
        return EXTRACT_FAILED;
    }
    req->arena = &m->arena;
    if (!machine_find(m, job->o.kernel, &vol, &req->kernel.fs, &req->kernel.path,
                      &req->kernel.node))
        return EXTRACT_NOTHING_BOOTS;
    vol_format(m->vols, vol, device, sizeof(device));
    snprintf(req->kernel_name, sizeof(req->kernel_name), "%s%s", device, req->kernel.path);
    set_subject(subject, req->kernel_name);
    e = req->kernel.node.type == NODE_FILE ? OK : ERR(ERR_BAD_FILETYPE, "not a regular file");
    if (!failed(e) && job->o.ramdisk != NULL) {
        req->nr_initrds = 1;
        req->initrd_names[0] = arena_strndup(&m->arena, job->o.ramdisk, strlen(job->o.ramdisk));
        e = req->initrd_names[0] == NULL ? ERR(ERR_NO_MEMORY, "a file name")
                                         : vols_open(m->vols, vol, job->o.ramdisk, &m->arena,
                                                     &req->initrds[0], subject, sizeof(subject));
    }
    if (!failed(e))
        e = take(job, req, subject);
    job->result->entry = EXTRACT_NO_ENTRY;
    if (failed(e) && e.code != ERR_WRITE)
        say_error(e, subject);
    return status_of(e);
}

int extract_work(void *ctx)
{
    struct extract_job *job = ctx;
    struct machine *m = &job->machine;

    if (!machine_start(m, job->o.sector_bytes))
        return EXTRACT_FAILED;
    for (uint32_t i = 0; i < m->nr_disks; i++) {
        struct err e = disk_cache_attach(&m->disks[i].disk, &m->arena, CACHE_BLOCKS);

        if (failed(e)) {
            say_error(e, NULL);
            return EXTRACT_FAILED;
        }
    }
    return job->o.kernel != NULL ? from_names(job) : from_menu(job);
}
