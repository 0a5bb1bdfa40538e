/* SPDX-License-Identifier: MIT */
/* The disks of the service: qemu-img, an independent reader of qcow2, says what they are. */
#include "tests/unit/test.h"

#include <fcntl.h>
#include <pthread.h>
#include <stdarg.h>
#include <stdlib.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <unistd.h>

#include "cloud/service/blob.h"

#define MIB (UINT64_C(1) << 20)
#define GIB (UINT64_C(1) << 30)

static const stop_flag go_on, stop_now = 1;
static char dir[64];
static struct buf why;

/* A new state's folder. */
static void begin(void)
{
    snprintf(dir, sizeof(dir), "/tmp/pvboot-blob-XXXXXX");
    CHECK(mkdtemp(dir) != NULL);
    buf_clear(&why);
    CHECK(blobs_prepare(dir, &why));
}

static void end(void)
{
    char command[128];

    snprintf(command, sizeof(command), "rm -rf %s", dir);
    CHECK(system(command) == 0);
}

/* Does this shell command, run in the folder of the blobs, succeed? */
static bool __attribute__((format(printf, 1, 2))) shell(const char *fmt, ...)
{
    char command[1024];
    size_t len;
    va_list ap;

    snprintf(command, sizeof(command), "cd %s/blobs && exec >>../said 2>&1 && ", dir);
    len = strlen(command);
    va_start(ap, fmt);
    vsnprintf(command + len, sizeof(command) - len, fmt, ap);
    va_end(ap);
    return system(command) == 0;
}

static unsigned nr_files(void)
{
    char command[128];
    unsigned nr = 0;
    FILE *f;

    snprintf(command, sizeof(command), "ls %s/blobs | wc -l", dir);
    f = popen(command, "r");
    CHECK(f != NULL && fscanf(f, "%u", &nr) == 1);
    if (f)
        pclose(f);
    return nr;
}

/* What a blob holds besides holes, whatever the file system has reserved for it. */
static uint64_t data_bytes(const struct blob *b)
{
    struct buf path = {0};
    uint64_t sum = 0;
    off_t data, hole = 0;

    blob_path(dir, b->id, &path);
    int fd = open(path.text, O_RDONLY);

    CHECK(fd >= 0 && fsync(fd) == 0);
    while ((data = lseek(fd, hole, SEEK_DATA)) >= 0) {
        hole = lseek(fd, data, SEEK_HOLE);
        sum += (uint64_t)(hole - data);
    }
    close(fd);
    buf_free(&path);
    return sum;
}

/* A raw blob with some bytes and holes. */
static struct blob make_raw(uint64_t size_bytes)
{
    struct blob b;

    CHECK(blob_make_empty(dir, size_bytes, &b, &why));
    CHECK(shell("qemu-io -f raw -c 'write -P 17 0 64k' -c 'write -P 18 700k 100k' %s", b.id));
    return b;
}

static void children_are_qcow2_as_qemu_reads_it(void)
{
    static const uint64_t sizes[] = {MIB, 3 * GIB + 512, 1024 * GIB, 4096 * GIB};

    begin();
    for (size_t i = 0; i < sizeof(sizes) / sizeof(sizes[0]); i++) {
        struct blob parent = make_raw(MIB), child, grandchild;

        CHECK(blob_make_child(dir, &parent, sizes[i], &child, &why));
        CHECK(child.qcow2 && child.virtual_bytes == sizes[i]);
        CHECK_STR(child.parent, parent.id);
        CHECK(shell("qemu-img check -f qcow2 %s", child.id));
        CHECK(shell("qemu-img info -f qcow2 --output=json %s | grep -q '\"virtual-size\": %llu,'",
                    child.id, (unsigned long long)sizes[i]));
        CHECK(shell("qemu-io -f qcow2 -c 'read -P 17 0 64k' -c 'read -P 0 64k 636k'"
                    " -c 'read -P 18 700k 100k' %s",
                    child.id));
        CHECK(shell("qemu-io -f qcow2 -c 'write -P 99 %llu 512' -c 'write -P 98 0 512' %s",
                    (unsigned long long)sizes[i] - 512, child.id));
        CHECK(blob_make_child(dir, &child, sizes[i], &grandchild, &why));
        CHECK(shell("qemu-img check -f qcow2 %s && qemu-img check -f qcow2 %s", child.id,
                    grandchild.id));
        CHECK(shell("qemu-io -f qcow2 -c 'read -P 99 %llu 512' -c 'read -P 98 0 512'"
                    " -c 'read -P 17 512 512' %s",
                    (unsigned long long)sizes[i] - 512, grandchild.id));
        CHECK(shell("qemu-io -f raw -c 'read -P 17 0 64k' %s", parent.id));
    }
    end();
}

static void too_large_a_child_is_refused(void)
{
    struct blob parent, child;

    begin();
    parent = make_raw(MIB);
    CHECK(!blob_make_child(dir, &parent, 4096 * GIB + 512, &child, &why));
    CHECK_STR(why.text, "A disk could not be made: File too large.");
    CHECK_U64(nr_files(), 1);
    end();
}

static void copies_have_the_same_parent_and_only_their_own_bytes(void)
{
    struct blob parent, child, copy = {0};

    begin();
    parent = make_raw(GIB);
    CHECK(shell("qemu-io -f raw -c 'write -P 7 100M 40M' %s", parent.id));
    CHECK(blob_make_child(dir, &parent, GIB, &child, &why));
    CHECK(shell("qemu-io -f qcow2 -c 'write -P 8 500M 1M' %s", child.id));
    blob_new_id(&copy);
    CHECK(blob_copy(dir, &child, &go_on, &copy, &why) == BLOB_DONE);
    CHECK(copy.qcow2);
    CHECK_STR(copy.parent, parent.id);
    CHECK(shell("cmp %s %s && qemu-img compare -f qcow2 -F qcow2 %s %s", child.id, copy.id,
                child.id, copy.id));
    CHECK(data_bytes(&copy) < 4 * MIB);

    struct blob raw_copy = {0};

    blob_new_id(&raw_copy);
    CHECK(blob_copy(dir, &parent, &go_on, &raw_copy, &why) == BLOB_DONE);
    CHECK(!raw_copy.qcow2 && raw_copy.parent[0] == 0);
    CHECK(shell("cmp %s %s", parent.id, raw_copy.id));
    CHECK(data_bytes(&raw_copy) <= data_bytes(&parent));
    end();
}

static void a_stopped_copy_leaves_nothing(void)
{
    struct blob parent, copy = {0};

    begin();
    parent = make_raw(GIB);
    CHECK(shell("qemu-io -f raw -c 'write -P 7 100M 40M' %s", parent.id));
    blob_new_id(&copy);
    /* Where blocks are shared, a copy takes no time and cannot be stopped. */
    if (blob_copy(dir, &parent, &stop_now, &copy, &why) != BLOB_DONE)
        CHECK_U64(nr_files(), 1);
    CHECK(blob_flatten(dir, &parent, &stop_now, &copy, &why) == BLOB_AGAIN);
    CHECK(blob_file_bytes(dir, copy.id) == 0);
    end();
}

struct writer {
    int fd;
    stop_flag stop;
};

static void *write_on(void *arg)
{
    struct writer *w = arg;

    for (unsigned i = 0; !w->stop; i++)
        if (pwrite(w->fd, &i, sizeof(i), 0) != sizeof(i))
            break;
    return NULL;
}

static void a_disk_that_is_written_to_is_no_copy(void)
{
    struct blob disk, copy = {0};
    struct writer w = {.stop = 0};
    struct buf path = {0};
    pthread_t thread = 0;

    begin();
    disk = make_raw(GIB);
    CHECK(shell("qemu-io -f raw -c 'write -P 7 100M 60M' %s", disk.id));
    blob_path(dir, disk.id, &path);
    w.fd = open(path.text, O_WRONLY);
    CHECK(w.fd >= 0 && pthread_create(&thread, NULL, write_on, &w) == 0);
    blob_new_id(&copy);
    buf_clear(&why);
    CHECK(blob_copy(dir, &disk, &go_on, &copy, &why) == BLOB_AGAIN);
    CHECK_STR(why.text, "The disk was written to while it was copied.");
    CHECK_U64(nr_files(), 1);
    w.stop = 1;
    pthread_join(thread, NULL);
    CHECK(blob_copy(dir, &disk, &go_on, &copy, &why) == BLOB_DONE);
    close(w.fd);
    buf_free(&path);
    end();
}

static void a_copy_of_what_is_gone_fails(void)
{
    struct blob nothing = {.id = "00000000000000000000000000000000"}, copy = {0};

    begin();
    blob_new_id(&copy);
    CHECK(blob_copy(dir, &nothing, &go_on, &copy, &why) == BLOB_FAILED);
    CHECK_STR(why.text, "A disk could not be copied: No such file or directory.");
    CHECK(blob_flatten(dir, &nothing, &go_on, &copy, &why) == BLOB_FAILED);
    CHECK_U64(nr_files(), 0);
    end();
}

static void flat_ones_show_the_same_without_parents(void)
{
    struct blob b[9], flat;

    begin();
    b[0] = make_raw(16 * MIB);
    for (unsigned i = 1; i < 9; i++) {
        CHECK(blob_make_child(dir, &b[i - 1], (16 + i) * MIB, &b[i], &why));
        CHECK(shell("qemu-io -f qcow2 -c 'write -P %u %uM 70k' %s", i, i, b[i].id));
    }
    CHECK(blob_flatten(dir, &b[8], &go_on, &flat, &why) == BLOB_DONE);
    CHECK(flat.parent[0] == 0 && flat.qcow2 && flat.virtual_bytes == 24 * MIB);
    CHECK(shell("qemu-img compare -f qcow2 -F qcow2 %s %s", b[8].id, flat.id));
    for (unsigned i = 0; i < 9; i++)
        blob_throw_away(dir, &b[i]);
    CHECK(shell("qemu-img check -f qcow2 %s && qemu-io -f qcow2 -c 'read -P 5 5M 70k' %s", flat.id,
                flat.id));
    end();
}

/* ---- rows ------------------------------------------------------------------------------------ */

static bool insert(struct db *db, const struct blob *b)
{
    sqlite3 *c = db_begin(db);
    bool good = c != NULL && blob_insert(c, b, "111122223333");

    return db_commit(db) && good;
}

static bool run(struct db *db, const char *sql)
{
    sqlite3 *c = db_begin(db);
    bool good = c != NULL && db_run(c, sql, "");

    return db_commit(db) && good;
}

/* A volume that needs the blob. */
static bool need(struct db *db, const struct blob *b)
{
    char sql[512];

    snprintf(sql, sizeof(sql),
             "INSERT INTO volume(id, account, hidden, state, size_gib, virtual_bytes, blob,"
             " created) VALUES('%s', '1', 0, 'available', 1, 1, '%s', 0)",
             b->id, b->id);
    return run(db, sql);
}

static void parents_stay_until_the_last_child_is_gone(void)
{
    struct blob parent, one, two, found;
    struct db *db;

    begin();
    db = db_open(dir, &why);
    CHECK(db != NULL);
    parent = make_raw(MIB);
    CHECK(blob_make_child(dir, &parent, MIB, &one, &why));
    CHECK(blob_make_child(dir, &one, MIB, &two, &why));
    CHECK(insert(db, &parent) && insert(db, &one) && insert(db, &two));
    CHECK(need(db, &parent) && need(db, &two));

    sqlite3 *c = db_reader(db);

    CHECK_U64(blob_depth(c, two.id), 2);
    CHECK_U64(blob_depth(c, parent.id), 0);
    CHECK(blob_find(c, two.id, &found) && found.qcow2 && found.virtual_bytes == MIB);
    CHECK_STR(found.parent, one.id);
    CHECK(!blob_find(c, "none", &found));
    db_done(db, c);

    blobs_drop_unused(dir, db);
    CHECK_U64(nr_files(), 3);
    CHECK(run(db, "DELETE FROM volume WHERE id IN (SELECT id FROM blob WHERE parent IS NULL)"));
    blobs_drop_unused(dir, db);
    CHECK_U64(nr_files(), 3);
    CHECK(run(db, "DELETE FROM volume"));
    blobs_drop_unused(dir, db);
    CHECK_U64(nr_files(), 0);
    db_close(db);
    end();
}

/* The two moments of a crash: a file before its row, and a file after its row. */
static void the_sweep_removes_what_no_row_tells_of(void)
{
    struct blob kept, before, after;
    struct db *db;

    begin();
    db = db_open(dir, &why);
    CHECK(db != NULL);
    kept = make_raw(MIB);
    before = make_raw(MIB);
    after = make_raw(MIB);
    CHECK(insert(db, &kept) && insert(db, &after) && need(db, &kept));
    CHECK(run(db, "DELETE FROM blob WHERE id NOT IN (SELECT id FROM blob_needed)"));
    CHECK(shell("touch torso"));
    blobs_sweep(dir, db);
    CHECK_U64(nr_files(), 1);
    CHECK(blob_file_bytes(dir, kept.id) > 0 && blob_file_bytes(dir, before.id) == 0);
    /* A state that cannot answer is no reason to remove anything. */
    CHECK(run(db, "PRAGMA foreign_keys=OFF") && run(db, "ALTER TABLE blob RENAME TO gone"));
    blobs_sweep(dir, db);
    CHECK_U64(nr_files(), 1);
    db_close(db);
    end();
}

static void a_full_disk_is_a_sentence_and_no_torso(void)
{
    static const char full[] = "A disk could not be copied: the disk of the service is full.";
    struct blob b, copy = {0};

    begin();
    end();
    CHECK(mkdir(dir, 0700) == 0);
    if (mount("blobs", dir, "tmpfs", 0, "size=40m") != 0) {
        printf("skip  %s: no tmpfs can be mounted here\n", __func__);
        rmdir(dir);
        return;
    }
    CHECK(blobs_prepare(dir, &why));
    CHECK(blob_make_empty(dir, GIB, &b, &why));
    CHECK(shell("qemu-io -f raw -c 'write -P 7 100M 20M' %s", b.id));
    blob_new_id(&copy);
    CHECK(blob_copy(dir, &b, &go_on, &copy, &why) == BLOB_FAILED);
    CHECK_STR(why.text, full);
    CHECK_U64(nr_files(), 1);
    CHECK(shell("dd if=/dev/zero of=../filler bs=1M") == false);
    CHECK(!blob_make_child(dir, &b, GIB, &copy, &why));
    CHECK_STR(why.text, "A disk could not be made: the disk of the service is full.");
    CHECK(blob_flatten(dir, &b, &go_on, &copy, &why) == BLOB_FAILED);
    CHECK_STR(why.text, full);
    CHECK_U64(nr_files(), 1);
    CHECK(umount(dir) == 0 && rmdir(dir) == 0);
}

int main(void)
{
    RUN(children_are_qcow2_as_qemu_reads_it);
    RUN(too_large_a_child_is_refused);
    RUN(copies_have_the_same_parent_and_only_their_own_bytes);
    RUN(a_stopped_copy_leaves_nothing);
    RUN(a_disk_that_is_written_to_is_no_copy);
    RUN(a_copy_of_what_is_gone_fails);
    RUN(flat_ones_show_the_same_without_parents);
    RUN(parents_stay_until_the_last_child_is_gone);
    RUN(the_sweep_removes_what_no_row_tells_of);
    RUN(a_full_disk_is_a_sentence_and_no_torso);
    buf_free(&why);
    return test_done();
}
