/* SPDX-License-Identifier: MIT */
/* Files: opening them for all commands, and the commands that look at them. */
#include <string.h>

#include "core/base/bytes.h"
#include "core/base/crc32.h"
#include "core/menu/cmd.h"
#include "core/menu/lex.h"

#define CAT_BYTES_MAX     ((uint64_t)64 * 1024) /* a console shows this in some seconds */
#define CAT_LINE_MAX      512
#define CMP_SHOWN         8       /* differing bytes that are shown one by one */
#define BLOCKLIST_SHOWN   256     /* pieces; our own reader takes no more */
#define BLOCKLIST_RUN_MAX 1048576 /* runs of a file that are looked at */

/* ---- opening --------------------------------------------------------------------------------- */

struct err shell_full_name(struct shell *sh, const char *word, size_t len, char *buf, size_t cap)
{
    struct text t = text_on(buf, cap);
    char device[VOL_NAME_MAX];

    if (word[0] != '(') {
        vol_format(sh->vols, sh->root, device, sizeof(device));
        text_str(&t, device);
    }
    text_mem(&t, word, len);
    if (!t.cut)
        return OK;
    shell_about(sh, word, len);
    return ERR2(ERR_LIMIT, "a file name of %a bytes; with its device at most %b are possible", len,
                cap - 1);
}

/* vols_open; name is the file's full name. */
static struct err open_named(struct shell *sh, const char *word, size_t len, const char *name,
                             struct file *out)
{
    const char *path = arena_strndup(sh->req->arena, word, len);

    shell_about(sh, name, strlen(name));
    if (path == NULL)
        return arena_exhausted("no memory to open a file (%a bytes asked)", len + 1);
    /* On failure it writes a subject that says more. */
    TRY(vols_open(sh->vols, sh->root, path, sh->req->arena, out, sh->subject, sh->subject_cap));
    shell_about(sh, name, strlen(name));
    return OK;
}

struct err shell_open(struct shell *sh, const char *word, size_t len, struct file *out)
{
    char *name = arena_alloc(sh->req->arena, FS_PATH_MAX);

    if (name == NULL)
        return arena_exhausted("no memory for a file name (%a bytes asked)", FS_PATH_MAX);
    TRY(shell_full_name(sh, word, len, name, FS_PATH_MAX));
    return open_named(sh, word, len, name, out);
}

struct err shell_open_readable(struct shell *sh, const char *word, size_t len, const char *name,
                               struct file *out)
{
    uint8_t *probe = arena_alloc(sh->req->arena, 4096);

    if (probe == NULL)
        return arena_exhausted("no memory to open a file (%a bytes asked)", 4096);
    TRY(open_named(sh, word, len, name, out));
    if (out->node.size_bytes == 0)
        return ERR(ERR_FILELENGTH, "the file is empty; a crash may have cut it");
    return file_read(out, 0, probe, min_u64(out->node.size_bytes, 4096));
}

/* The file that the first word of *args names. */
static struct err open_argument(struct shell *sh, const char **args, const char *wanted,
                                struct file *out)
{
    const char *word;
    size_t len;

    if (!lex_word(args, &word, &len))
        return ERR(ERR_BAD_FILENAME, wanted);
    return shell_open(sh, word, len, out);
}

/* ---- cat ------------------------------------------------------------------------------------- */

/* The text as lines; long ones are broken. */
static void say_lines(const struct log *say, const char *s, size_t len)
{
    char buf[CAT_LINE_MAX * 4 + 1]; /* a byte becomes \xNN at worst */
    size_t i = 0;

    while (i < len) {
        const char *end = memchr(s + i, '\n', len - i);
        size_t rest = (end != NULL ? (size_t)(end - s) : len) - i;
        size_t n = rest < CAT_LINE_MAX ? rest : CAT_LINE_MAX;
        struct text t = text_on(buf, sizeof(buf));

        /* A tab may pass; other bytes that steer a terminal may not. */
        for (size_t j = 0, start = 0; j <= n; j++) {
            if (j < n && s[i + j] != '\t' && !(s[i + j] == '\r' && j + 1 == n))
                continue;
            text_name(&t, s + i + start, j - start);
            if (j < n && s[i + j] == '\t')
                text_char(&t, '\t');
            start = j + 1;
        }
        log_line(say, buf);
        i += n + (n == rest && end != NULL ? 1 : 0);
    }
}

struct err entry_cat(struct shell *sh, const char *args)
{
    struct file f;
    uint64_t size, shown;
    char *data;

    TRY(open_argument(sh, &args, "`cat' wants a file name: cat /etc/fstab", &f));
    size = f.node.size_bytes;
    shown = min_u64(size, CAT_BYTES_MAX);
    data = arena_pages(sh->req->arena, (size_t)shown + 1);
    if (data == NULL)
        return arena_exhausted("no memory to read a file (%a bytes asked)", (size_t)shown);
    struct err e = file_read(&f, 0, data, shown);

    if (!failed(e))
        say_lines(sh->say, data, (size_t)shown);
    arena_drop(sh->req->arena, data);
    TRY(e);
    if (shown < size) {
        char buf[128];
        struct text t = text_on(buf, sizeof(buf));

        text_str(&t, "... the other ");
        text_u64(&t, size - shown);
        text_str(&t, " bytes are not shown");
        log_line(sh->say, buf);
    }
    return OK;
}

/* ---- cmp, testload --------------------------------------------------------------------------- */

/* A file read front to back. */
struct reader {
    struct file file;
    struct file_stream *stream;
    const uint8_t *data;
    size_t len; /* of data, not yet used */
};

static struct err reader_fill(struct reader *r)
{
    return r->len > 0 ? OK : file_stream_next(r->stream, &r->data, &r->len);
}

static void say_difference(const struct log *say, uint64_t at, uint8_t a, uint8_t b)
{
    char buf[128];
    struct text t = text_on(buf, sizeof(buf));

    text_str(&t, "Differ at the offset ");
    text_u64(&t, at);
    text_str(&t, ": ");
    text_hex(&t, a);
    text_str(&t, " in the first, ");
    text_hex(&t, b);
    text_str(&t, " in the second");
    log_line(say, buf);
}

static struct err compare(struct shell *sh, struct reader *a, struct reader *b, uint64_t *nr)
{
    uint64_t at = 0;

    for (;;) {
        size_t n;

        TRY(reader_fill(a));
        TRY(reader_fill(b));
        n = a->len < b->len ? a->len : b->len;
        if (n == 0)
            return OK;
        for (size_t i = 0; i < n; i++) {
            if (a->data[i] == b->data[i])
                continue;
            if (*nr < CMP_SHOWN)
                say_difference(sh->say, at + i, a->data[i], b->data[i]);
            ++*nr;
        }
        at += n;
        a->data += n;
        b->data += n;
        a->len -= n;
        b->len -= n;
    }
}

static void say_result(const struct log *say, uint64_t nr, uint64_t size_a, uint64_t size_b)
{
    char buf[192];
    struct text t = text_on(buf, sizeof(buf));

    if (size_a != size_b) {
        text_str(&t, "Differ in size: ");
        text_u64(&t, size_a);
        text_str(&t, " bytes the first, ");
        text_u64(&t, size_b);
        text_str(&t, " the second; ");
    }
    if (nr == 0) {
        text_str(&t, size_a != size_b ? "no other difference" : "No difference: ");
        if (size_a == size_b) {
            text_u64(&t, size_a);
            text_str(&t, " bytes are the same");
        }
    } else {
        text_u64(&t, nr);
        text_str(&t, " bytes differ");
    }
    log_line(say, buf);
}

/* As in GRUB, files that differ are no error: it says so. */
struct err entry_cmp(struct shell *sh, const char *args)
{
    static const char wanted[] = "`cmp' wants two file names";
    struct arena *arena = sh->req->arena;
    struct reader a = {0}, b = {0};
    uint64_t nr = 0;
    struct err e;

    TRY(open_argument(sh, &args, wanted, &a.file));
    TRY(open_argument(sh, &args, wanted, &b.file));
    e = file_stream_open(&a.stream, &a.file, arena, 0, a.file.node.size_bytes);
    if (!failed(e))
        e = file_stream_open(&b.stream, &b.file, arena, 0, b.file.node.size_bytes);
    if (!failed(e))
        e = compare(sh, &a, &b, &nr);
    file_stream_close(a.stream);
    file_stream_close(b.stream);
    TRY(e);
    say_result(sh->say, nr, a.file.node.size_bytes, b.file.node.size_bytes);
    return OK;
}

/* Read the file to its end; the checksum is the one that zlib, gzip and `crc32` have. */
struct err entry_testload(struct shell *sh, const char *args)
{
    struct reader r = {0};
    uint32_t crc = CRC32_START;
    char buf[SHELL_OBJECT_MAX + 80];
    struct text t = text_on(buf, sizeof(buf));
    struct err e;

    TRY(open_argument(sh, &args, "`testload' wants a file name: testload /boot/vmlinuz", &r.file));
    TRY(file_stream_open(&r.stream, &r.file, sh->req->arena, 0, r.file.node.size_bytes));
    do {
        r.len = 0;
        e = reader_fill(&r);
        if (!failed(e))
            crc = crc32_ieee(crc, r.data, r.len);
    } while (!failed(e) && r.len > 0);
    file_stream_close(r.stream);
    TRY(e);
    text_str(&t, sh->object);
    text_str(&t, ": ");
    text_u64(&t, r.file.node.size_bytes);
    text_str(&t, " bytes read, CRC-32 ");
    text_hex(&t, ~crc);
    log_line(sh->say, buf);
    return OK;
}

/* ---- blocklist ------------------------------------------------------------------------------- */

struct piece {
    uint64_t sector, nr;
};

/* "100+16,", as one more piece of the list. */
static struct err put_piece(struct text *t, const struct piece *p, uint32_t *nr_pieces)
{
    if (p->nr == 0)
        return OK;
    if (*nr_pieces == BLOCKLIST_SHOWN)
        return ERR1(ERR_LIMIT, "the file lies in more than %a pieces", BLOCKLIST_SHOWN);
    text_str(t, (*nr_pieces)++ > 0 ? "," : "");
    text_u64(t, p->sector);
    text_char(t, '+');
    text_u64(t, p->nr);
    return OK;
}

static struct err put_blocklist(struct text *t, struct file *f)
{
    uint64_t off = 0, size = f->node.size_bytes;
    struct piece last = {0};
    uint32_t nr_pieces = 0;

    for (uint32_t i = 0; off < size; i++) {
        struct run run;

        if (i == BLOCKLIST_RUN_MAX)
            return ERR1(ERR_LIMIT, "the file lies in more than %a pieces", BLOCKLIST_RUN_MAX);
        TRY(f->fs->ops->map(f->fs, &f->node, off, &run));
        if (run.kind != RUN_DISK)
            return ERR(ERR_BAD_FILETYPE, run.kind == RUN_HOLE
                                             ? "it has holes, which no block list can name"
                                             : "it lies in its inode, which is no sector");
        if (run.disk_off_bytes % 512 != 0)
            return ERR1(ERR_BAD_FILETYPE, "a piece of it begins at byte %a, inside a sector",
                        run.disk_off_bytes);
        uint64_t skip = off - run.file_off_bytes;
        uint64_t sector = (run.disk_off_bytes + skip) / 512;
        uint64_t nr = (min_u64(run.len_bytes - skip, size - off) + 511) / 512;

        if (run.len_bytes <= skip || skip % 512 != 0)
            return ERR1(ERR_FS_DAMAGED, "no block holds byte %a of the file", off);
        if (last.nr > 0 && last.sector + last.nr == sector) {
            last.nr += nr;
        } else {
            TRY(put_piece(t, &last, &nr_pieces));
            last = (struct piece){.sector = sector, .nr = nr};
        }
        off = run.file_off_bytes + run.len_bytes;
    }
    return put_piece(t, &last, &nr_pieces);
}

struct err entry_blocklist(struct shell *sh, const char *args)
{
    size_t cap = VOL_NAME_MAX + (size_t)BLOCKLIST_SHOWN * 42;
    char *buf = arena_alloc(sh->req->arena, cap);
    struct text t = text_on(buf, buf == NULL ? 0 : cap);
    const char *word = args;
    struct vol_id id = sh->root;
    char device[VOL_NAME_MAX];
    struct file f;
    size_t used;

    if (buf == NULL)
        return arena_exhausted("no memory for a block list (%a bytes asked)", cap);
    TRY(open_argument(sh, &args, "`blocklist' wants a file name: blocklist /boot/vmlinuz", &f));
    if (word[0] == '(')
        TRY(vol_parse(sh->vols, word, &id, &used));
    vol_format(sh->vols, id, device, sizeof(device));
    text_str(&t, device);
    TRY(put_blocklist(&t, &f));
    log_line(sh->say, buf);
    return OK;
}

/* ---- configfile ------------------------------------------------------------------------------ */

/* The session reads the file when the commands before it are through. */
struct err entry_configfile(struct shell *sh, const char *args)
{
    char *name = arena_alloc(sh->req->arena, FS_PATH_MAX);
    struct file f;
    const char *word;
    size_t len;

    if (name == NULL)
        return arena_exhausted("no memory for a file name (%a bytes asked)", FS_PATH_MAX);
    if (!lex_word(&args, &word, &len))
        return ERR(ERR_BAD_FILENAME, "`configfile' wants a file name: configfile /grub/menu.lst");
    TRY(shell_full_name(sh, word, len, name, FS_PATH_MAX));
    TRY(shell_open_readable(sh, word, len, name, &f));
    sh->menu_name = name;
    sh->next = SHELL_MENU;
    return OK;
}
