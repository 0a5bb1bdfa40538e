/* SPDX-License-Identifier: MIT */
#include "cloud/tools/tools.h"

#include <errno.h>
#include <getopt.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "core/base/text.h"

#define SENTENCE_MAX 4096

static const char *tool_name = "pvboot-ec2";
static stop_flag stop;

static struct {
    bool shown;
    struct timespec last, first;
} bar;

void tool_name_is(const char *name)
{
    tool_name = name;
}

void tool_say(const char *fmt, ...)
{
    char raw[SENTENCE_MAX], shown[4 * SENTENCE_MAX];
    struct text t = text_on(shown, sizeof(shown));
    va_list ap;

    va_start(ap, fmt);
    vsnprintf(raw, sizeof(raw), fmt, ap);
    va_end(ap);
    text_name(&t, raw, strlen(raw));
    fprintf(stderr, "%s%s: %s\n", bar.shown ? "\r\033[K" : "", tool_name, shown);
}

bool tool_flush(void)
{
    if (fflush(stdout) == 0 && !ferror(stdout))
        return true;
    tool_say("writing to standard output failed: %s", strerror(errno));
    return false;
}

bool tool_refuse_option(char *const *argv)
{
    tool_say("%s is no option, or its value is missing; see --help", argv[optind - 1]);
    return false;
}

bool tool_common_option(int opt, enum tool_common *common)
{
    if (opt == 'h')
        *common = TOOL_COMMON_HELP_TEXT;
    else if (opt == TOOL_OPT_VERSION)
        *common = TOOL_COMMON_VERSION;
    return true;
}

int tool_common_answer(enum tool_common common, const char *help_text)
{
    if (common == TOOL_COMMON_VERSION)
        printf("%s (pvboot) " PVBOOT_VERSION "\n", tool_name);
    else
        fputs(help_text, stdout);
    return tool_flush() ? TOOL_DONE : TOOL_FAILED;
}

/* ---- progress -------------------------------------------------------------------------------- */

static double since(const struct timespec *t)
{
    struct timespec now;

    clock_gettime(CLOCK_MONOTONIC, &now);
    return (double)(now.tv_sec - t->tv_sec) + (double)(now.tv_nsec - t->tv_nsec) / 1e9;
}

static void show_progress(void *ctx, uint64_t done_bytes, uint64_t all_bytes)
{
    static const char cells[] = "##############################";
    char done[32], all[32];
    struct text d = text_on(done, sizeof(done)), a = text_on(all, sizeof(all));
    unsigned percent = (unsigned)(all_bytes > 0 ? done_bytes * 100 / all_bytes : 100);
    double seconds;

    (void)ctx;
    if (bar.first.tv_sec == 0)
        clock_gettime(CLOCK_MONOTONIC, &bar.first);
    if (bar.shown && done_bytes != all_bytes && since(&bar.last) < 0.2)
        return;
    clock_gettime(CLOCK_MONOTONIC, &bar.last);
    bar.shown = true;
    seconds = since(&bar.first);
    text_size(&d, done_bytes);
    text_size(&a, all_bytes);
    fprintf(stderr, "\r[%-30.*s] %3u%%  %s of %s", (int)(percent * 30 / 100), cells, percent, done,
            all);
    if (seconds >= 1)
        fprintf(stderr, "  %.1f MiB/s", (double)done_bytes / seconds / 1048576);
    fputs("\033[K", stderr);
}

void tool_progress_end(void)
{
    if (bar.shown)
        fputc('\n', stderr);
    bar.shown = false;
}

static void on_signal(int nr)
{
    stop = nr;
}

struct bundle_job *tool_job(void)
{
    static struct bundle_job job;
    struct sigaction action = {.sa_handler = on_signal}; /* no SA_RESTART: reads come back */

    sigaction(SIGINT, &action, NULL);
    sigaction(SIGTERM, &action, NULL);
    sigaction(SIGHUP, &action, NULL);
    job.stop = &stop;
    job.progress = isatty(STDERR_FILENO) ? show_progress : NULL;
    return &job;
}

/* ---- who ------------------------------------------------------------------------------------- */

/* Where the cloud's certificate lies when nobody says it. */
static const char *find_ec2_cert(void)
{
    static const char *const places[] = {"/etc/pvboot/cert-ec2.pem",
                                         "/etc/ec2/amitools/cert-ec2.pem"};
    const char *env = getenv("EC2_BUNDLE_CERT");

    if (env != NULL)
        return env;
    for (size_t i = 0; i < sizeof(places) / sizeof(places[0]); i++) {
        if (access(places[i], R_OK) == 0)
            return places[i];
    }
    return NULL;
}

bool tool_keys(struct tool_identity *who)
{
    char why[1024];

    if (who->ec2_cert == NULL)
        who->ec2_cert = find_ec2_cert();
    if (who->ec2_cert == NULL) {
        tool_say("the certificate of the cloud was not found; name it with --ec2cert, or put it at "
                 "/etc/pvboot/cert-ec2.pem");
        return false;
    }
    who->private = key_private(who->key, why, sizeof(why));
    if (who->private != NULL)
        who->public = key_public(who->cert, why, sizeof(why));
    if (who->public != NULL)
        who->ec2 = key_public(who->ec2_cert, why, sizeof(why));
    if (who->ec2 == NULL) {
        tool_say("%s", why);
        return false;
    }
    if (key_same(who->private, who->public))
        return true;
    tool_say("the private key %s and the certificate %s do not belong together", who->key,
             who->cert);
    return false;
}

void tool_keys_free(struct tool_identity *who)
{
    key_free(who->private);
    key_free(who->public);
    key_free(who->ec2);
}

bool tool_user(const char *text, char out[13])
{
    size_t nr = 0;

    for (; *text != '\0'; text++) {
        if (*text == '-')
            continue;
        if (*text < '0' || *text > '9' || nr == 12)
            return false;
        out[nr++] = *text;
    }
    out[nr] = '\0';
    return nr == 12;
}

void tool_bundler(struct manifest *m)
{
    m->bundler_name = "pvboot-ec2";
    m->bundler_version = PVBOOT_VERSION;
    m->bundler_release = "1";
}

const char *tool_folder_of(const char *path, struct arena *a)
{
    const char *slash = strrchr(path, '/');

    if (slash == NULL)
        return ".";
    return arena_strndup(a, path, slash == path ? 1 : (size_t)(slash - path));
}

bool tool_words(const char *text, const char **list, uint32_t *nr, uint32_t max, const char *what,
                struct arena *a)
{
    while (*text != '\0') {
        size_t len = strcspn(text, ",");

        if (*nr == max || len == 0) {
            if (len == 0)
                tool_say("an empty name among the %s", what);
            else
                tool_say("more than %u %s", max, what);
            return false;
        }
        list[*nr] = arena_strndup(a, text, len);
        if (list[*nr] == NULL) {
            tool_say("out of memory");
            return false;
        }
        ++*nr;
        text += len;
        text += *text == ',' ? 1 : 0;
    }
    return true;
}

bool tool_mappings(const char *text, struct manifest *m, struct arena *a)
{
    while (*text != '\0') {
        size_t len = strcspn(text, ","), equals = strcspn(text, "=");
        struct manifest_mapping *map = &m->mappings[m->nr_mappings];

        if (equals == 0 || equals + 1 >= len) {
            tool_say("--block-device-mapping is NAME=DEVICE[,NAME=DEVICE]..., as "
                     "ami=sda1,root=/dev/sda1, not \"%.*s\"",
                     (int)len, text);
            return false;
        }
        if (m->nr_mappings == MANIFEST_MAPPINGS_MAX) {
            tool_say("more than %u block device mappings", MANIFEST_MAPPINGS_MAX);
            return false;
        }
        map->virtual_name = arena_strndup(a, text, equals);
        map->device = arena_strndup(a, text + equals + 1, len - equals - 1);
        if (map->virtual_name == NULL || map->device == NULL) {
            tool_say("out of memory");
            return false;
        }
        m->nr_mappings++;
        text += len;
        text += *text == ',' ? 1 : 0;
    }
    return true;
}
