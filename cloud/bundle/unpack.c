/* SPDX-License-Identifier: MIT */
/*
 * The outside of the unpacking: a thread reads the parts and feeds the process behind the fence. A
 * part is read as a whole and passed on only when its digest is right.
 */
#include "cloud/bundle/unpack.h"

#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include <openssl/crypto.h>
#include <openssl/evp.h>

#include "host/fence.h"
#include "host/hex.h"

#define WHY_MAX    1024
#define PIPE_BYTES (1 << 20)
#define CPU_S_MAX  7200u

/* What the process behind the fence leaves. */
struct result {
    bool good;
    char why[WHY_MAX];
};

struct unpack {
    const struct manifest *m;
    const struct bundle_source *from;
    const struct bundle_job *job;
    int out, pipe_in, pipe_out;
    EVP_CIPHER_CTX *aes;
    EVP_MD *sha1;
    EVP_MD_CTX *part_sha1;
    struct result *result;
    bool decrypted_all, feeds;
    pthread_t feeder;
    /* The thread's. */
    bool fed;
    char why[WHY_MAX];
    uint8_t *part;
    size_t part_room;
    uint64_t parts_bytes;
};

__attribute__((format(printf, 2, 3))) static bool bad(struct unpack *u, const char *fmt, ...)
{
    va_list ap;

    va_start(ap, fmt);
    vsnprintf(u->why, sizeof(u->why), fmt, ap);
    va_end(ap);
    return false;
}

/* ---- the thread: parts ----------------------------------------------------------------------- */

static bool part_room(struct unpack *u, size_t len)
{
    size_t room = len > BUNDLE_PART_BYTES ? len : BUNDLE_PART_BYTES;

    if (u->part != NULL && u->part_room >= len)
        return true;
    free(u->part);
    u->part = malloc(room);
    u->part_room = room;
    return u->part != NULL || bad(u, "out of memory");
}

static bool read_part(struct unpack *u, int fd, const char *name, size_t len)
{
    size_t got = 0;

    while (got < len) {
        ssize_t n = pread(fd, u->part + got, len - got, (off_t)got);

        if (n < 0 && errno == EINTR)
            continue;
        if (n <= 0)
            return bad(u, "%s/%s cannot be read: %s", u->from->place, name,
                       n < 0 ? strerror(errno) : "it became shorter");
        got += (size_t)n;
    }
    return true;
}

/* Part i into u->part; *len its length. */
static bool load_part(struct unpack *u, uint32_t i, size_t *len)
{
    const struct manifest_part *part = &u->m->parts[i];
    int fd = u->from->open_part(u->from->ctx, i);
    struct stat st = {0};
    bool good = true;

    if (fd < 0 || fstat(fd, &st) != 0)
        good = bad(u, "part %u of %u, %s/%s, cannot be opened: %s", i + 1, u->m->nr_parts,
                   u->from->place, part->filename, strerror(errno));
    else if (!S_ISREG(st.st_mode) || (uint64_t)st.st_size > BUNDLE_PART_FILE_MAX)
        good = bad(u, "%s/%s is no part of a bundle: it is %s", u->from->place, part->filename,
                   S_ISREG(st.st_mode) ? "too large" : "no file");
    *len = (size_t)st.st_size;
    good = good && part_room(u, *len) && read_part(u, fd, part->filename, *len);
    if (fd >= 0)
        close(fd);
    return good;
}

static bool check_part(struct unpack *u, uint32_t i, size_t len)
{
    const struct manifest_part *part = &u->m->parts[i];
    uint8_t sha1[EVP_MAX_MD_SIZE];

    if (EVP_DigestInit_ex(u->part_sha1, u->sha1, NULL) != 1 ||
        EVP_DigestUpdate(u->part_sha1, u->part, len) != 1 ||
        EVP_DigestFinal_ex(u->part_sha1, sha1, NULL) != 1)
        return bad(u, "the digest of part %u failed", i + 1);
    if (memcmp(sha1, part->sha1, SHA1_BYTES) != 0)
        return bad(u, "%s/%s is damaged: its digest is not the one in the manifest; fetch it again",
                   u->from->place, part->filename);
    u->parts_bytes += len;
    return u->parts_bytes <= u->m->bundled_bytes ||
           bad(u, "the parts have more than the %llu bytes that the manifest says",
               (unsigned long long)u->m->bundled_bytes);
}

/* False also when nobody listens any more: then `why` stays empty, and the listener's counts. */
static bool pass_on(struct unpack *u, size_t len)
{
    for (size_t done = 0; done < len;) {
        ssize_t n = write(u->pipe_in, u->part + done, len - done);

        if (n < 0 && errno != EINTR)
            return errno == EPIPE ? false : bad(u, "the pipe failed: %s", strerror(errno));
        done += n > 0 ? (size_t)n : 0;
    }
    return true;
}

static bool feed_parts(struct unpack *u)
{
    size_t len = 0;

    for (uint32_t i = 0; i < u->m->nr_parts; i++) {
        if (*u->job->stop != 0)
            return bad(u, "interrupted; nothing of the image was left");
        if (!load_part(u, i, &len) || !check_part(u, i, len) || !pass_on(u, len))
            return false;
        if (u->job->progress != NULL)
            u->job->progress(u->job->progress_ctx, u->parts_bytes, u->m->bundled_bytes);
    }
    return u->parts_bytes == u->m->bundled_bytes ||
           bad(u, "the parts have %llu bytes together, the manifest says %llu",
               (unsigned long long)u->parts_bytes, (unsigned long long)u->m->bundled_bytes);
}

/* The end, for the other side. */
static void end_feeding(struct unpack *u)
{
    if (u->pipe_in >= 0)
        close(u->pipe_in);
    u->pipe_in = -1;
}

static void *feed(void *ctx)
{
    struct unpack *u = ctx;

    u->fed = feed_parts(u);
    end_feeding(u);
    return NULL;
}

/* ---- behind the fence ------------------------------------------------------------------------ */

static ssize_t get_plain(void *ctx, uint8_t *buf, size_t cap)
{
    static uint8_t cipher[64 << 10];
    struct unpack *u = ctx;
    int out = 0;

    if (cap < sizeof(cipher) + EVP_MAX_BLOCK_LENGTH)
        return -1;
    while (out == 0 && !u->decrypted_all) {
        ssize_t n = read(u->pipe_out, cipher, sizeof(cipher));

        if (n < 0 && errno == EINTR)
            continue;
        u->decrypted_all = n <= 0;
        if (n > 0 ? EVP_DecryptUpdate(u->aes, buf, &out, cipher, (int)n) == 1
                  : EVP_DecryptFinal_ex(u->aes, buf, &out) == 1)
            continue;
        snprintf(u->result->why, WHY_MAX,
                 "the bundle does not end as it should: a part is missing, or the key is another "
                 "one");
        return -1;
    }
    return out;
}

static bool put_image(void *ctx, const uint8_t *bytes, size_t len, uint64_t off_bytes)
{
    struct unpack *u = ctx;
    bool good = lseek(u->out, (off_t)off_bytes, SEEK_SET) == (off_t)off_bytes;

    for (size_t done = 0; good && done < len;) {
        ssize_t n = write(u->out, bytes + done, len - done);

        good = n > 0 || (n < 0 && errno == EINTR);
        done += n > 0 ? (size_t)n : 0;
    }
    if (!good)
        snprintf(u->result->why, WHY_MAX, "the image cannot be written: %s", strerror(errno));
    return good;
}

static int unpack_work(void *ctx)
{
    struct unpack *u = ctx;
    const struct unpack_io io = {.get = get_plain, .put = put_image, .ctx = u};

    u->result->good = unpack_stream(u->m, &io, u->result->why, WHY_MAX);
    return 0;
}

/* ---- the whole ------------------------------------------------------------------------------- */

static bool prepare(struct unpack *u, const struct bundle_key *key)
{
    int ends[2];
    struct stat st;

    if (u->m->size_bytes > BUNDLE_IMAGE_MAX)
        return bad(u, "the manifest says that the image has %llu bytes; 10 GiB is the most",
                   (unsigned long long)u->m->size_bytes);
    if (u->m->bundled_bytes > BUNDLED_MAX)
        return bad(u, "the manifest says that the parts have %llu bytes; no image needs so many",
                   (unsigned long long)u->m->bundled_bytes);
    if (fstat(u->out, &st) != 0 || !S_ISREG(st.st_mode) || st.st_size != 0 ||
        ftruncate(u->out, (off_t)u->m->size_bytes) != 0)
        return bad(u, "the image cannot be written: %s", strerror(errno));
    u->aes = EVP_CIPHER_CTX_new();
    u->part_sha1 = EVP_MD_CTX_new();
    u->sha1 = EVP_MD_fetch(NULL, "SHA1", NULL);
    if (u->aes == NULL || u->part_sha1 == NULL || u->sha1 == NULL ||
        EVP_DecryptInit_ex(u->aes, EVP_aes_128_cbc(), NULL, key->key, key->iv) != 1)
        return bad(u, "this OpenSSL does not offer SHA-1 and AES-128-CBC, which bundles need");
    u->result = fence_share(sizeof(*u->result));
    if (u->result == NULL || pipe2(ends, O_CLOEXEC) != 0)
        return bad(u, "no pipe for the process that unpacks: %s", strerror(errno));
    u->pipe_out = ends[0];
    u->pipe_in = ends[1];
    (void)fcntl(u->pipe_in, F_SETPIPE_SZ, PIPE_BYTES); /* smaller only costs time */
    return true;
}

/* Once the child exists. The thread takes no signals: the fence waits for them. */
static void start_feeding(void *ctx)
{
    struct unpack *u = ctx;
    sigset_t all, before;

    sigfillset(&all);
    pthread_sigmask(SIG_SETMASK, &all, &before);
    int error = pthread_create(&u->feeder, NULL, feed, u);

    pthread_sigmask(SIG_SETMASK, &before, NULL);
    u->feeds = error == 0;
    if (u->feeds)
        return;
    bad(u, "no thread to read the parts: %s", strerror(error));
    end_feeding(u);
}

static bool run(struct unpack *u)
{
    struct fence fence = {.keep = {u->pipe_out, u->out},
                          .nr_keep = 2,
                          .memory_bytes = FENCE_MEMORY,
                          .file_bytes = u->m->size_bytes,
                          .cpu_s = CPU_S_MAX,
                          .begun = start_feeding};
    struct fence_end end = fence_run(&fence, unpack_work, u);

    close(u->pipe_out); /* the thread hears that nobody listens */
    u->pipe_out = -1;
    if (u->feeds)
        pthread_join(u->feeder, NULL);
    if (u->why[0] != '\0')
        return false;
    u->result->why[WHY_MAX - 1] = '\0';
    if (end.signal_nr != 0)
        return bad(u, "interrupted; nothing of the image was left");
    if (end.status != 0)
        return bad(u, "the process that unpacks the bundle was stopped, for the reason above");
    if (!u->result->good)
        return bad(u, "%s", u->result->why);
    /* It says that it is good without having taken all: no bundle does that. */
    return u->fed || bad(u, "the bundle holds more than its image");
}

bool bundle_unpack(const struct manifest *m, const struct bundle_source *from,
                   const struct bundle_key *key, int out, const struct bundle_job *job, char *why,
                   size_t why_cap)
{
    struct unpack *u = calloc(1, sizeof(*u));

    if (u == NULL) {
        snprintf(why, why_cap, "out of memory");
        return false;
    }
    *u = (struct unpack){
        .m = m, .from = from, .job = job, .out = out, .pipe_in = -1, .pipe_out = -1};
    bool good = prepare(u, key) && run(u);

    if (!good)
        snprintf(why, why_cap, "%s", u->why);
    end_feeding(u);
    if (u->pipe_out >= 0)
        close(u->pipe_out);
    if (u->result != NULL)
        munmap(u->result, sizeof(*u->result));
    EVP_CIPHER_CTX_free(u->aes);
    EVP_MD_CTX_free(u->part_sha1);
    EVP_MD_free(u->sha1);
    free(u->part);
    free(u);
    return good;
}

/* ---- the bundle's key ------------------------------------------------------------------------ */

static bool open_value(struct key *private, const char *hex, uint8_t out[BUNDLE_KEY_BYTES],
                       char *why, size_t why_cap)
{
    char text[2 * BUNDLE_KEY_BYTES + 1];

    if (hex == NULL || !key_decrypt(private, hex, text, sizeof(text), why, why_cap))
        return false;
    bool good = hex_read(text, out, BUNDLE_KEY_BYTES);

    OPENSSL_cleanse(text, sizeof(text));
    if (!good)
        snprintf(why, why_cap, "the private key opens something that is no bundle's key");
    return good;
}

bool bundle_open_key(const struct manifest *m, struct key *private, struct bundle_key *out,
                     char *why, size_t why_cap)
{
    snprintf(why, why_cap, "the bundle has no key for its maker or the cloud");
    return (open_value(private, m->user_key, out->key, why, why_cap) &&
            open_value(private, m->user_iv, out->iv, why, why_cap)) ||
           (open_value(private, m->ec2_key, out->key, why, why_cap) &&
            open_value(private, m->ec2_iv, out->iv, why, why_cap));
}
