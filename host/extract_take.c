/* SPDX-License-Identifier: MIT */
/* Behind the fence: one boot request, checked and written out. */
#include "host/extract.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "core/base/bytes.h"
#include "core/base/text.h"
#include "host/inspect.h"

#define INITRD_ALIGN 4096 /* where the guest puts the next one, with zeros before it */
#define PIECE_BYTES  ((size_t)1 << 20)

/* ---- words ----------------------------------------------------------------------------------- */

void extract_say(void *ctx, const char *text)
{
    char shown[4 * EXTRACT_LINE];
    struct text t = text_on(shown, sizeof(shown));

    (void)ctx;
    text_name(&t, text, strlen(text));
    fprintf(stderr, "pvboot: %s\n", shown);
}

struct log extract_chatter(const struct extract_job *job)
{
    return (struct log){.line = job->o.verbose ? extract_say : NULL};
}

static void set_subject(char *subject, const char *name)
{
    struct text t = text_on(subject, EXTRACT_SUBJECT);

    text_str(&t, name);
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

/* What is packed in it: the ELF file. `seen`: the same image after it was loaded. */
static struct err put_unpacked(struct sink *s, struct file *f, const struct image *seen,
                               struct arena *a)
{
    const struct log log = {0};
    uint8_t *piece = arena_pages(a, PIECE_BYTES);
    size_t got = PIECE_BYTES;
    struct image img;

    if (piece == NULL)
        return arena_exhausted("no memory to unpack the kernel (%a bytes)", PIECE_BYTES);
    TRY(image_open(&img, f, a, seen->width, &log));
    img.unpacked_bytes = seen->unpacked_bytes; /* loading has found out whether it is right */
    struct err e = image_rewind(&img);

    while (!failed(e) && got == PIECE_BYTES) {
        e = image_read(&img, piece, PIECE_BYTES, &got);
        if (!failed(e))
            e = sink_put(s, piece, got);
    }
    image_close(&img);
    return e;
}

/* ---- one entry ------------------------------------------------------------------------------- */

static struct err take_kernel(struct extract_job *job, struct boot_request *req)
{
    struct report *r = calloc(1, sizeof(*r)); /* for its log */
    const struct log log = extract_chatter(job);
    struct sink s;

    if (r == NULL)
        return ERR(ERR_NO_MEMORY, "a kernel's report");
    r->arena = r->log.arena = req->arena;
    r->narrow = job->o.narrow;
    const struct kernel_report *k = inspect_kernel(r, req->kernel_name, &req->kernel);

    if (job->o.any_width && failed(k->error) && k->headers && k->img.width == IMAGE_32) {
        r->narrow = true;
        k = inspect_kernel(r, req->kernel_name, &req->kernel);
    }

    for (size_t i = 0; i < r->log.nr; i++)
        log_line(&log, r->log.text[i]);
    free(r);
    TRY(k->error);
    TRY(sink_open(&s, job, EXTRACT_KERNEL, EXTRACT_KERNEL_MAX));
    if (job->o.vmlinux)
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

struct err extract_take(struct extract_job *job, struct boot_request *req, char *subject)
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
