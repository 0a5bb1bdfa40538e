/* SPDX-License-Identifier: MIT */
/* libarchive pulls the tar stream, which is what inflate makes of what it is given. */
#include "cloud/bundle/unpack.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <archive.h>
#include <archive_entry.h>
#include <openssl/evp.h>
#include <zlib.h>

#define IN_BYTES  ((size_t)256 << 10)
#define OUT_BYTES ((size_t)1 << 20)
/* What the tar stream may have beyond the image: headers, padding. */
#define TAR_MORE ((uint64_t)64 << 20)
#define HOLE     4096

struct stream {
    const struct manifest *m;
    const struct unpack_io *io;
    char *why;
    size_t why_cap;
    bool bad, in_ended, ended;
    EVP_MD_CTX *sha1; /* of the tar stream */
    z_stream z;
    uint64_t tar_bytes;
    uint8_t in[IN_BYTES], out[OUT_BYTES];
};

__attribute__((format(printf, 2, 3))) static bool bad(struct stream *s, const char *fmt, ...)
{
    va_list ap;

    if (!s->bad) { /* the first is the reason */
        va_start(ap, fmt);
        vsnprintf(s->why, s->why_cap, fmt, ap);
        va_end(ap);
    }
    s->bad = true;
    return false;
}

static bool more_in(struct stream *s)
{
    ssize_t n = s->io->get(s->io->ctx, s->in, sizeof(s->in));

    if (n < 0) {
        s->bad = true;
        return false;
    }
    s->in_ended = n == 0;
    s->z.next_in = s->in;
    s->z.avail_in = (uInt)n;
    return true;
}

/* At the end of a member: another may follow, which gzip joins. */
static bool next_member(struct stream *s)
{
    if (s->z.avail_in == 0 && !s->in_ended && !more_in(s))
        return false;
    s->ended = s->z.avail_in == 0;
    return s->ended || inflateReset(&s->z) == Z_OK || bad(s, "unpacking failed");
}

/* Up to OUT_BYTES of the tar stream into s->out; *got is 0 at its end. */
static bool more_tar(struct stream *s, size_t *got)
{
    s->z.next_out = s->out;
    s->z.avail_out = (uInt)sizeof(s->out);
    while (s->z.avail_out > 0 && !s->ended) {
        if (s->z.avail_in == 0 && !s->in_ended && !more_in(s))
            return false;
        if (s->z.avail_in == 0 && s->in_ended)
            return bad(s, "the gzip stream in the bundle ends too early: a part is missing");
        int status = inflate(&s->z, Z_NO_FLUSH);

        if (status == Z_STREAM_END && !next_member(s))
            return false;
        if (status != Z_OK && status != Z_STREAM_END)
            return bad(s, "what was decrypted is no gzip stream: the key is another one, or the "
                          "bundle was damaged before it was signed");
    }
    *got = sizeof(s->out) - s->z.avail_out;
    s->tar_bytes += *got;
    if (s->tar_bytes > s->m->size_bytes + TAR_MORE)
        return bad(s, "the bundle unpacks to more than the image's %llu bytes",
                   (unsigned long long)s->m->size_bytes);
    return EVP_DigestUpdate(s->sha1, s->out, *got) == 1 || bad(s, "the digest failed");
}

static la_ssize_t on_read(struct archive *tar, void *ctx, const void **bytes)
{
    struct stream *s = ctx;
    size_t got = 0;

    *bytes = s->out;
    if (more_tar(s, &got))
        return (la_ssize_t)got;
    archive_set_error(tar, EIO, "%s", s->why);
    return -1;
}

/* Runs of blocks that are not all zero go out, the rest are holes. */
static bool put_out(struct stream *s, const uint8_t *bytes, size_t len, uint64_t off_bytes)
{
    static const uint8_t zeroes[HOLE];
    size_t run = 0; /* of bytes before `at` that are to go out */

    for (size_t at = 0; at < len || run > 0;) {
        size_t n = HOLE - (size_t)((off_bytes + at) % HOLE);

        n = n < len - at ? n : len - at;
        if (n > 0 && memcmp(bytes + at, zeroes, n) != 0) {
            run += n;
            at += n;
            continue;
        }
        if (run > 0 && !s->io->put(s->io->ctx, bytes + at - run, run, off_bytes + at - run)) {
            s->bad = true;
            return false;
        }
        run = 0;
        at += n;
    }
    return true;
}

static bool copy_member(struct stream *s, struct archive *tar)
{
    const void *bytes;
    size_t len;
    la_int64_t off;
    int status;

    while ((status = archive_read_data_block(tar, &bytes, &len, &off)) == ARCHIVE_OK) {
        if (off < 0 || (uint64_t)off > s->m->size_bytes || len > s->m->size_bytes - (uint64_t)off)
            return bad(s, "the archive holds more than the image's %llu bytes",
                       (unsigned long long)s->m->size_bytes);
        if (!put_out(s, bytes, len, (uint64_t)off))
            return false;
    }
    return status == ARCHIVE_EOF ||
           bad(s, "the tar archive in the bundle is damaged: %s", archive_error_string(tar));
}

/* A warning is about names and the like, which are not used. */
static bool next_header(struct archive *tar, struct archive_entry **e)
{
    int status = archive_read_next_header(tar, e);

    return status == ARCHIVE_OK || status == ARCHIVE_WARN;
}

static bool read_archive(struct stream *s, struct archive *tar)
{
    struct archive_entry *e;

    if (archive_read_support_format_tar(tar) != ARCHIVE_OK ||
        archive_read_open(tar, s, NULL, on_read, NULL) != ARCHIVE_OK || !next_header(tar, &e))
        return bad(s, "there is no tar archive in the bundle: %s", archive_error_string(tar));
    if (archive_entry_filetype(e) != AE_IFREG || archive_entry_hardlink(e) != NULL)
        return bad(s, "the archive in the bundle does not hold an image, but something else");
    if (archive_entry_size(e) < 0 || (uint64_t)archive_entry_size(e) != s->m->size_bytes)
        return bad(s, "the image in the bundle has %lld bytes, the manifest says %llu",
                   (long long)archive_entry_size(e), (unsigned long long)s->m->size_bytes);
    if (!copy_member(s, tar))
        return false;
    return archive_read_next_header(tar, &e) == ARCHIVE_EOF ||
           bad(s, "the archive in the bundle holds more than the image, or is damaged");
}

static bool check_end(struct stream *s)
{
    uint8_t sha1[EVP_MAX_MD_SIZE];
    size_t got = 1;

    while (got > 0) {
        if (!more_tar(s, &got))
            return false;
    }
    if (EVP_DigestFinal_ex(s->sha1, sha1, NULL) != 1)
        return bad(s, "the digest failed");
    return memcmp(sha1, s->m->sha1, SHA1_BYTES) == 0 ||
           bad(s, "the image's digest is not the one in the manifest");
}

bool unpack_stream(const struct manifest *m, const struct unpack_io *io, char *why, size_t why_cap)
{
    struct stream *s = calloc(1, sizeof(*s));
    struct archive *tar = archive_read_new();
    EVP_MD_CTX *sha1 = EVP_MD_CTX_new();
    bool good = s != NULL && tar != NULL && sha1 != NULL;

    if (good) {
        s->m = m;
        s->io = io;
        s->why = why;
        s->why_cap = why_cap;
        s->sha1 = sha1;
        good = EVP_DigestInit_ex(sha1, EVP_sha1(), NULL) == 1;
    }
    if (!good || inflateInit2(&s->z, 15 + 16) != Z_OK) {
        snprintf(why, why_cap, "no memory, or no SHA-1, to unpack the image");
        good = false;
    } else {
        good = read_archive(s, tar) && check_end(s);
        inflateEnd(&s->z);
    }
    archive_read_free(tar);
    EVP_MD_CTX_free(sha1);
    free(s);
    return good;
}
