/* SPDX-License-Identifier: MIT */
/* xl and xenstore's programs. Each call ends after a while, whatever the toolstack waits for. */
#include "cloud/engine/xl_priv.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "cloud/bundle/program.h"

#define LIMIT_S        120 /* of what makes or ends a guest */
#define LOOK_LIMIT_S   20
#define WORDS_MAX      16
#define LIST_BYTES_MAX ((size_t)1 << 20)

static const stop_flag never = 0;

/* What matters of what xl says is behind the first "error: ", up to the next message. */
static void first_error(struct buf *why, const char *said)
{
    const char *at = strstr(said, "error: "), *end;
    struct buf one = {0};

    at = at ? at + strlen("error: ") : said;
    end = strstr(at, " libxl: ");
    buf_add(&one, at, end ? (size_t)(end - at) : strlen(at));
    engine_words(why, one.text);
    buf_free(&one);
}

bool xl_run(struct buf *why, const char *what, const char *const *words)
{
    const char *argv[WORDS_MAX] = {"xl"};
    char out[4096], said[1024];

    for (int i = 0; words[i] && i < WORDS_MAX - 2; i++)
        argv[i + 1] = words[i];
    if (program_run_within(argv, LIMIT_S, &never, out, sizeof(out), said, sizeof(said)))
        return true;
    fprintf(stderr, "pvbootd: xl %s: %s\n", words[0], said);
    buf_printf(why, "%s: ", what);
    first_error(why, said);
    return false;
}

/* The guest's line of `xl list -v`: name, number, memory, vcpus, state, time, UUID, reason. */
static bool parse_line(char *line, const char *id, struct xl_domain *d)
{
    char *word[8], *rest = NULL;
    int nr = 0;

    for (char *p = strtok_r(line, " \t", &rest); p && nr < 8; p = strtok_r(NULL, " \t", &rest))
        word[nr++] = p;
    if (nr < 8 || strcmp(word[0], id) != 0)
        return false;
    d->domid = (unsigned)strtoul(word[1], NULL, 10);
    d->life = strchr(word[4], 'p') ? XL_PAUSED : XL_RUNS;
    if (strchr(word[4], 's') || strchr(word[4], 'c')) {
        d->life = XL_SHUT_DOWN;
        d->reason = (unsigned)strtoul(word[7], NULL, 16);
    }
    if (strchr(word[4], 'd'))
        d->life = XL_GONE; /* its memory is being given back */
    return true;
}

bool xl_look(const char *id, struct xl_domain *d, struct buf *why)
{
    static const char *const argv[] = {"xl", "list", "-v", NULL};
    char *out = xalloc(LIST_BYTES_MAX), said[1024], *rest = NULL;
    bool good =
        program_run_within(argv, LOOK_LIMIT_S, &never, out, LIST_BYTES_MAX, said, sizeof(said));

    *d = (struct xl_domain){.life = XL_GONE};
    if (!good) {
        buf_puts(why, "the hypervisor cannot be asked: ");
        first_error(why, said);
    }
    for (char *p = good ? strtok_r(out, "\n", &rest) : NULL; p; p = strtok_r(NULL, "\n", &rest))
        if (parse_line(p, id, d))
            break;
    free(out);
    return good;
}

/* ---- xenstore ----------------------------------------------------------------------------------
 */

#define DISKS_MAX 64 /* that are looked at */

static bool read_store(const char *const *argv, char *out, size_t cap)
{
    char said[256];

    return program_run_within(argv, LOOK_LIMIT_S, &never, out, cap, said, sizeof(said));
}

/* What the back end's folders of disks are called, as words in `names`. */
static int list_disks(const char *base, char *names, size_t cap, char **word)
{
    const char *const argv[] = {"xenstore-list", base, NULL};
    char *rest = NULL;
    int nr = 0;

    if (!read_store(argv, names, cap))
        return 0; /* a guest without disks has no folder */
    for (char *p = strtok_r(names, "\n", &rest); p && nr < DISKS_MAX;
         p = strtok_r(NULL, "\n", &rest))
        word[nr++] = p;
    return nr;
}

bool xl_find_disk(unsigned domid, const char *vdev, char path[XL_PATH_BYTES], bool *qcow2,
                  struct buf *why)
{
    const char *argv[2 * DISKS_MAX + 2] = {"xenstore-read"};
    struct buf node[2 * DISKS_MAX] = {0};
    char base[64], names[2048], *word[DISKS_MAX], *rest = NULL;
    size_t cap = (size_t)DISKS_MAX * (XL_PATH_BYTES + 64);
    char *out = xalloc(cap);
    bool good = true;
    int nr;

    path[0] = 0;
    snprintf(base, sizeof(base), "/local/domain/0/backend/qdisk/%u", domid);
    nr = list_disks(base, names, sizeof(names), word);
    for (int i = 0; i < 2 * nr; i++) {
        buf_printf(&node[i], "%s/%s/%s", base, word[i / 2], i % 2 ? "params" : "dev");
        argv[i + 1] = node[i].text;
    }
    if (nr > 0 && !read_store(argv, out, cap)) {
        buf_puts(why, "the hypervisor does not tell the instance's disks");
        good = false;
    }
    for (char *dev = good ? strtok_r(out, "\n", &rest) : NULL, *params; dev;
         dev = strtok_r(NULL, "\n", &rest)) {
        params = strtok_r(NULL, "\n", &rest); /* FORMAT:FILE */
        if (!params || !strchr(params, ':') || strcmp(dev, vdev) != 0)
            continue;
        *qcow2 = strncmp(params, "qcow2:", 6) == 0;
        snprintf(path, XL_PATH_BYTES, "%s", strchr(params, ':') + 1);
    }
    for (int i = 0; i < 2 * nr; i++)
        buf_free(&node[i]);
    free(out);
    return good;
}

bool xl_console_path(unsigned domid, char *path, size_t cap)
{
    char node[64];
    const char *const argv[] = {"xenstore-read", node, NULL};

    snprintf(node, sizeof(node), "/local/domain/%u/console/tty", domid);
    if (!read_store(argv, path, cap))
        return false;
    path[strcspn(path, "\n")] = 0;
    return strncmp(path, "/dev/", 5) == 0;
}
