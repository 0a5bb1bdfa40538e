/* SPDX-License-Identifier: MIT */
/*
 * The listing of `pvboot ls`: names in byte order, symbolic links as they are. A directory that
 * turns up twice is damage (no Unix file system has hard links to directories) and is not entered
 * again, so the walk ends.
 */
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include <openssl/evp.h>

#include "core/base/text.h"
#include "host/files.h"
#include "host/json.h"
#include "host/hex.h"

#define SHA256_BYTES 32

/* For functions with large buffers, which must not end up in the frames of the recursion. */
#define OWN_FRAME __attribute__((noinline))

struct lister {
    struct machine *m;
    const struct ls_options *o;
    struct vol_id vol;
    struct fs *fs;
    char path[FS_PATH_MAX]; /* of what is at hand; of the directory, without the final slash */
    size_t path_len;
    uint64_t *seen; /* inodes of directories: a hash table, 0 is an empty slot */
    size_t nr_seen, seen_slots;
    bool good;
};

struct entry {
    char *name;
    size_t len;
    uint64_t ino;
};

struct entries {
    struct arena *arena;
    struct entry *list;
    size_t nr, room;
    bool full; /* no memory */
};

OWN_FRAME static void complain(struct lister *l, struct err e)
{
    char subject[FS_PATH_MAX + FS_DESCRIBE_MAX + VOL_NAME_MAX + 8];
    char name[VOL_NAME_MAX];

    vol_format(l->m->vols, l->vol, name, sizeof(name));
    snprintf(subject, sizeof(subject), "%s%s (%s)", name, l->path, l->fs->describe);
    say_error(e, subject);
    l->good = false;
}

static size_t slot_of(const struct lister *l, uint64_t ino)
{
    size_t i = (size_t)(ino * UINT64_C(0x9e3779b97f4a7c15) >> 20) & (l->seen_slots - 1);

    while (l->seen[i] != 0 && l->seen[i] != ino)
        i = (i + 1) & (l->seen_slots - 1);
    return i;
}

/* Has the directory been listed already? Remembers it. No memory counts as yes. */
static bool seen_before(struct lister *l, uint64_t ino)
{
    if (l->nr_seen * 2 >= l->seen_slots) {
        struct lister bigger = *l;

        bigger.seen_slots = l->seen_slots == 0 ? 1024 : l->seen_slots * 2;
        bigger.seen = calloc(bigger.seen_slots, sizeof(*bigger.seen));
        if (bigger.seen == NULL)
            return true;
        for (size_t i = 0; i < l->seen_slots; i++) {
            if (l->seen[i] != 0)
                bigger.seen[slot_of(&bigger, l->seen[i])] = l->seen[i];
        }
        free(l->seen);
        l->seen = bigger.seen;
        l->seen_slots = bigger.seen_slots;
    }
    size_t i = slot_of(l, ino);

    if (l->seen[i] == ino)
        return true;
    l->seen[i] = ino;
    l->nr_seen++;
    return false;
}

static bool collect(void *ctx, const char *name, size_t len, uint64_t ino)
{
    struct entries *es = ctx;

    if ((len == 1 && name[0] == '.') || (len == 2 && name[0] == '.' && name[1] == '.'))
        return true;
    if (es->nr == es->room) {
        size_t room = es->room == 0 ? 64 : es->room * 2;
        struct entry *list = arena_array(es->arena, room, sizeof(*list));

        es->full = list == NULL;
        if (es->full)
            return false;
        if (es->nr > 0)
            memcpy(list, es->list, es->nr * sizeof(*list));
        es->list = list;
        es->room = room;
    }
    struct entry *e = &es->list[es->nr];

    *e = (struct entry){.name = arena_strndup(es->arena, name, len), .len = len, .ino = ino};
    es->full = e->name == NULL;
    es->nr += es->full ? 0 : 1;
    return !es->full;
}

static int by_name(const void *a, const void *b)
{
    return strcmp(((const struct entry *)a)->name, ((const struct entry *)b)->name);
}

static void add_piece(void *ctx, const uint8_t *data, size_t len)
{
    EVP_DigestUpdate(ctx, data, len);
}

/* The content's SHA-256 as text. */
static struct err hash_file(struct lister *l, const struct node *n, char hex[2 * SHA256_BYTES + 1])
{
    unsigned char digest[SHA256_BYTES];
    EVP_MD_CTX *md = EVP_MD_CTX_new();
    struct file f = {.fs = l->fs, .node = *n};
    struct err e;

    if (md == NULL || !EVP_DigestInit_ex(md, EVP_sha256(), NULL)) {
        EVP_MD_CTX_free(md);
        return ERR(ERR_NO_MEMORY, "SHA-256 from libcrypto");
    }
    e = each_piece(&f, add_piece, md);
    EVP_DigestFinal_ex(md, digest, NULL);
    EVP_MD_CTX_free(md);
    hex_write(digest, SHA256_BYTES, hex);
    return e;
}

static const char *type_name(enum node_type type)
{
    switch (type) {
    case NODE_FILE:
        return "file";
    case NODE_DIR:
        return "dir";
    case NODE_SYMLINK:
        return "symlink";
    default:
        return "other";
    }
}

static void print_json(const char *path, const struct node *n, const char *target, const char *hash)
{
    struct json j;
    char mode[16];

    json_init(&j, stdout);
    j.one_line = true;
    json_object(&j, NULL);
    json_str(&j, "path", path[0] != '\0' ? path : "/");
    json_str(&j, "type", type_name(n->type));
    /* The size of a directory is the file system's own affair. */
    if (n->type == NODE_FILE || n->type == NODE_SYMLINK)
        json_u64(&j, "size", n->size_bytes);
    snprintf(mode, sizeof(mode), "%07o", (unsigned)n->mode);
    json_str(&j, "mode", mode);
    if (target != NULL)
        json_str(&j, "target", target);
    if (hash != NULL)
        json_str(&j, "sha256", hash);
    json_end_object(&j);
}

static void mode_text(uint32_t mode, char text[11])
{
    static const char letters[] = "rwxrwxrwx", special[] = "sst";

    text[0] = "?pc?d?b?-?l?s???"[mode >> 12 & 15];
    for (unsigned i = 0; i < 9; i++)
        text[1 + i] = mode & 0400u >> i ? letters[i] : '-';
    for (unsigned i = 0; i < 3; i++) {
        char *x = &text[3 + 3 * i];

        if (mode & 04000u >> i)
            *x = (char)(*x == 'x' ? special[i] : special[i] - 'a' + 'A');
    }
    text[10] = '\0';
}

/* Control bytes of foreign names must not steer a terminal. */
static void print_name(const char *name)
{
    char shown[4 * FS_PATH_MAX + 1];
    struct text t = text_on(shown, sizeof(shown));

    text_name(&t, name, strlen(name));
    fputs(shown, stdout);
}

static void print_text(const struct ls_options *o, const char *name, const struct node *n,
                       const char *target, const char *hash)
{
    char mode[11], when[32] = "?";
    time_t mtime = (time_t)n->mtime;
    struct tm tm;

    if (hash != NULL)
        printf("%s  ", hash);
    else if (o->sha256)
        printf("%-64s  ", "-");
    if (o->details) {
        mode_text(n->mode, mode);
        if (gmtime_r(&mtime, &tm) != NULL)
            strftime(when, sizeof(when), "%Y-%m-%d %H:%M", &tm);
        printf("%s %12" PRIu64 " %s ", mode, n->size_bytes, when);
    }
    print_name(name);
    if (n->type == NODE_DIR && !o->details)
        putchar('/');
    if (o->details && target != NULL) {
        fputs(" -> ", stdout);
        print_name(target);
    }
    putchar('\n');
}

/* One line, for the node whose full path is l->path. */
OWN_FRAME static void print_node(struct lister *l, const char *name, struct node *n)
{
    char target[FS_PATH_MAX + 1], hash[2 * SHA256_BYTES + 1];
    bool is_link = n->type == NODE_SYMLINK, is_hashed = l->o->sha256 && n->type == NODE_FILE;
    size_t len = 0;
    struct err e = OK;

    if (is_link)
        e = l->fs->ops->readlink(l->fs, n, target, FS_PATH_MAX, &len);
    target[len] = '\0';
    if (!failed(e) && is_hashed)
        e = hash_file(l, n, hash);
    if (failed(e)) {
        complain(l, e);
        return;
    }
    if (l->o->json)
        print_json(l->path, n, is_link ? target : NULL, is_hashed ? hash : NULL);
    else
        print_text(l->o, l->o->recursive ? l->path : name, n, is_link ? target : NULL,
                   is_hashed ? hash : NULL);
}

static void list_dir(struct lister *l, struct node *dir);

static void list_entry(struct lister *l, struct arena *a, const struct entry *entry)
{
    size_t dir_len = l->path_len;
    struct node n;

    if (entry->len + 1 >= sizeof(l->path) - l->path_len) {
        complain(l, ERR1(ERR_LIMIT, "what lies below has a path of more than %a bytes",
                         FS_PATH_MAX - 1));
        return;
    }
    l->path[l->path_len++] = '/';
    memcpy(l->path + l->path_len, entry->name, entry->len + 1);
    l->path_len += entry->len;
    struct err e = l->fs->ops->get_node(l->fs, a, entry->ino, &n);

    if (failed(e)) {
        complain(l, e);
    } else {
        print_node(l, entry->name, &n);
        if (l->o->recursive && n.type == NODE_DIR)
            list_dir(l, &n);
    }
    l->path_len = dir_len;
    l->path[dir_len] = '\0';
}

/* As deep as a path can be long, in frames of some hundred bytes. */
static void list_dir(struct lister *l, struct node *dir)
{
    struct arena a;
    struct entries es = {.arena = &a};

    if (seen_before(l, dir->ino)) {
        complain(l, ERR1(ERR_FS_DAMAGED,
                         "the directory (inode %a) is its own descendant or has "
                         "two names",
                         dir->ino));
        return;
    }
    arena_init(&a, &host_memory);
    struct err e = l->fs->ops->readdir(l->fs, dir, collect, &es);

    if (es.full)
        e = ERR(ERR_NO_MEMORY, "a directory's names");
    if (failed(e))
        complain(l, e);
    if (es.nr > 0)
        qsort(es.list, es.nr, sizeof(*es.list), by_name);
    for (size_t i = 0; i < es.nr; i++)
        list_entry(l, &a, &es.list[i]);
    arena_reset(&a);
}

void list_prepare(void)
{
    unsigned char digest[EVP_MAX_MD_SIZE];
    unsigned len;

    tzset();
    EVP_Digest("", 0, digest, &len, EVP_sha256(), NULL);
}

bool list_tree(struct machine *m, const struct ls_options *o, struct vol_id vol, struct fs *fs,
               const char *path, struct node *node)
{
    struct lister l = {.m = m, .o = o, .vol = vol, .fs = fs, .good = true};

    snprintf(l.path, sizeof(l.path), "%s", path);
    l.path_len = strlen(l.path);
    while (l.path_len > 0 && l.path[l.path_len - 1] == '/')
        l.path[--l.path_len] = '\0';
    if (node->type == NODE_DIR)
        list_dir(&l, node);
    else
        print_node(&l, path, node);
    free(l.seen);
    return l.good;
}
