/* SPDX-License-Identifier: MIT */
#include "cloud/bundle/pack.h"

#include <errno.h>
#include <fcntl.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include <archive.h>
#include <archive_entry.h>
#include <linux/fs.h>
#include <openssl/crypto.h>
#include <openssl/evp.h>
#include <openssl/rand.h>

#include "cloud/bundle/gzip.h"
#include "cloud/bundle/work.h"
#include "host/hex.h"

#define READ_BYTES   ((size_t)1 << 20)
#define CIPHER_BYTES ((size_t)256 << 10)
#define TAR_RECORD   10240

struct pack {
    const struct bundle_job *job;
    struct manifest *m;
    struct arena *arena;
    char *why;
    size_t why_cap;
    bool bad;
    const char *image;
    int image_fd, to_fd; /* the image, the folder of the bundle */
    struct work work;    /* the hidden one in it */
    struct work_lock lock;
    bool is_file;
    uint64_t size_bytes, hole_end; /* up to there are zeroes */
    EVP_MD_CTX *tar_sha1, *part_sha1;
    EVP_CIPHER_CTX *aes;
    struct gzip *gzip;
    int part_fd;
    uint32_t part_bytes, parts_room, nr_moved;
    uint8_t cipher[CIPHER_BYTES + 64];
};

__attribute__((format(printf, 2, 3))) static bool bad(struct pack *p, const char *fmt, ...)
{
    va_list ap;

    if (!p->bad) { /* the first is the reason */
        va_start(ap, fmt);
        vsnprintf(p->why, p->why_cap, fmt, ap);
        va_end(ap);
    }
    p->bad = true;
    return false;
}

/* ---- parts ----------------------------------------------------------------------------------- */

static bool part_begin(struct pack *p)
{
    struct manifest *m = p->m;
    char name[32];

    if (m->nr_parts == MANIFEST_PARTS_MAX)
        return bad(p, "%s needs more than %u parts", p->image, MANIFEST_PARTS_MAX);
    if (m->nr_parts == p->parts_room) {
        uint32_t room = p->parts_room == 0 ? 64 : 2 * p->parts_room;
        struct manifest_part *parts = arena_array(p->arena, room, sizeof(*parts));

        if (parts == NULL)
            return bad(p, "out of memory");
        if (m->nr_parts > 0)
            memcpy(parts, m->parts, m->nr_parts * sizeof(*parts));
        m->parts = parts;
        p->parts_room = room;
    }
    snprintf(name, sizeof(name), "%u", m->nr_parts);
    p->part_fd = openat(p->work.fd, name, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
    if (p->part_fd < 0)
        return bad(p, "part %u cannot be made: %s", m->nr_parts, strerror(errno));
    p->part_bytes = 0;
    if (EVP_DigestInit_ex(p->part_sha1, EVP_sha1(), NULL) != 1)
        return bad(p, "this OpenSSL does not offer SHA-1, which bundles need");
    return true;
}

static bool part_end(struct pack *p)
{
    bool good = fsync(p->part_fd) == 0;

    good = close(p->part_fd) == 0 && good;
    p->part_fd = -1;
    if (!good)
        return bad(p, "part %u cannot be written: %s", p->m->nr_parts, strerror(errno));
    if (EVP_DigestFinal_ex(p->part_sha1, p->m->parts[p->m->nr_parts].sha1, NULL) != 1)
        return bad(p, "the digest of part %u failed", p->m->nr_parts);
    p->m->nr_parts++;
    return true;
}

static bool write_all(struct pack *p, const uint8_t *bytes, size_t len)
{
    while (len > 0) {
        ssize_t n = write(p->part_fd, bytes, len);

        if (n < 0 && errno == EINTR)
            continue;
        if (n < 0)
            return bad(p, "part %u cannot be written: %s", p->m->nr_parts, strerror(errno));
        bytes += n;
        len -= (size_t)n;
    }
    return true;
}

static bool put_cipher(struct pack *p, const uint8_t *bytes, size_t len)
{
    while (len > 0) {
        if (p->part_fd < 0 && !part_begin(p))
            return false;
        size_t room = BUNDLE_PART_BYTES - p->part_bytes, n = len < room ? len : room;

        if (EVP_DigestUpdate(p->part_sha1, bytes, n) != 1 || !write_all(p, bytes, n))
            return bad(p, "the digest of a part failed");
        p->part_bytes += (uint32_t)n;
        p->m->bundled_bytes += n;
        bytes += n;
        len -= n;
        if (p->part_bytes == BUNDLE_PART_BYTES && !part_end(p))
            return false;
    }
    return true;
}

/* ---- the pipe -------------------------------------------------------------------------------- */

static bool on_gzip(void *ctx, const uint8_t *bytes, size_t len)
{
    struct pack *p = ctx;

    while (len > 0) {
        size_t n = len < CIPHER_BYTES ? len : CIPHER_BYTES;
        int out = 0;

        if (EVP_EncryptUpdate(p->aes, p->cipher, &out, bytes, (int)n) != 1)
            return bad(p, "encrypting failed");
        if (!put_cipher(p, p->cipher, (size_t)out))
            return false;
        bytes += n;
        len -= n;
    }
    return true;
}

static la_ssize_t on_tar(struct archive *tar, void *ctx, const void *bytes, size_t len)
{
    struct pack *p = ctx;

    if (EVP_DigestUpdate(p->tar_sha1, bytes, len) == 1 && gzip_put(p->gzip, bytes, len))
        return (la_ssize_t)len;
    bad(p, "compressing failed");
    archive_set_error(tar, EIO, "the pipe ended");
    return -1;
}

static bool tar_member(struct pack *p, struct archive *tar)
{
    struct archive_entry *e = archive_entry_new();
    bool good = e != NULL;

    if (good) {
        archive_entry_set_pathname(e, p->m->name);
        archive_entry_set_filetype(e, AE_IFREG);
        archive_entry_set_perm(e, 0600);
        archive_entry_set_mtime(e, time(NULL), 0);
        archive_entry_set_size(e, (la_int64_t)p->size_bytes);
        good = archive_write_header(tar, e) == ARCHIVE_OK;
    }
    archive_entry_free(e);
    return good || bad(p, "the tar header failed: %s", archive_error_string(tar));
}

/*
 * Where the hole ends that begins at off_bytes; off_bytes itself when there is none, or when the
 * file system or device does not tell. Behind the end of a file that became shorter is no hole.
 */
static uint64_t hole_end(const struct pack *p, uint64_t off_bytes)
{
    off_t data = lseek(p->image_fd, (off_t)off_bytes, SEEK_DATA);
    struct stat st;

    if (data < 0 && errno == ENXIO && p->is_file && fstat(p->image_fd, &st) == 0 &&
        (uint64_t)st.st_size >= p->size_bytes)
        return p->size_bytes;
    if (data < 0)
        return off_bytes;
    return (uint64_t)data < p->size_bytes ? (uint64_t)data : p->size_bytes;
}

/* A hole is zeroes that need not be read, but count in the digest. */
static ssize_t next_bytes(struct pack *p, uint8_t *buf, uint64_t off_bytes, const uint8_t **bytes)
{
    static const uint8_t zeroes[READ_BYTES];
    uint64_t left = p->size_bytes - off_bytes;

    if (p->hole_end <= off_bytes)
        p->hole_end = hole_end(p, off_bytes);
    if (p->hole_end > off_bytes) {
        left = p->hole_end - off_bytes;
        *bytes = zeroes;
        return (ssize_t)(left < READ_BYTES ? left : READ_BYTES);
    }
    *bytes = buf;
    return pread(p->image_fd, buf, left < READ_BYTES ? (size_t)left : READ_BYTES, (off_t)off_bytes);
}

static bool copy_image(struct pack *p, struct archive *tar)
{
    uint8_t *buf = malloc(READ_BYTES);
    const uint8_t *bytes;
    uint64_t done = 0;
    bool good = buf != NULL || bad(p, "out of memory");

    while (good && done < p->size_bytes) {
        ssize_t n = next_bytes(p, buf, done, &bytes);

        if (*p->job->stop != 0)
            good = bad(p, "interrupted; nothing of the bundle was left");
        else if (n < 0 && errno == EINTR)
            continue;
        else if (n < 0)
            good = bad(p, "%s cannot be read: %s", p->image, strerror(errno));
        else if (n == 0)
            good = bad(p, "%s became shorter while it was read", p->image);
        else if (archive_write_data(tar, bytes, (size_t)n) != n)
            good = bad(p, "writing failed: %s", archive_error_string(tar));
        done += n > 0 ? (uint64_t)n : 0;
        if (good && p->job->progress != NULL)
            p->job->progress(p->job->progress_ctx, done, p->size_bytes);
    }
    free(buf);
    return good;
}

static bool run_tar(struct pack *p)
{
    struct archive *tar = archive_write_new();
    bool good = tar != NULL && archive_write_set_format_gnutar(tar) == ARCHIVE_OK &&
                archive_write_add_filter_none(tar) == ARCHIVE_OK &&
                archive_write_set_bytes_per_block(tar, 16 * TAR_RECORD) == ARCHIVE_OK &&
                archive_write_set_bytes_in_last_block(tar, TAR_RECORD) == ARCHIVE_OK &&
                archive_write_open(tar, p, NULL, on_tar, NULL) == ARCHIVE_OK;

    if (!good)
        bad(p, "the tar archive cannot be made");
    good = good && tar_member(p, tar) && copy_image(p, tar);
    if (good && archive_write_close(tar) != ARCHIVE_OK)
        good = bad(p, "writing failed: %s", archive_error_string(tar));
    if (!good && tar != NULL)
        archive_write_fail(tar);
    archive_write_free(tar);
    return good;
}

static bool run_pipe(struct pack *p, const uint8_t *key, const uint8_t *iv)
{
    int out = 0;

    p->tar_sha1 = EVP_MD_CTX_new();
    p->part_sha1 = EVP_MD_CTX_new();
    p->aes = EVP_CIPHER_CTX_new();
    p->gzip = gzip_new(0, on_gzip, p);
    if (p->tar_sha1 == NULL || p->part_sha1 == NULL || p->aes == NULL || p->gzip == NULL)
        return bad(p, "out of memory");
    if (EVP_DigestInit_ex(p->tar_sha1, EVP_sha1(), NULL) != 1 ||
        EVP_EncryptInit_ex(p->aes, EVP_aes_128_cbc(), NULL, key, iv) != 1)
        return bad(p, "this OpenSSL does not offer SHA-1 and AES-128-CBC, which bundles need");
    if (!run_tar(p))
        return false;
    if (!gzip_finish(p->gzip))
        return bad(p, "compressing failed");
    if (EVP_EncryptFinal_ex(p->aes, p->cipher, &out) != 1)
        return bad(p, "encrypting failed");
    if (!put_cipher(p, p->cipher, (size_t)out) || (p->part_fd >= 0 && !part_end(p)))
        return false;
    return EVP_DigestFinal_ex(p->tar_sha1, p->m->sha1, NULL) == 1 || bad(p, "the digest failed");
}

/* ---- keys ------------------------------------------------------------------------------------ */

static const char *wrapped(struct pack *p, struct key *k, const uint8_t *bytes)
{
    char text[2 * BUNDLE_KEY_BYTES + 1], *hex;
    const char *kept = NULL;

    if (p->bad)
        return NULL;
    hex_write(bytes, BUNDLE_KEY_BYTES, text);
    hex = key_encrypt(k, text, p->why, p->why_cap);
    OPENSSL_cleanse(text, sizeof(text));
    if (hex == NULL)
        p->bad = true;
    else if ((kept = arena_strndup(p->arena, hex, strlen(hex))) == NULL)
        bad(p, "out of memory");
    free(hex);
    return kept;
}

static bool with_keys(struct pack *p, struct key *user, struct key *ec2)
{
    uint8_t key[BUNDLE_KEY_BYTES], iv[BUNDLE_KEY_BYTES];
    struct manifest *m = p->m;
    bool good = RAND_bytes(key, sizeof(key)) == 1 && RAND_bytes(iv, sizeof(iv)) == 1;

    if (!good)
        return bad(p, "no random numbers for the bundle's key");
    m->ec2_key = wrapped(p, ec2, key);
    m->ec2_iv = wrapped(p, ec2, iv);
    m->user_key = wrapped(p, user, key);
    m->user_iv = wrapped(p, user, iv);
    good = !p->bad && run_pipe(p, key, iv);
    OPENSSL_cleanse(key, sizeof(key));
    return good;
}

/* ---- files ----------------------------------------------------------------------------------- */

static bool open_image(struct pack *p)
{
    struct stat st;

    p->image_fd = open(p->image, O_RDONLY | O_CLOEXEC);
    if (p->image_fd < 0 || fstat(p->image_fd, &st) != 0)
        return bad(p, "%s cannot be opened: %s", p->image, strerror(errno));
    p->is_file = S_ISREG(st.st_mode);
    if (p->is_file)
        p->size_bytes = (uint64_t)st.st_size;
    else if (!S_ISBLK(st.st_mode) || ioctl(p->image_fd, BLKGETSIZE64, &p->size_bytes) != 0)
        return bad(p, "%s is no file and no block device", p->image);
    if (p->size_bytes == 0)
        return bad(p, "%s is empty", p->image);
    if (p->size_bytes > BUNDLE_IMAGE_MAX)
        return bad(p, "%s has %llu bytes; a bundle takes an image of at most 10 GiB", p->image,
                   (unsigned long long)p->size_bytes);
    p->m->size_bytes = p->size_bytes;
    return true;
}

static bool open_folders(struct pack *p, const char *folder)
{
    char manifest[MANIFEST_NAME_MAX + 32], what[MANIFEST_NAME_MAX + 32], why[512];
    struct stat st;

    p->to_fd = open(folder, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (p->to_fd < 0)
        return bad(p, "the folder %s cannot be opened: %s", folder, strerror(errno));
    snprintf(manifest, sizeof(manifest), "%s" MANIFEST_SUFFIX, p->m->name);
    snprintf(what, sizeof(what), ".%s.bundling", p->m->name);
    if (!work_lock(&p->lock, p->to_fd, what, manifest, why, sizeof(why)))
        return bad(p, "%s/%s", folder, why);
    if (fstatat(p->to_fd, manifest, &st, AT_SYMLINK_NOFOLLOW) == 0)
        return bad(p,
                   "%s/%s is there already; remove that bundle, or choose another name or folder",
                   folder, manifest);
    if (work_folder(&p->work, p->to_fd, what, why, sizeof(why)))
        return true;
    return bad(p, "%s/%s", folder, why);
}

/* Names as wide as the number of parts asks for, so that they sort. */
static bool move_parts(struct pack *p)
{
    char from[32], to[MANIFEST_NAME_MAX + 32];
    int width = snprintf(NULL, 0, "%u", p->m->nr_parts);

    for (uint32_t i = 0; i < p->m->nr_parts; i++) {
        snprintf(from, sizeof(from), "%u", i);
        snprintf(to, sizeof(to), "%s.part.%0*u", p->m->name, width, i);
        p->m->parts[i].filename = arena_strndup(p->arena, to, strlen(to));
        if (p->m->parts[i].filename == NULL)
            return bad(p, "out of memory");
        if (renameat(p->work.fd, from, p->to_fd, to) != 0)
            return bad(p, "%s cannot get its name: %s", to, strerror(errno));
        p->nr_moved++;
    }
    return fsync(p->to_fd) == 0 || bad(p, "the folder cannot be written: %s", strerror(errno));
}

static bool put_manifest(struct pack *p, const char *text, size_t len)
{
    char name[MANIFEST_NAME_MAX + 32];

    snprintf(name, sizeof(name), "%s" MANIFEST_SUFFIX, p->m->name);
    p->part_fd = openat(p->work.fd, "manifest", O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0644);
    if (p->part_fd < 0 || !write_all(p, (const uint8_t *)text, len) || fsync(p->part_fd) != 0)
        return bad(p, "%s cannot be written: %s", name, strerror(errno));
    if (*p->job->stop != 0)
        return bad(p, "interrupted; nothing of the bundle was left");
    if (renameat(p->work.fd, "manifest", p->to_fd, name) != 0)
        return bad(p, "%s cannot get its name: %s", name, strerror(errno));
    if (fsync(p->to_fd) == 0)
        return true;
    bad(p, "the folder cannot be written: %s", strerror(errno));
    unlinkat(p->to_fd, name, 0); /* its parts go, too */
    return false;
}

static void clean_up(struct pack *p)
{
    if (p->part_fd >= 0)
        close(p->part_fd);
    for (uint32_t i = 0; i < p->nr_moved && p->bad; i++)
        unlinkat(p->to_fd, p->m->parts[i].filename, 0);
    work_end(&p->work);
    work_unlock(&p->lock);
    if (p->to_fd >= 0)
        close(p->to_fd);
    if (p->image_fd >= 0)
        close(p->image_fd);
    gzip_free(p->gzip);
    EVP_MD_CTX_free(p->tar_sha1);
    EVP_MD_CTX_free(p->part_sha1);
    EVP_CIPHER_CTX_free(p->aes);
}

bool bundle_pack(const char *image, const char *folder, struct manifest *m, struct key *user,
                 struct key *user_private, struct key *ec2, const struct bundle_job *job,
                 struct arena *a, char *why, size_t why_cap)
{
    struct pack *p = calloc(1, sizeof(*p));
    const char *text;
    size_t len;

    if (p == NULL) {
        snprintf(why, why_cap, "out of memory");
        return false;
    }
    *p = (struct pack){.job = job,
                       .m = m,
                       .arena = a,
                       .why = why,
                       .why_cap = why_cap,
                       .image = image,
                       .image_fd = -1,
                       .to_fd = -1,
                       .work = {.fd = -1},
                       .lock = {.fd = -1},
                       .part_fd = -1};
    m->nr_parts = 0;
    m->bundled_bytes = 0;
    bool good =
        open_image(p) && open_folders(p, folder) && with_keys(p, user, ec2) && move_parts(p);

    if (good && !manifest_write(m, user_private, a, &text, &len, why, why_cap)) {
        p->bad = true;
        good = false;
    }
    good = good && put_manifest(p, text, len);
    clean_up(p);
    free(p);
    return good;
}
