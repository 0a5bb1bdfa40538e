/* SPDX-License-Identifier: MIT */
/*
 * One initrd: unpacked to its end, and what its bytes are. The kernel takes a row of cpio archives,
 * each bare or compressed; microcode comes as a small bare one in front.
 */
#include "host/inspect.h"

#include <string.h>

#include "core/base/bytes.h"
#include "core/base/text.h"
#include "core/unpack/unpack.h"

#define MEMBERS_MAX      65536 /* of a bare cpio archive that are walked */
#define MEMBER_NAME_MAX  4096
#define ARCHIVES_MAX     1024 /* in a row, not compressed: more are not looked at */
#define ARCHIVES_SHOWN   4
#define UNPACKED_MAX     ((uint64_t)8 << 30) /* a few MiB of packed zeros would go on for hours */
#define TRAILER          "TRAILER!!!"
#define CPIO_HEADER      110 /* "newc": magic, 13 numbers of 8 hex digits */
#define CPIO_FILESIZE_AT 54
#define CPIO_NAMESIZE_AT 94

static bool is_newc(const uint8_t *p, uint64_t len)
{
    return len >= 6 && (memcmp(p, "070701", 6) == 0 || memcmp(p, "070702", 6) == 0);
}

static bool hex8(const uint8_t *p, uint64_t *out)
{
    uint64_t v = 0;

    for (int i = 0; i < 8; i++) {
        int digit = text_hex_digit((char)p[i]);

        if (digit < 0)
            return false;
        v = v << 4 | (uint64_t)digit;
    }
    *out = v;
    return true;
}

/* By the last part of a name: Xen's block driver in mainline Linux and in SLES. */
static void note_name(struct initrd_report *in, const char *name, size_t len)
{
    static const char *const drivers[] = {"xen-blkfront.ko", "xenblk.ko"};
    static const char *const images[] = {".squashfs", ".sqsh", ".sfs", ".erofs", ".img", ".cpio"};
    const char *slash = memrchr(name, '/', len);
    const char *base = slash != NULL ? slash + 1 : name;
    size_t base_len = len - (size_t)(base - name);

    for (size_t i = 0; i < ARRAY_LEN(drivers); i++) {
        size_t n = strlen(drivers[i]); /* .ko.xz and the like count too */

        in->has_block = in->has_block || (base_len >= n && memcmp(base, drivers[i], n) == 0);
    }
    for (size_t i = 0; i < ARRAY_LEN(images); i++) {
        size_t n = strlen(images[i]);

        in->has_image =
            in->has_image || (base_len > n && memcmp(base + base_len - n, images[i], n) == 0);
    }
}

/* Walk a bare archive from *off to behind its trailer. NULL, or what is wrong with it. */
static const char *skip_cpio(struct initrd_report *in, struct file *f, uint64_t *off)
{
    uint64_t size = f->node.size_bytes, at = *off;

    for (uint32_t i = 0; i < MEMBERS_MAX; i++) {
        uint8_t header[CPIO_HEADER];
        char name[MEMBER_NAME_MAX] = "";
        uint64_t file_bytes, name_bytes;

        if (!in_range(at, CPIO_HEADER, size))
            return "its cpio archive ends early";
        if (failed(file_read(f, at, header, CPIO_HEADER)))
            return "its cpio archive cannot be read";
        if (!is_newc(header, CPIO_HEADER) || !hex8(header + CPIO_FILESIZE_AT, &file_bytes) ||
            !hex8(header + CPIO_NAMESIZE_AT, &name_bytes) || name_bytes > MEMBER_NAME_MAX)
            return "its cpio archive is damaged";
        /* Numbers of 32 bits: their sums do not wrap. Header with name, then data, both padded. */
        uint64_t data_at = align_up(at + CPIO_HEADER + name_bytes - *off, 4) + *off;
        uint64_t next = align_up(data_at + file_bytes - *off, 4) + *off;

        if (!in_range(data_at, file_bytes, size))
            return "its cpio archive ends early";
        if (failed(file_read(f, at + CPIO_HEADER, name, name_bytes)))
            return "its cpio archive ends early";
        if (name_bytes == sizeof(TRAILER) && memcmp(name, TRAILER, sizeof(TRAILER)) == 0) {
            *off = min_u64(next, size);
            return NULL;
        }
        note_name(in, name, strnlen(name, name_bytes));
        at = next;
        if (at > size)
            return "its cpio archive ends early";
    }
    return "its cpio archive has too many members to walk";
}

/* The first byte at or behind off that is not zero: archives are padded with zeros. */
static uint64_t skip_zeros(struct file *f, uint64_t off)
{
    uint8_t buf[4096];

    while (off < f->node.size_bytes) {
        uint64_t len = min_u64(sizeof(buf), f->node.size_bytes - off);

        if (failed(file_read(f, off, buf, len)))
            return off;
        for (uint64_t i = 0; i < len; i++) {
            if (buf[i] != 0)
                return off + i;
        }
        off += len;
    }
    return off;
}

static struct err next_chunk(void *ctx, const uint8_t **data, size_t *len)
{
    return file_stream_next(ctx, data, len);
}

/* What is unpacked, and how far that has got. */
struct unpacked {
    struct unpack *u;
    uint64_t nr_bytes;
    bool ended; /* the data has come to its end, to an error, or to UNPACKED_MAX */
    struct err error;
};

/* The next len bytes into buf (NULL: nowhere). False: there are not that many. */
static bool take(struct unpacked *p, void *buf, uint64_t len)
{
    uint64_t got = 0, most = min_u64(len, UNPACKED_MAX - p->nr_bytes);
    size_t nr_read = 0;

    if (p->ended)
        return false;
    if (buf == NULL) {
        p->error = unpack_skip(p->u, most, &got);
    } else {
        p->error = unpack_read(p->u, buf, (size_t)most, &nr_read);
        got = nr_read;
    }
    p->nr_bytes += got;
    p->ended = failed(p->error) || got < len;
    return !p->ended;
}

/* One member, of whose header the first `have` bytes are there. False: it is none, or is cut. */
static bool list_member(struct initrd_report *in, struct unpacked *p, uint8_t header[CPIO_HEADER],
                        size_t have, bool *is_trailer)
{
    char name[MEMBER_NAME_MAX];
    uint64_t file_bytes, name_bytes;

    if (!take(p, header + have, CPIO_HEADER - have) || !is_newc(header, CPIO_HEADER) ||
        !hex8(header + CPIO_FILESIZE_AT, &file_bytes) ||
        !hex8(header + CPIO_NAMESIZE_AT, &name_bytes) || name_bytes > MEMBER_NAME_MAX ||
        !take(p, name, name_bytes))
        return false;
    *is_trailer = name_bytes == sizeof(TRAILER) && memcmp(name, TRAILER, sizeof(TRAILER)) == 0;
    note_name(in, name, strnlen(name, (size_t)name_bytes));
    /* Header with name, then data, both padded; behind a trailer there may be nothing. */
    uint64_t pad = align_up(CPIO_HEADER + name_bytes, 4) - (CPIO_HEADER + name_bytes);

    return take(p, NULL, pad + align_up(file_bytes, 4)) || *is_trailer;
}

/* Archives, with zeros between them: note their names. True: all of it was understood. */
static bool list_unpacked(struct initrd_report *in, struct unpacked *p, const uint8_t first[6])
{
    bool is_trailer = false;

    for (uint32_t i = 0; i < MEMBERS_MAX; i++) {
        uint8_t header[CPIO_HEADER] = {0};
        size_t have = i == 0 ? 6 : 0;

        memcpy(header, first, have);
        if (is_trailer) {
            have = 4;
            do {
                if (!take(p, header, 4)) /* the end, with or without a rest of zeros */
                    return !failed(p->error);
            } while (le32(header) == 0);
        }
        if (!list_member(in, p, header, have, &is_trailer))
            return false;
    }
    return false;
}

/* Unpack everything from off on. The first bytes of it go to `first`. */
static struct err unpack_rest(struct report *r, struct initrd_report *in, struct file *f,
                              uint64_t off, enum unpack_format format, uint8_t first[6],
                              uint64_t *unpacked)
{
    struct unpack_source source = {.next = next_chunk};
    struct file_stream *stream = NULL;
    struct unpacked p = {.error = OK};
    struct err e = file_stream_open(&stream, f, r->arena, off, f->node.size_bytes - off);

    source.ctx = stream;
    if (!failed(e))
        e = unpack_open(&p.u, r->arena, format, &source);
    if (!failed(e)) {
        if (take(&p, first, 6) && is_newc(first, 6))
            in->listed = list_unpacked(in, &p, first);
        (void)take(&p, NULL, UINT64_MAX);
        e = p.error;
    }
    *unpacked = p.nr_bytes;
    unpack_close(p.u);
    file_stream_close(stream);
    return e;
}

static const char *first_bytes(struct report *r, const uint8_t *p, uint64_t len)
{
    const char *text = "";

    for (uint64_t i = 0; i < len && i < 8; i++)
        text = report_printf(r, "%s%s%02x", text, i > 0 ? " " : "", p[i]);
    return text;
}

/* The last part of the file, from off on: compressed, or nothing that we know. */
static void look_at_rest(struct report *r, struct initrd_report *in, struct file *f, uint64_t off,
                         const char *before)
{
    uint8_t head[UNPACK_DETECT_BYTES] = {0}, first[6] = {0};
    uint64_t len = min_u64(sizeof(head), f->node.size_bytes - off);
    enum unpack_format format;
    uint64_t unpacked = 0;

    in->error = file_read(f, off, head, len);
    if (failed(in->error))
        return;
    format = unpack_detect(head, (size_t)len);
    if (format == UNPACK_NONE) {
        in->what = report_printf(r, "%sunknown, begins with %s", before, first_bytes(r, head, len));
        in->problem = "it is neither a cpio archive nor compressed; the kernel will not take it as "
                      "its first file system";
        return;
    }
    struct err e = unpack_rest(r, in, f, off, format, first, &unpacked);

    in->unpacked_bytes += unpacked;
    in->what = report_printf(r, "%s%s, %s", before, unpack_name(format),
                             is_newc(first, 6) ? "cpio archive" : "no cpio archive inside");
    if (failed(e))
        in->problem = report_printf(r, "%s; make it again", report_error(r, e, NULL));
    else if (unpacked == UNPACKED_MAX)
        in->problem = report_printf(r,
                                    "it unpacks to %s or more, of which the rest was not looked "
                                    "at",
                                    size_text(r, UNPACKED_MAX));
    else if (!is_newc(first, 6))
        in->problem = report_printf(r,
                                    "what it unpacks to begins with %s and is no cpio archive; an "
                                    "old initrd with a file system needs a kernel that knows it",
                                    first_bytes(r, first, min_u64(unpacked, 6)));
}

struct initrd_report inspect_initrd(struct report *r, const char *name, struct file *f)
{
    struct initrd_report in = {.name = name, .size_bytes = f->node.size_bytes, .what = ""};
    uint64_t size = f->node.size_bytes, off = 0;
    const char *before = "";
    uint8_t magic[6];

    for (uint32_t i = 0; in_range(off, sizeof(magic), size); i++) {
        uint64_t start = off;

        in.error = file_read(f, off, magic, sizeof(magic));
        if (failed(in.error))
            return in;
        if (!is_newc(magic, sizeof(magic)))
            break;
        in.what = report_printf(r, "%scpio archive", before);
        in.problem = i < ARCHIVES_MAX ? skip_cpio(&in, f, &off)
                                      : "it is a row of more than 1024 cpio archives; the others "
                                        "were not looked at";
        if (in.problem != NULL)
            return in;
        in.unpacked_bytes += off - start;
        if (i < ARCHIVES_SHOWN)
            before =
                report_printf(r, "%scpio archive of %s, then ", before, size_text(r, off - start));
        else if (i == ARCHIVES_SHOWN)
            before = report_printf(r, "%smore of them, then ", before);
        off = skip_zeros(f, off);
    }
    in.listed = off >= size;
    if (off < size)
        look_at_rest(r, &in, f, off, before);
    return in;
}
