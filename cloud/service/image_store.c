/* SPDX-License-Identifier: MIT */
/*
 * The keeper's step for images: take one that is pending, unpack its bundle or open its snapshot,
 * look into it, and make it available or say why not. All that is known of the work is the row and
 * a file that no row tells of, so whatever ends the service, the next one begins anew.
 */
#include <fcntl.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <openssl/crypto.h>

#include "cloud/service/bucket_source.h"
#include "cloud/service/image.h"
#include "cloud/service/image_helper.h"
#include "host/filedisk.h"

#define RETRY_S 30

struct job {
    struct service *svc;
    const struct account *owner;
    struct ec2_image image;
    bool arch_given;
    struct buf location, manifest;
    struct manifest read;
    struct arena arena;
    struct blob blob; /* of a bundle */
    bool again;       /* the failure may pass */
    char why[2 * AKI_WHY_MAX];
};

__attribute__((format(printf, 2, 3))) static bool fail(struct job *j, const char *fmt, ...)
{
    va_list ap;

    va_start(ap, fmt);
    vsnprintf(j->why, sizeof(j->why), fmt, ap);
    va_end(ap);
    return false;
}

static bool pass_later(struct job *j, const char *why)
{
    j->again = true;
    return fail(j, "%s", why);
}

/* ---- what is to do --------------------------------------------------------------------------- */

static const struct account *account_of(const struct config *c, const char *id)
{
    for (size_t i = 0; i < c->nr_accounts; i++)
        if (strcmp(c->accounts[i].id, id) == 0)
            return &c->accounts[i];
    return NULL;
}

static bool find_job(struct service *svc, struct job *j)
{
    sqlite3 *c = db_reader(svc->db);
    sqlite3_stmt *s =
        db_query(c,
                 "SELECT i.id, i.account, i.location, j.manifest, j.arch_given FROM image i"
                 " JOIN image_job j ON j.image = i.id WHERE i.state = 'pending'"
                 " AND j.not_before <= ? AND NOT EXISTS(SELECT 1 FROM image_mapping m"
                 " JOIN snapshot s ON s.id = m.snapshot WHERE m.image = i.id"
                 " AND s.state = 'pending') ORDER BY i.created LIMIT 1",
                 "i", (int64_t)time(NULL));
    bool found = s && sqlite3_step(s) == SQLITE_ROW &&
                 image_find(c, db_text(s, 1), db_text(s, 0), &j->image);

    if (found) {
        j->svc = svc;
        j->owner = account_of(&svc->config, j->image.account);
        j->arch_given = sqlite3_column_int64(s, 4) != 0;
        buf_puts(&j->location, db_text(s, 2));
        buf_puts(&j->manifest, db_text(s, 3));
    }
    sqlite3_finalize(s);
    db_done(svc->db, c);
    return found;
}

/* ---- files ----------------------------------------------------------------------------------- */

static int open_part(void *ctx, uint32_t i, bool *again, char *why, size_t why_cap)
{
    struct job *j = ctx;
    const char *slash = strrchr(j->location.text, '/');
    const struct bucket_use use = {.svc = j->svc, .account = j->owner};
    struct buf location = {0}, said = {0};
    uint64_t size_bytes;
    int fd = -1;

    if (i >= j->read.nr_parts)
        return -1;
    buf_add(&location, j->location.text, slash ? (size_t)(slash - j->location.text) + 1 : 0);
    buf_puts(&location, j->read.parts[i].filename);
    enum bucket_result result =
        bucket_open(&use, location.text, BUNDLE_PART_FILE_MAX, &fd, &size_bytes, &said);

    *again = result == BUCKET_FAILED;
    if (result != BUCKET_GOOD) {
        snprintf(why, why_cap, "%s", said.text);
        fd = -1;
    }
    buf_free(&location);
    buf_free(&said);
    return fd;
}

/* The blob of a snapshot, and those below it that it shares bytes with. */
static bool open_layers(struct job *j, struct image_work *w)
{
    sqlite3 *c = db_reader(j->svc->db);
    struct blob b = j->image.blob;
    struct buf path = {0};
    bool whole = db_number(c, 1,
                           "SELECT count(*) FROM image_mapping m JOIN snapshot s"
                           " ON s.id = m.snapshot WHERE m.image = ? AND s.state <> 'completed'",
                           "s", j->image.id) == 0;
    bool good = whole && b.id[0] != '\0';

    while (good && w->nr_layers < MACHINE_LAYERS_MAX) {
        struct machine_layer *layer = &w->layers[w->nr_layers];

        blob_path(j->svc->config.state_dir, b.id, &path);
        *layer =
            (struct machine_layer){.fd = open(path.text, O_RDONLY | O_CLOEXEC), .qcow2 = b.qcow2};
        good = layer->fd >= 0;
        w->nr_layers += good;
        if (!good || !b.parent[0])
            break;
        good = blob_find(c, b.parent, &b);
    }
    db_done(j->svc->db, c);
    buf_free(&path);
    return good ||
           fail(j,
                "A snapshot that it is made of was not completed; DescribeSnapshots may tell why.");
}

static bool open_bundle(struct job *j, struct image_work *w)
{
    const char *dir = j->svc->config.state_dir;
    struct buf why = {0};
    char said[1024];
    bool good;

    if (!j->owner)
        return fail(j, "The account %s is not in the service's configuration any more.",
                    j->image.account);
    if (!manifest_read(&j->read, j->manifest.text, j->manifest.len, &j->arena, said,
                       sizeof(said)) ||
        !bundle_open_key(&j->read, j->svc->identity.private, &w->key, said, sizeof(said)))
        return fail(j, "Its manifest cannot be used: %s.", said);
    w->manifest = j->manifest.text;
    w->manifest_len = j->manifest.len;
    w->open_part = open_part;
    w->ctx = j;
    /* What it takes unpacked nobody knows: at most its size, but hardly less than its parts. */
    w->layers[0].fd =
        blob_room_for(dir, j->read.bundled_bytes, &why) ? blob_begin(dir, &j->blob, &why) : -1;
    good = w->layers[0].fd >= 0 || pass_later(j, why.text);
    w->nr_layers = good;
    buf_free(&why);
    return good;
}

/* The file of a bundle stays if the work was good; the other ones are as they were. */
static bool close_files(struct job *j, struct image_work *w, bool good)
{
    const char *dir = j->svc->config.state_dir;
    struct buf why = {0};

    if (!w->manifest) {
        for (uint32_t i = 0; i < w->nr_layers; i++)
            close(w->layers[i].fd);
    } else if (good && !blob_keep(dir, w->layers[0].fd, &j->blob, &why)) {
        good = pass_later(j, why.text);
        j->blob = (struct blob){0};
    } else if (!good && w->nr_layers > 0) {
        close(w->layers[0].fd);
        blob_throw_away(dir, &j->blob);
        j->blob = (struct blob){0};
    }
    buf_free(&why);
    return good;
}

static bool make_file(struct job *j, struct image_found *found)
{
    struct image_work *w = xalloc(sizeof(*w));
    bool good;

    w->type = j->image.type;
    w->arch = aki_arch(j->image.narrow);
    w->place = j->location.text;
    w->stop = keeper_stopping(j->svc->keeper);
    good = j->manifest.len > 0 ? open_bundle(j, w) : open_layers(j, w);
    if (good)
        good = image_work(w, found, &j->again, j->why, sizeof(j->why));
    good = close_files(j, w, good);
    OPENSSL_cleanse(&w->key, sizeof(w->key));
    free(w);
    return good;
}

/* ---- what it is ------------------------------------------------------------------------------ */

static bool choose_kernel(struct job *j, const struct image_found *found,
                          const struct kernel_use *use)
{
    char why[AKI_WHY_MAX];
    const char *id;

    if (!found->looked)
        return fail(j, "No kernel image can be chosen: %s. Name one with KernelId.",
                    found->image.reason);
    id = kernel_default(j->svc, use, why);
    if (!id)
        return fail(j, "No kernel image can be chosen: %s.", why);
    snprintf(j->image.kernel, sizeof(j->image.kernel), "%s", id);
    return true;
}

static bool check_kernel(struct job *j, const struct kernel_use *use, bool *pvboot)
{
    struct kernel *k = xalloc(sizeof(*k));
    sqlite3 *c = db_reader(j->svc->db);
    bool good = kernel_resolve(j->svc, c, j->image.account, j->image.kernel, use, k);

    *pvboot = k->pvboot;
    if (!good)
        fail(j, "%s", k->why);
    db_done(j->svc->db, c);
    free(k);
    return good;
}

/* What was found in a machine image becomes the image's; does it all fit? */
static bool judge_machine(struct job *j, const struct image_found *found)
{
    const struct aki_image *i = &found->image;
    struct kernel_use use = {.narrow = j->image.narrow, .check_only = true};
    bool pvboot = true;

    if (found->looked)
        use.layout = i->hd00 ? LAYOUT_HD00 : LAYOUT_HD0;
    j->image.layout = use.layout;
    if (i->boots && !j->arch_given)
        use.narrow = j->image.narrow = i->narrow;
    if (j->image.kernel[0] && !check_kernel(j, &use, &pvboot))
        return false;
    if (pvboot && i->boots && i->narrow != use.narrow)
        return fail(j, "It boots %s, a kernel for %s, but is registered for %s.", i->kernel,
                    aki_arch(i->narrow), aki_arch(use.narrow));
    if (!j->image.kernel[0] && !choose_kernel(j, found, &use))
        return false;
    if (pvboot && !i->boots) /* a doubt, no failure: another kernel image may be named later */
        fail(j, "%s would find nothing to boot in it: %s", j->image.kernel, i->reason);
    return true;
}

static bool judge(struct job *j, const struct image_found *found)
{
    if (j->image.type == MANIFEST_MACHINE)
        return judge_machine(j, found);
    if (j->image.type == MANIFEST_KERNEL && !found->image.boots)
        return fail(j, "It is no kernel that starts under Xen: %s", found->image.reason);
    return true;
}

/* ---- rows ------------------------------------------------------------------------------------ */

/* It may have been deregistered meanwhile. */
static bool still_wanted(sqlite3 *c, const struct job *j)
{
    return db_number(c, 0, "SELECT count(*) FROM image WHERE id = ? AND state = 'pending'", "s",
                     j->image.id) == 1;
}

static bool write_end(struct job *j, const char *state)
{
    struct db *db = j->svc->db;
    const struct ec2_image *i = &j->image;
    sqlite3 *c = db_begin(db);

    if (!c)
        return false;
    if (still_wanted(c, j) && (!j->blob.id[0] || blob_insert(c, &j->blob, i->account)) &&
        db_run(
            c,
            "UPDATE image SET state = ?, reason = ?, arch = ?, kernel = ?, blob = ? WHERE id = ?",
            "ssssss", state, j->why, aki_arch(i->narrow), i->kernel[0] ? i->kernel : NULL,
            j->blob.id[0] ? j->blob.id : NULL, i->id) &&
        (i->layout == LAYOUT_UNKNOWN || db_run(c, "UPDATE image SET hd00 = ? WHERE id = ?", "is",
                                               (int64_t)(i->layout == LAYOUT_HD00), i->id)) &&
        db_run(c, "DELETE FROM image_job WHERE image = ?", "s", i->id))
        return db_commit(db);
    db_rollback(db);
    return false;
}

static bool write_delay(struct job *j)
{
    struct db *db = j->svc->db;
    sqlite3 *c = db_begin(db);

    if (!c)
        return false;
    if (db_run(c, "UPDATE image SET reason = ? WHERE id = ?", "ss", j->why, j->image.id) &&
        db_run(c, "UPDATE image_job SET not_before = ? WHERE image = ?", "is",
               (int64_t)time(NULL) + RETRY_S, j->image.id))
        return db_commit(db);
    db_rollback(db);
    return false;
}

static bool finish(struct job *j, bool good)
{
    bool written;

    if (!good && *keeper_stopping(j->svc->keeper))
        return false;
    if (!good && j->again)
        return write_delay(j);
    written = write_end(j, good ? "available" : "failed");
    fprintf(stderr, "pvbootd: image %s: %s%s%s\n", j->image.id,
            !written ? "deregistered, or the state cannot be written"
            : good   ? "available"
                     : "failed",
            j->why[0] ? ": " : "", j->why);
    return written;
}

bool images_step(struct service *svc)
{
    struct job *j = xalloc(sizeof(*j));
    struct image_found *found = xalloc(sizeof(*found));
    bool did = false;

    arena_init(&j->arena, &host_memory);
    if (find_job(svc, j)) {
        bool good = make_file(j, found);

        if (good) {
            j->why[0] = '\0';
            good = judge(j, found);
        }
        if (!good && j->blob.id[0]) {
            blob_throw_away(svc->config.state_dir, &j->blob);
            j->blob = (struct blob){0};
        }
        did = finish(j, good);
        if (!did && j->blob.id[0])
            blob_throw_away(svc->config.state_dir, &j->blob);
    }
    arena_reset(&j->arena);
    buf_free(&j->location);
    buf_free(&j->manifest);
    free(found);
    free(j);
    return did;
}
