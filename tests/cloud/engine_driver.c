/* SPDX-License-Identifier: MIT */
/*
 * engine_driver ENGINE STATE_DIR [uri=URI] [bridge=NAME] [program=FILE] [xen32=FILE] - drives an
 * engine.
 *
 * Lines come in, an object of JSON goes out for each:
 *   start FILE                       FILE has lines NAME=VALUE: id, memory, vcpus, narrow, kernel,
 *                                    ramdisk, cmdline, disk=PATH,raw|qcow2,VDEV[,ro]
 *   status | shutdown | reboot | destroy | forget | console ID
 *   attach ID PATH,raw|qcow2,VDEV[,ro]
 *   detach ID VDEV
 *   copy ID VDEV TO
 * The end of the input closes the engine; guests go on.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "cloud/engine/engine.h"
#include "core/base/text.h"
#include "host/json.h"

#define LINE_BYTES_MAX 8192
#define WORDS_MAX      4

static char *after(const char *text, const char *name)
{
    size_t len = strlen(name);

    return strncmp(text, name, len) == 0 && text[len] == '=' ? xstrdup(text + len + 1) : NULL;
}

static unsigned number(const char *text)
{
    uint64_t n;

    return text_parse_u64(text, strlen(text), &n) && n < 1 << 20 ? (unsigned)n : 0;
}

/* PATH,FORMAT,VDEV[,ro] */
static bool parse_disk(char *text, struct engine_disk *d)
{
    char *word[4] = {text};
    int nr = 1;

    for (char *p; nr < 4 && (p = strchr(word[nr - 1], ',')); nr++) {
        *p = 0;
        word[nr] = p + 1;
    }
    if (nr < 3)
        return false;
    *d = (struct engine_disk){.path = word[0],
                              .format = strcmp(word[1], "raw") == 0 ? ENGINE_RAW : ENGINE_QCOW2,
                              .vdev = word[2],
                              .readonly = nr == 4};
    return true;
}

/* What a description's lines point to lives until the end: this is a test. */
static bool describe(const char *file, struct engine_guest *g)
{
    char line[LINE_BYTES_MAX], *value;
    FILE *f = fopen(file, "re");

    *g = (struct engine_guest){.memory_mib = 128, .vcpus = 1};
    while (f && fgets(line, sizeof(line), f)) {
        line[strcspn(line, "\n")] = 0;
        if ((value = after(line, "id")))
            g->id = value;
        else if ((value = after(line, "kernel")))
            g->kernel = value;
        else if ((value = after(line, "ramdisk")))
            g->ramdisk = value;
        else if ((value = after(line, "cmdline")))
            g->cmdline = value;
        else if ((value = after(line, "memory")))
            g->memory_mib = number(value);
        else if ((value = after(line, "vcpus")))
            g->vcpus = number(value);
        else if ((value = after(line, "narrow")))
            g->narrow = number(value) != 0;
        else if ((value = after(line, "disk")) && g->nr_disks < ENGINE_DISKS_MAX &&
                 parse_disk(value, &g->disks[g->nr_disks]))
            g->nr_disks++;
    }
    if (f)
        fclose(f);
    return g->id && g->kernel;
}

static bool begin(struct engine *e, const char *file, struct buf *why)
{
    struct engine_guest g;

    if (!describe(file, &g)) {
        buf_puts(why, "the description has no id or no kernel");
        return false;
    }
    return e->ops->start(e, &g, why);
}

static bool tell_status(struct engine *e, const char *id, struct json *j, struct buf *why)
{
    static const char *const states[] = {[ENGINE_ABSENT] = "absent",
                                         [ENGINE_STARTING] = "starting",
                                         [ENGINE_RUNNING] = "running",
                                         [ENGINE_SILENT] = "silent",
                                         [ENGINE_ENDED] = "ended"};
    static const char *const reasons[] = {[ENGINE_POWEROFF] = "poweroff",
                                          [ENGINE_CRASHED] = "crashed",
                                          [ENGINE_DESTROYED] = "destroyed",
                                          [ENGINE_FAILED] = "failed"};
    struct engine_status s = {0};

    if (!e->ops->status(e, id, &s)) {
        buf_puts(why, s.why);
        return false;
    }
    json_str(j, "state", states[s.state]);
    if (s.state == ENGINE_ENDED) {
        json_str(j, "reason", reasons[s.reason]);
        json_str(j, "detail", s.why);
    }
    return true;
}

static bool tell_console(struct engine *e, const char *id, struct json *j, struct buf *why)
{
    struct buf text = {0};
    bool good;

    buf_puts(&text, "");
    good = e->ops->console(e, id, &text, why);
    if (good)
        json_str(j, "console", text.text);
    buf_free(&text);
    return good;
}

static bool act(struct engine *e, char **word, int nr, struct json *j, struct buf *why)
{
    static const stop_flag never = 0;
    const struct engine_ops *ops = e->ops;
    struct engine_disk disk;

    if (nr == 2 && strcmp(word[0], "start") == 0)
        return begin(e, word[1], why);
    if (nr == 2 && strcmp(word[0], "status") == 0)
        return tell_status(e, word[1], j, why);
    if (nr == 2 && strcmp(word[0], "shutdown") == 0)
        return ops->shutdown(e, word[1], why);
    if (nr == 2 && strcmp(word[0], "reboot") == 0)
        return ops->reboot(e, word[1], why);
    if (nr == 2 && strcmp(word[0], "destroy") == 0)
        return ops->destroy(e, word[1], why);
    if (nr == 2 && strcmp(word[0], "forget") == 0)
        return ops->forget(e, word[1], why);
    if (nr == 2 && strcmp(word[0], "console") == 0)
        return tell_console(e, word[1], j, why);
    if (nr == 3 && strcmp(word[0], "attach") == 0 && parse_disk(word[2], &disk))
        return ops->attach(e, word[1], &disk, &never, why);
    if (nr == 3 && strcmp(word[0], "detach") == 0)
        return ops->detach(e, word[1], word[2], &never, why);
    if (nr == 4 && strcmp(word[0], "copy") == 0)
        return ops->copy(e, word[1], word[2], word[3], &never, why);
    buf_puts(why, "not a command of engine_driver");
    return false;
}

static void answer(struct engine *e, char *line)
{
    char *word[WORDS_MAX + 1] = {0}, *rest = NULL;
    struct buf why = {0};
    struct json j;
    int nr = 0;
    bool good;

    for (char *p = strtok_r(line, " \n", &rest); p && nr < WORDS_MAX;
         p = strtok_r(NULL, " \n", &rest))
        word[nr++] = p;
    json_init(&j, stdout);
    j.one_line = true;
    json_object(&j, NULL);
    good = act(e, word, nr, &j, &why);
    json_bool(&j, "ok", good);
    if (!good)
        json_str(&j, "why", why.text);
    json_end_object(&j);
    fflush(stdout);
    buf_free(&why);
}

int main(int argc, char **argv)
{
    struct engine_setup setup = {.program = argv[0]};
    char line[LINE_BYTES_MAX], *value;
    struct buf why = {0};
    struct engine *e;

    if (argc < 3) {
        fputs("usage: engine_driver ENGINE STATE_DIR [uri=URI] [bridge=NAME] [program=FILE]"
              " [xen32=FILE]\n",
              stderr);
        return 1;
    }
    setup.name = argv[1];
    setup.state_dir = argv[2];
    for (int i = 3; i < argc; i++) {
        if ((value = after(argv[i], "uri")))
            setup.libvirt_uri = value;
        else if ((value = after(argv[i], "bridge")))
            setup.bridge = value;
        else if ((value = after(argv[i], "program")))
            setup.program = value;
        else if ((value = after(argv[i], "xen32")))
            setup.xen32 = value;
    }
    e = engine_open(&setup, &why);
    if (!e) {
        fprintf(stderr, "engine_driver: %s\n", why.text);
        return 1;
    }
    while (fgets(line, sizeof(line), stdin))
        answer(e, line);
    e->ops->close(e);
    return 0;
}
