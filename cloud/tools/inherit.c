/* SPDX-License-Identifier: MIT */
/* What an instance was started with, from the metadata service that every instance can ask. */
#include "cloud/tools/tools.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include <curl/curl.h>

#define METADATA_URL "http://169.254.169.254"
#define LIMIT_MS     2000 /* of all questions together */
#define ANSWER_MAX   16384
#define VALUE_MAX    255

struct metadata {
    CURL *curl;
    const char *base;
    struct curl_slist *headers;
    struct timespec began;
    struct arena *arena;
    char answer[ANSWER_MAX + 1];
    size_t len;
    char why[256];
};

static long left_ms(const struct metadata *d)
{
    struct timespec now;

    clock_gettime(CLOCK_MONOTONIC, &now);
    return LIMIT_MS - (now.tv_sec - d->began.tv_sec) * 1000 -
           (now.tv_nsec - d->began.tv_nsec) / 1000000;
}

static size_t on_answer(char *bytes, size_t size, size_t nr, void *ctx)
{
    struct metadata *d = ctx;
    size_t len = size * nr;

    if (len > ANSWER_MAX - d->len)
        return 0;
    memcpy(d->answer + d->len, bytes, len);
    d->len += len;
    d->answer[d->len] = '\0';
    return len;
}

/* The status; 0: there was no answer, d->why says it. The answer is in d->answer. */
static long ask(struct metadata *d, const char *method, const char *path)
{
    char url[1024];
    long status = 0, left = left_ms(d);

    d->len = 0;
    d->answer[0] = '\0';
    snprintf(url, sizeof(url), "%s%s", d->base, path);
    curl_easy_setopt(d->curl, CURLOPT_URL, url);
    curl_easy_setopt(d->curl, CURLOPT_CUSTOMREQUEST, method);
    curl_easy_setopt(d->curl, CURLOPT_HTTPHEADER, d->headers);
    curl_easy_setopt(d->curl, CURLOPT_TIMEOUT_MS, left > 0 ? left : 1L);
    CURLcode code = curl_easy_perform(d->curl);

    if (code != CURLE_OK) {
        snprintf(d->why, sizeof(d->why), "%s", curl_easy_strerror(code));
        return 0;
    }
    curl_easy_getinfo(d->curl, CURLINFO_RESPONSE_CODE, &status);
    snprintf(d->why, sizeof(d->why), "it answers with status %ld", status);
    return status;
}

/* Version 2 of the service wants a token; version 1 does not know of it. */
static void get_token(struct metadata *d)
{
    char header[1024];

    d->headers = curl_slist_append(NULL, "X-aws-ec2-metadata-token-ttl-seconds: 60");
    bool good = ask(d, "PUT", "/latest/api/token") == 200 && d->len > 0 && d->len < 512 &&
                strpbrk(d->answer, "\r\n") == NULL;

    curl_slist_free_all(d->headers);
    d->headers = NULL;
    if (!good)
        return;
    snprintf(header, sizeof(header), "X-aws-ec2-metadata-token: %.511s", d->answer);
    d->headers = curl_slist_append(NULL, header);
}

static bool usable(const char *value, size_t len)
{
    if (len == 0 || len > VALUE_MAX)
        return false;
    for (size_t i = 0; i < len; i++) {
        if (value[i] <= ' ' || value[i] > '~' || strchr("<>&\"'", value[i]) != NULL)
            return false;
    }
    return true;
}

/* The lines of an answer into a list, at most `max`. What is missing leaves it empty. */
static bool get_list(struct metadata *d, const char *name, const char **list, uint32_t *nr,
                     uint32_t max)
{
    char path[512];

    snprintf(path, sizeof(path), "/latest/meta-data/%s", name);
    long status = ask(d, "GET", path);

    if (status == 404)
        return true;
    if (status != 200)
        return false;
    for (char *line = d->answer; *line != '\0';) {
        size_t len = strcspn(line, "\r\n");

        if (len > 0 && (!usable(line, len) || *nr == max)) {
            snprintf(d->why, sizeof(d->why), "it has no usable %s", name);
            return false;
        }
        if (len > 0 && (list[(*nr)++] = arena_strndup(d->arena, line, len)) == NULL) {
            snprintf(d->why, sizeof(d->why), "out of memory");
            return false;
        }
        line += len;
        line += strspn(line, "\r\n");
    }
    return true;
}

static bool get_one(struct metadata *d, const char *name, const char **value)
{
    uint32_t nr = 0;

    return *value != NULL || get_list(d, name, value, &nr, 1);
}

static bool get_mappings(struct metadata *d, struct manifest *m)
{
    const char *names[MANIFEST_MAPPINGS_MAX];
    uint32_t nr = 0;

    if (m->nr_mappings > 0)
        return true;
    if (!get_list(d, "block-device-mapping/", names, &nr, MANIFEST_MAPPINGS_MAX))
        return false;
    for (uint32_t i = 0; i < nr; i++) {
        struct manifest_mapping *map = &m->mappings[m->nr_mappings];
        char path[VALUE_MAX + 64];

        snprintf(path, sizeof(path), "block-device-mapping/%s", names[i]);
        map->device = NULL;
        if (!get_one(d, path, &map->device))
            return false;
        map->virtual_name = names[i];
        m->nr_mappings += map->device != NULL ? 1 : 0;
    }
    return true;
}

/* The image of this instance is the youngest ancestor of the one that is made. */
static bool get_all(struct metadata *d, struct manifest *m)
{
    const char *own[1] = {NULL};
    uint32_t nr_own = 0;

    get_token(d);
    if (!get_list(d, "ami-id", own, &nr_own, 1))
        return false;
    if (nr_own == 0) {
        snprintf(d->why, sizeof(d->why), "it knows of no ami-id");
        return false;
    }
    if (!get_one(d, "kernel-id", &m->kernel_id) || !get_one(d, "ramdisk-id", &m->ramdisk_id) ||
        (m->nr_product_codes == 0 && !get_list(d, "product-codes", m->product_codes,
                                               &m->nr_product_codes, MANIFEST_CODES_MAX)) ||
        !get_list(d, "ancestor-ami-ids", m->ancestors, &m->nr_ancestors, MANIFEST_CODES_MAX - 1))
        return false;
    m->ancestors[m->nr_ancestors++] = own[0];
    return get_mappings(d, m);
}

bool tool_inherit(struct manifest *m, bool must, struct arena *a)
{
    static struct metadata d;
    struct manifest *before = malloc(sizeof(*before));
    const char *base = getenv("PVBOOT_METADATA_URL");
    bool good = false;

    d = (struct metadata){.base = base != NULL ? base : METADATA_URL, .arena = a};
    clock_gettime(CLOCK_MONOTONIC, &d.began);
    if (before == NULL || curl_global_init(CURL_GLOBAL_DEFAULT) != 0 ||
        (d.curl = curl_easy_init()) == NULL) {
        tool_say("out of memory");
        free(before);
        return false;
    }
    *before = *m;
    curl_easy_setopt(d.curl, CURLOPT_PROTOCOLS_STR, "http");
    curl_easy_setopt(d.curl, CURLOPT_PROXY, "");
    curl_easy_setopt(d.curl, CURLOPT_NOSIGNAL, 1L);
    curl_easy_setopt(d.curl, CURLOPT_WRITEFUNCTION, on_answer);
    curl_easy_setopt(d.curl, CURLOPT_WRITEDATA, &d);
    good = get_all(&d, m);
    if (good)
        tool_say("taken over from the instance: kernel %s, ramdisk %s, %u product codes, "
                 "%u ancestors, %u block devices; --no-inherit takes nothing over",
                 m->kernel_id != NULL ? m->kernel_id : "none",
                 m->ramdisk_id != NULL ? m->ramdisk_id : "none", m->nr_product_codes,
                 m->nr_ancestors, m->nr_mappings);
    else
        tool_say("nothing is taken over from an instance: no metadata at %s: %s%s", d.base, d.why,
                 must ? "; say --no-inherit where there is none" : "");
    if (!good)
        *m = *before; /* all or nothing */
    curl_slist_free_all(d.headers);
    curl_easy_cleanup(d.curl);
    free(before);
    return good || !must;
}
