/* SPDX-License-Identifier: MIT */
/*
 * From a bundle to the image: libarchive pulls the tar stream, which is what inflate makes of what
 * AES makes of the parts. A part is read as a whole and used only when its digest is right.
 */
#include "cloud/bundle/pack.h"

#include <errno.h>
#include <fcntl.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <archive.h>
#include <archive_entry.h>
#include <openssl/crypto.h>
#include <openssl/evp.h>
#include <zlib.h>

#define PART_FILE_MAX ((uint64_t)256 << 20) /* tools write 10 MiB */
#define OUT_BYTES     ((size_t)1 << 20)
/* What the tar stream may have beyond the image: headers, padding. */
#define TAR_MORE ((uint64_t)64 << 20)
#define HOLE     4096

struct unpack {
    const struct manifest *m;
    const struct bundle_job *job;
    const char *from, *to;
    char *why;
    size_t why_cap;
    bool bad;
    int from_fd, to_fd, out_fd;
    char work_name[MANIFEST_NAME_MAX + 64];
    uint32_t next_part;
    uint64_t parts_bytes;
    uint8_t *part, *plain; /* the part as it lies in its file, and decrypted */
    size_t part_room;
    EVP_CIPHER_CTX *aes;
    EVP_MD_CTX *tar_sha1;
    z_stream z;
    bool z_open, aes_done, gzip_done;
    uint64_t tar_bytes;
    uint8_t out[OUT_BYTES];
};

__attribute__((format(printf, 2, 3))) static bool bad(struct unpack *u, const char *fmt, ...)
{
    va_list ap;

    if (!u->bad) {
        va_start(ap, fmt);
        vsnprintf(u->why, u->why_cap, fmt, ap);
        va_end(ap);
    }
    u->bad = true;
    return false;
}

/* ---- parts ----------------------------------------------------------------------------------- */

static bool part_room(struct unpack *u, size_t len)
{
    size_t room = len > BUNDLE_PART_BYTES ? len : BUNDLE_PART_BYTES;

    if (u->part_room >= len && u->part != NULL)
        return true;
    free(u->part);
    free(u->plain);
    u->part = malloc(room);
    u->plain = malloc(room + 32);
    u->part_room = room;
    return (u->part != NULL && u->plain != NULL) || bad(u, "out of memory");
}

static bool read_part(struct unpack *u, int fd, const char *name, size_t len)
{
    size_t got = 0;

    while (got < len) {
        ssize_t n = read(fd, u->part + got, len - got);

        if (n < 0 && errno == EINTR)
            continue;
        if (n <= 0)
            return bad(u, "%s/%s cannot be read: %s", u->from, name,
                       n < 0 ? strerror(errno) : "it became shorter");
        got += (size_t)n;
    }
    return true;
}

/* The next part into u->part; *len its length. */
static bool load_part(struct unpack *u, size_t *len)
{
    const struct manifest_part *part = &u->m->parts[u->next_part];
    int fd = openat(u->from_fd, part->filename, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
    uint8_t sha1[EVP_MAX_MD_SIZE];
    struct stat st = {0};
    bool good = true;

    if (fd < 0 || fstat(fd, &st) != 0)
        good = bad(u, "part %u of %u, %s/%s, cannot be opened: %s", u->next_part + 1,
                   u->m->nr_parts, u->from, part->filename, strerror(errno));
    else if (!S_ISREG(st.st_mode) || (uint64_t)st.st_size > PART_FILE_MAX)
        good = bad(u, "%s/%s is no part of a bundle: it is %s", u->from, part->filename,
                   S_ISREG(st.st_mode) ? "too large" : "no file");
    good = good && part_room(u, (size_t)st.st_size) &&
           read_part(u, fd, part->filename, (size_t)st.st_size);
    if (fd >= 0)
        close(fd);
    if (!good)
        return false;
    *len = (size_t)st.st_size;
    if (EVP_Digest(u->part, *len, sha1, NULL, EVP_sha1(), NULL) != 1)
        return bad(u, "this OpenSSL does not offer SHA-1, which bundles need");
    if (memcmp(sha1, part->sha1, SHA1_BYTES) != 0)
        return bad(u, "%s/%s is damaged: its digest is not the one in the manifest; fetch it again",
                   u->from, part->filename);
    u->parts_bytes += *len;
    u->next_part++;
    return true;
}

/* More for inflate in u->plain; with none left, u->aes_done. */
static bool more_plain(struct unpack *u)
{
    size_t len = 0;
    int out = 0;

    while (out == 0 && !u->aes_done) {
        if (*u->job->stop != 0)
            return bad(u, "interrupted; nothing of the image was left");
        if (u->next_part < u->m->nr_parts) {
            if (!load_part(u, &len))
                return false;
            if (EVP_DecryptUpdate(u->aes, u->plain, &out, u->part, (int)len) != 1)
                return bad(u, "decrypting failed");
        } else {
            if (u->plain == NULL || EVP_DecryptFinal_ex(u->aes, u->plain, &out) != 1)
                return bad(u, "the bundle does not end as it should: a part is missing, or the key "
                              "is another one");
            u->aes_done = true;
        }
    }
    u->z.next_in = u->plain;
    u->z.avail_in = (uInt)out;
    return true;
}

/* ---- the tar stream -------------------------------------------------------------------------- */

/* Up to OUT_BYTES of the tar stream into u->out; *got is 0 at its end. */
static bool more_tar(struct unpack *u, size_t *got)
{
    u->z.next_out = u->out;
    u->z.avail_out = (uInt)sizeof(u->out);
    while (u->z.avail_out > 0 && !u->gzip_done) {
        if (u->z.avail_in == 0 && !more_plain(u))
            return false;
        int status = inflate(&u->z, Z_NO_FLUSH);

        /* A further member may follow: gzip joins them. */
        if (status == Z_STREAM_END && u->z.avail_in == 0 && !more_plain(u))
            return false;
        if (status == Z_STREAM_END && u->z.avail_in == 0 && u->aes_done)
            u->gzip_done = true;
        else if (status == Z_STREAM_END)
            status = inflateReset(&u->z);
        if (status != Z_OK && status != Z_STREAM_END && status != Z_BUF_ERROR)
            return bad(u, "what was decrypted is no gzip stream: the key is another one, or the "
                          "bundle was damaged before it was signed");
        if (status == Z_BUF_ERROR && u->aes_done && u->z.avail_in == 0)
            return bad(u, "the gzip stream ends too early: a part is missing");
    }
    *got = sizeof(u->out) - u->z.avail_out;
    u->tar_bytes += *got;
    if (u->tar_bytes > u->m->size_bytes + TAR_MORE)
        return bad(u, "the bundle unpacks to more than the image's %llu bytes",
                   (unsigned long long)u->m->size_bytes);
    if (EVP_DigestUpdate(u->tar_sha1, u->out, *got) != 1)
        return bad(u, "the digest failed");
    return true;
}

static la_ssize_t on_read(struct archive *tar, void *ctx, const void **bytes)
{
    struct unpack *u = ctx;
    size_t got = 0;

    *bytes = u->out;
    if (more_tar(u, &got))
        return (la_ssize_t)got;
    archive_set_error(tar, EIO, "%s", u->why);
    return -1;
}

/* Zeroes become holes. */
static bool put_out(struct unpack *u, const uint8_t *bytes, size_t len, uint64_t off_bytes)
{
    static const uint8_t zeroes[HOLE];

    while (len > 0) {
        size_t n = HOLE - (size_t)(off_bytes % HOLE);

        n = n < len ? n : len;
        for (size_t done = 0; done < n && memcmp(bytes, zeroes, n) != 0;) {
            ssize_t put = pwrite(u->out_fd, bytes + done, n - done, (off_t)(off_bytes + done));

            if (put < 0 && errno != EINTR)
                return bad(u, "%s/%s cannot be written: %s", u->to, u->m->name, strerror(errno));
            done += put > 0 ? (size_t)put : 0;
        }
        bytes += n;
        len -= n;
        off_bytes += n;
    }
    return true;
}

static bool copy_member(struct unpack *u, struct archive *tar)
{
    const void *bytes;
    size_t len;
    la_int64_t off;
    int status;

    while ((status = archive_read_data_block(tar, &bytes, &len, &off)) == ARCHIVE_OK) {
        if (off < 0 || (uint64_t)off > u->m->size_bytes || len > u->m->size_bytes - (uint64_t)off)
            return bad(u, "the archive holds more than the image's %llu bytes",
                       (unsigned long long)u->m->size_bytes);
        if (!put_out(u, bytes, len, (uint64_t)off))
            return false;
        if (u->job->progress != NULL)
            u->job->progress(u->job->progress_ctx, (uint64_t)off + len, u->m->size_bytes);
    }
    if (status != ARCHIVE_EOF)
        return bad(u, "the tar archive in the bundle is damaged: %s", archive_error_string(tar));
    return ftruncate(u->out_fd, (off_t)u->m->size_bytes) == 0 ||
           bad(u, "%s/%s cannot be written: %s", u->to, u->m->name, strerror(errno));
}

static bool read_archive(struct unpack *u, struct archive *tar)
{
    struct archive_entry *e;

    if (archive_read_support_format_tar(tar) != ARCHIVE_OK ||
        archive_read_open(tar, u, NULL, on_read, NULL) != ARCHIVE_OK ||
        archive_read_next_header(tar, &e) != ARCHIVE_OK)
        return bad(u, "there is no tar archive in the bundle: %s", archive_error_string(tar));
    if (archive_entry_filetype(e) != AE_IFREG || archive_entry_hardlink(e) != NULL)
        return bad(u, "the archive in the bundle does not hold an image, but something else");
    if (archive_entry_size(e) < 0 || (uint64_t)archive_entry_size(e) != u->m->size_bytes)
        return bad(u, "the image in the bundle has %lld bytes, the manifest says %llu",
                   (long long)archive_entry_size(e), (unsigned long long)u->m->size_bytes);
    if (!copy_member(u, tar))
        return false;
    return archive_read_next_header(tar, &e) == ARCHIVE_EOF ||
           bad(u, "the archive in the bundle holds more than the image, or is damaged");
}

static bool check_end(struct unpack *u)
{
    uint8_t sha1[EVP_MAX_MD_SIZE];
    size_t got = 1;

    while (got > 0) {
        if (!more_tar(u, &got))
            return false;
    }
    if (EVP_DigestFinal_ex(u->tar_sha1, sha1, NULL) != 1)
        return bad(u, "the digest failed");
    if (memcmp(sha1, u->m->sha1, SHA1_BYTES) != 0)
        return bad(u, "the image's digest is not the one in the manifest");
    return u->parts_bytes == u->m->bundled_bytes ||
           bad(u, "the parts have %llu bytes together, the manifest says %llu",
               (unsigned long long)u->parts_bytes, (unsigned long long)u->m->bundled_bytes);
}

/* ---- the whole ------------------------------------------------------------------------------- */

static bool read_key(struct unpack *u, struct key *user, const char *hex, uint8_t *out)
{
    char text[2 * BUNDLE_KEY_BYTES + 1];
    bool good;

    if (!key_decrypt(user, hex, text, sizeof(text), u->why, u->why_cap)) {
        u->bad = true;
        return false;
    }
    good = hex_read(text, out, BUNDLE_KEY_BYTES);
    OPENSSL_cleanse(text, sizeof(text));
    return good || bad(u, "the private key opens something that is no bundle's key");
}

/* The bundle may be opened by its maker or by the cloud that it was made for. */
static bool open_keys(struct unpack *u, struct key *user)
{
    const struct manifest *m = u->m;
    uint8_t key[BUNDLE_KEY_BYTES], iv[BUNDLE_KEY_BYTES];
    bool good = m->user_key != NULL && read_key(u, user, m->user_key, key) &&
                read_key(u, user, m->user_iv, iv);

    if (!good && m->ec2_key != NULL) {
        u->bad = false;
        good = read_key(u, user, m->ec2_key, key) && read_key(u, user, m->ec2_iv, iv);
    }
    if (!good)
        return bad(u, "the private key does not open the bundle: it was made for another one");
    u->aes = EVP_CIPHER_CTX_new();
    u->tar_sha1 = EVP_MD_CTX_new();
    if (u->aes == NULL || u->tar_sha1 == NULL ||
        EVP_DecryptInit_ex(u->aes, EVP_aes_128_cbc(), NULL, key, iv) != 1 ||
        EVP_DigestInit_ex(u->tar_sha1, EVP_sha1(), NULL) != 1)
        return bad(u, "this OpenSSL does not offer SHA-1 and AES-128-CBC, which bundles need");
    OPENSSL_cleanse(key, sizeof(key));
    u->z_open = inflateInit2(&u->z, 15 + 16) == Z_OK;
    return u->z_open || bad(u, "out of memory");
}

static bool open_files(struct unpack *u)
{
    struct stat st;

    if (u->m->size_bytes > BUNDLE_IMAGE_MAX)
        return bad(u, "the manifest says that the image has %llu bytes; 10 GiB is the most",
                   (unsigned long long)u->m->size_bytes);
    u->from_fd = open(u->from, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (u->from_fd < 0)
        return bad(u, "the folder %s cannot be opened: %s", u->from, strerror(errno));
    u->to_fd = open(u->to, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (u->to_fd < 0)
        return bad(u, "the folder %s cannot be opened: %s", u->to, strerror(errno));
    if (fstatat(u->to_fd, u->m->name, &st, AT_SYMLINK_NOFOLLOW) == 0)
        return bad(u, "%s/%s is there already; remove it, or choose another folder", u->to,
                   u->m->name);
    snprintf(u->work_name, sizeof(u->work_name), ".%s.unbundling.%ld", u->m->name, (long)getpid());
    u->out_fd = openat(u->to_fd, u->work_name, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
    if (u->out_fd >= 0)
        return true;
    bad(u, "%s/%s cannot be made: %s", u->to, u->work_name, strerror(errno));
    u->work_name[0] = '\0';
    return false;
}

static bool give_name(struct unpack *u)
{
    if (fsync(u->out_fd) != 0)
        return bad(u, "%s/%s cannot be written: %s", u->to, u->m->name, strerror(errno));
    if (renameat(u->to_fd, u->work_name, u->to_fd, u->m->name) != 0)
        return bad(u, "%s/%s cannot get its name: %s", u->to, u->m->name, strerror(errno));
    u->work_name[0] = '\0';
    return true;
}

static void clean_up(struct unpack *u)
{
    if (u->work_name[0] != '\0')
        unlinkat(u->to_fd, u->work_name, 0);
    if (u->out_fd >= 0)
        close(u->out_fd);
    if (u->to_fd >= 0)
        close(u->to_fd);
    if (u->from_fd >= 0)
        close(u->from_fd);
    if (u->z_open)
        inflateEnd(&u->z);
    EVP_CIPHER_CTX_free(u->aes);
    EVP_MD_CTX_free(u->tar_sha1);
    free(u->part);
    free(u->plain);
}

bool bundle_unpack(const struct manifest *m, const char *from, const char *to, struct key *user,
                   const struct bundle_job *job, char *why, size_t why_cap)
{
    struct unpack *u = calloc(1, sizeof(*u));
    struct archive *tar = archive_read_new();
    bool good = u != NULL && tar != NULL;

    if (good) {
        u->m = m;
        u->job = job;
        u->from = from;
        u->to = to;
        u->why = why;
        u->why_cap = why_cap;
        u->from_fd = u->to_fd = u->out_fd = -1;
        good = open_keys(u, user) && open_files(u) && read_archive(u, tar) && check_end(u) &&
               give_name(u);
    } else {
        snprintf(why, why_cap, "out of memory");
    }
    archive_read_free(tar);
    if (u != NULL)
        clean_up(u);
    free(u);
    return good;
}
