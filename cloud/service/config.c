/* SPDX-License-Identifier: MIT */
/* The configuration file; see config.h. What its settings say together: config_check.c. */
#include "cloud/service/config_check.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <openssl/crypto.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "cloud/bundle/keys.h"
#include "core/base/text.h"

#define LINE_BYTES_MAX        4096
#define SECRET_LEN_MIN        16
#define FILE_BYTES_MAX        (1 << 20)
#define ACCOUNT_IMAGES        200
#define ACCOUNT_IMAGES_MAX    100000
#define ACCOUNT_SNAPSHOTS     1000
#define ACCOUNT_SNAPSHOTS_MAX 1000000
#define ACCOUNT_INSTANCES     20
#define ACCOUNT_INSTANCES_MAX 100000
#define NAMES_MAX             64
#define NAME_BYTES            32

enum kind { TEXT, NUMBER, SIZE, WORD_TEXT_OR_JSON, WORD_START_OR_STOP, LISTEN, SECRET_FILE, HOST };

static const struct setting {
    const char *name;
    enum kind kind;
    size_t offset;
    uint64_t min, max;
} settings[] = {
    {"listen", LISTEN, 0, 0, 0},
    {"state", TEXT, offsetof(struct config, state_dir), 0, 0},
    {"region", TEXT, offsetof(struct config, region), 0, 0},
    {"endpoint", HOST, offsetof(struct config, endpoint), 0, 0},
    {"akis", TEXT, offsetof(struct config, akis), 0, 0},
    {"pvboot-images", TEXT, offsetof(struct config, pvboot_images), 0, 0},
    {"types", TEXT, offsetof(struct config, types), 0, 0},
    {"kernel-arguments", TEXT, offsetof(struct config, kernel_arguments), 0, 0},
    {"on-restart", WORD_START_OR_STOP, offsetof(struct config, restart), 0, 0},
    {"stop-timeout", NUMBER, offsetof(struct config, stop_timeout_s), 1, 3600},
    {"tls-certificate", TEXT, offsetof(struct config, tls_certificate), 0, 0},
    {"tls-key", TEXT, offsetof(struct config, tls_key), 0, 0},
    {"ec2-certificate", TEXT, offsetof(struct config, ec2_certificate), 0, 0},
    {"ec2-key", TEXT, offsetof(struct config, ec2_key), 0, 0},
    {"s3-url", TEXT, offsetof(struct config, s3_url), 0, 0},
    {"s3-region", TEXT, offsetof(struct config, s3_region), 0, 0},
    {"s3-access-key", TEXT, offsetof(struct config, s3.access_key), 0, 0},
    {"s3-secret-file", SECRET_FILE, offsetof(struct config, s3.secret), 0, 0},
    {"log", WORD_TEXT_OR_JSON, offsetof(struct config, log_json), 0, 0},
    {"threads", NUMBER, offsetof(struct config, threads), 1, 256},
    {"connections", NUMBER, offsetof(struct config, connections_max), 1, 65536},
    {"connections-per-address", NUMBER, offsetof(struct config, connections_per_address_max), 1,
     65536},
    {"idle-timeout", NUMBER, offsetof(struct config, idle_timeout_s), 1, 3600},
    {"clock-skew", NUMBER, offsetof(struct config, clock_skew_s), 1, 86400},
    {"volume-size", SIZE, offsetof(struct config, volume_bytes_max), 1 << 30, UINT64_C(4) << 40},
    {"form-size", SIZE, offsetof(struct config, form_bytes_max), 1024, 64 << 20},
    {"object-size", SIZE, offsetof(struct config, object_bytes_max), 1 << 20, UINT64_C(5) << 40},
    {"engine", TEXT, offsetof(struct config, engine), 0, 0},
    {"libvirt-uri", TEXT, offsetof(struct config, libvirt_uri), 0, 0},
    {"bridge", TEXT, offsetof(struct config, bridge), 0, 0},
    {"xen32", TEXT, offsetof(struct config, xen32), 0, 0},
    {"instance-memory", SIZE, offsetof(struct config, instance_bytes_max), 64 << 20,
     UINT64_C(64) << 40},
};

#define NR_SETTINGS (sizeof(settings) / sizeof(settings[0]))

/* The settings of the section that is being read: a second one is one too many. */
struct section {
    size_t nr;
    struct {
        char name[NAME_BYTES];
        unsigned line;
    } seen[NAMES_MAX];
};

/* A whole number with K, M, G or T (powers of 1024) behind it. */
static bool parse_size(const char *text, uint64_t *out)
{
    static const char units[] = "KMGT";
    size_t len = strlen(text);
    unsigned shift = 0;
    const char *unit;

    if (len > 1 && (unit = strchr(units, text[len - 1]))) {
        shift = 10 * (unsigned)(unit - units + 1);
        len--;
    }
    if (!text_parse_u64(text, len, out) || *out > UINT64_MAX >> shift)
        return false;
    *out <<= shift;
    return true;
}

static void set_text(char **to, const char *value)
{
    free(*to);
    *to = xstrdup(value);
}

/* 127.0.0.1:8773, [::1]:8773 */
static bool set_listen(struct config *c, const char *value, struct buf *why)
{
    const char *colon = strrchr(value, ':');
    uint64_t port;

    if (!colon || colon == value || !text_parse_u64(colon + 1, strlen(colon + 1), &port) ||
        port > 65535) {
        buf_printf(why, "listen is ADDRESS:PORT, as 127.0.0.1:8773, not \"%s\"", value);
        return false;
    }
    set_text(&c->address, value);
    c->address[colon - value] = 0;
    c->port = (unsigned)port;
    return true;
}

/* cloud.example.org, 192.0.2.1:8773, [2001:db8::1]:8773 */
static bool host_good(const char *text)
{
    static const char name[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789.-_";
    size_t len = strspn(text, name);
    uint64_t port;

    if (text[0] == '[') {
        len = 1 + strspn(text + 1, "0123456789abcdefABCDEF:.");
        len = len > 1 && text[len] == ']' ? len + 1 : 0;
    }
    if (len == 0)
        return false;
    text += len;
    return !*text || (*text == ':' && text_parse_u64(text + 1, strlen(text + 1), &port) &&
                      port > 0 && port <= 65535);
}

/* How long a secret elsewhere is, is not ours to judge. */
static bool read_secret_file(char **to, const char *path, size_t len_min, struct buf *why)
{
    char secret[256] = "";
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    ssize_t len;
    bool good;

    if (fd < 0) {
        buf_printf(why, "%s: %s", path, strerror(errno));
        return false;
    }
    good = config_check_private(fd, path, why);
    len = good ? read(fd, secret, sizeof(secret) - 1) : 0;
    close(fd);
    if (!good)
        return false;
    secret[len > 0 ? len : 0] = 0;
    secret[strcspn(secret, "\r\n")] = 0;
    if (strlen(secret) < len_min) {
        buf_printf(why, "%s: a secret has at least %zu characters, on the file\'s first line", path,
                   len_min);
        return false;
    }
    set_text(to, secret);
    OPENSSL_cleanse(secret, sizeof(secret));
    return true;
}

static bool set_word(bool *to, const char *name, const char *value, const char *yes, const char *no,
                     struct buf *why)
{
    *to = strcmp(value, yes) == 0;
    if (*to || strcmp(value, no) == 0)
        return true;
    buf_printf(why, "%s is %s or %s, not \"%s\"", name, no, yes, value);
    return false;
}

static bool set(struct config *c, const struct setting *s, const char *value, struct buf *why)
{
    char *field = (char *)c + s->offset;
    uint64_t number;

    switch (s->kind) {
    case WORD_START_OR_STOP:
        return set_word((bool *)field, s->name, value, "start", "stop", why);
    case TEXT:
        set_text((char **)field, value);
        return true;
    case HOST:
        if (!host_good(value)) {
            buf_printf(why, "%s is HOST or HOST:PORT, not \"%s\"", s->name, value);
            return false;
        }
        set_text((char **)field, value);
        return true;
    case LISTEN:
        return set_listen(c, value, why);
    case SECRET_FILE:
        return read_secret_file((char **)field, value, 1, why);
    case WORD_TEXT_OR_JSON:
        return set_word((bool *)field, s->name, value, "json", "text", why);
    case NUMBER:
    case SIZE:
        if (!(s->kind == SIZE ? parse_size(value, &number)
                              : text_parse_u64(value, strlen(value), &number)) ||
            number < s->min || number > s->max) {
            buf_printf(why, "%s is a whole number from %llu to %llu%s, not \"%s\"", s->name,
                       (unsigned long long)s->min, (unsigned long long)s->max,
                       s->kind == SIZE ? " (K, M, G, T behind it multiply)" : "", value);
            return false;
        }
        if (s->kind == SIZE)
            *(uint64_t *)field = number;
        else
            *(unsigned *)field = (unsigned)number;
        return true;
    }
    return false;
}

static bool set_certificate(struct account *a, const char *path, struct buf *why)
{
    char said[1024];
    struct key *key = key_public(path, said, sizeof(said));

    if (!key) {
        buf_puts(why, said);
        return false;
    }
    key_free(key);
    set_text(&a->certificate, path);
    return true;
}

static bool set_number(unsigned *to, const char *name, const char *value, unsigned max,
                       struct buf *why)
{
    uint64_t number;

    if (text_parse_u64(value, strlen(value), &number) && number <= max) {
        *to = (unsigned)number;
        return true;
    }
    buf_printf(why, "%s is a number up to %u, not \"%s\"", name, max, value);
    return false;
}

static bool set_account(struct account *a, const char *name, const char *value, struct buf *why)
{
    if (strcmp(name, "access-key") == 0) {
        size_t len = strlen(value);

        if (len < 3 || len > 128 ||
            value[strspn(value, "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"
                                "0123456789_-")]) {
            buf_puts(why, "access-key is 3 to 128 letters, digits, '_' and '-'");
            return false;
        }
        set_text(&a->access_key, value);
        return true;
    }
    if (strcmp(name, "secret-file") == 0)
        return read_secret_file(&a->secret, value, SECRET_LEN_MIN, why);
    if (strcmp(name, "s3-access-key") == 0) {
        set_text(&a->s3.access_key, value);
        return true;
    }
    if (strcmp(name, "s3-secret-file") == 0)
        return read_secret_file(&a->s3.secret, value, 1, why);
    if (strcmp(name, "quota") == 0) {
        if (parse_size(value, &a->quota_bytes) && a->quota_bytes > 0 && a->quota_bytes < INT64_MAX)
            return true;
        buf_printf(why, "quota is a size as 100G, not \"%s\"", value);
        return false;
    }
    if (strcmp(name, "images") == 0)
        return set_number(&a->images_max, name, value, ACCOUNT_IMAGES_MAX, why);
    if (strcmp(name, "quota-volumes") == 0) {
        if (parse_size(value, &a->quota_volume_bytes) && a->quota_volume_bytes < INT64_MAX)
            return true;
        buf_printf(why, "quota-volumes is a size as 2T, not \"%s\"", value);
        return false;
    }
    if (strcmp(name, "quota-snapshots") == 0)
        return set_number(&a->quota_snapshots, name, value, ACCOUNT_SNAPSHOTS_MAX, why);
    if (strcmp(name, "quota-instances") == 0)
        return set_number(&a->quota_instances, name, value, ACCOUNT_INSTANCES_MAX, why);
    if (strcmp(name, "certificate") == 0)
        return set_certificate(a, value, why);
    buf_printf(
        why,
        "an account has access-key, secret-file, s3-access-key, s3-secret-file, certificate, "
        "quota, quota-volumes, quota-snapshots, quota-instances and images, no \"%s\"",
        name);
    return false;
}

static bool begin_account(struct config *c, const char *line, unsigned line_nr, struct buf *why)
{
    struct account *a;

    if (strncmp(line, "[account ", 9) != 0 || strspn(line + 9, "0123456789") != 12 ||
        strcmp(line + 21, "]") != 0) {
        buf_printf(why, "a section is [account 123456789012], twelve digits, not \"%s\"", line);
        return false;
    }
    if (c->nr_accounts == CONFIG_ACCOUNTS_MAX) {
        buf_printf(why, "more than %d accounts", CONFIG_ACCOUNTS_MAX);
        return false;
    }
    a = &c->accounts[c->nr_accounts++];
    memcpy(a->id, line + 9, 12);
    a->quota_bytes = UINT64_C(100) << 30;
    a->images_max = ACCOUNT_IMAGES;
    a->quota_volume_bytes = UINT64_C(20) << 40;
    a->quota_snapshots = ACCOUNT_SNAPSHOTS;
    a->quota_instances = ACCOUNT_INSTANCES;
    a->line = line_nr;
    return true;
}

static bool is_first(struct section *now, const char *name, unsigned line_nr, struct buf *why)
{
    for (size_t i = 0; i < now->nr; i++) {
        if (strcmp(now->seen[i].name, name) == 0) {
            buf_printf(why, "%s is given twice, first in line %u", name, now->seen[i].line);
            return false;
        }
    }
    if (now->nr < NAMES_MAX && strlen(name) < NAME_BYTES) {
        snprintf(now->seen[now->nr].name, NAME_BYTES, "%s", name);
        now->seen[now->nr++].line = line_nr;
    }
    return true;
}

static bool take_line(struct config *c, struct section *now, char *line, unsigned line_nr,
                      struct buf *why)
{
    char *equals = strchr(line, '='), *name_end, *value;

    if (line[0] == '[') {
        now->nr = 0;
        return begin_account(c, line, line_nr, why);
    }
    if (!equals || equals == line) {
        buf_puts(why, "a line is \"name = value\"");
        return false;
    }
    for (name_end = equals; name_end > line && strchr(" \t", name_end[-1]); name_end--)
        ;
    *name_end = 0;
    value = equals + 1 + strspn(equals + 1, " \t");
    if (!*value) {
        buf_printf(why, "%s has no value", line);
        return false;
    }
    if (!is_first(now, line, line_nr, why))
        return false;
    if (c->nr_accounts > 0)
        return set_account(&c->accounts[c->nr_accounts - 1], line, value, why);
    for (size_t i = 0; i < NR_SETTINGS; i++)
        if (strcmp(settings[i].name, line) == 0)
            return set(c, &settings[i], value, why);
    buf_printf(why, "there is no setting \"%s\"", line);
    return false;
}

/* Where the service's own files are: an installed bin or sbin has share and lib beside it, a build
 * has share beside it and the images in it. Without /proc, where the files are with the usual
 * prefix. */
static void set_places(struct config *c)
{
    char exe[PATH_MAX] = "/usr/local/sbin/pvbootd", images[PATH_MAX + 8], *slash;
    ssize_t len = readlink("/proc/self/exe", exe, sizeof(exe) - 1);
    struct buf path = {0};

    if (len > 0)
        exe[len] = 0;
    if ((slash = strrchr(exe, '/')))
        *slash = 0;
    snprintf(images, sizeof(images), "%s/images", exe);
    if ((slash = strrchr(exe, '/')))
        *slash = 0;
    buf_printf(&path, "%s/share/pvboot/akis.tsv", exe);
    set_text(&c->akis, path.text);
    buf_clear(&path);
    buf_printf(&path, "%s/share/pvboot/types.tsv", exe);
    set_text(&c->types, path.text);
    buf_clear(&path);
    buf_printf(&path, "%s/lib/pvboot", exe);
    set_text(&c->pvboot_images,
             access(path.text, X_OK) != 0 && access(images, X_OK) == 0 ? images : path.text);
    buf_free(&path);
}

static void set_defaults(struct config *c)
{
    memset(c, 0, sizeof(*c));
    c->address = xstrdup("127.0.0.1");
    c->port = 8773;
    c->region = xstrdup("us-east-1");
    set_places(c);
    c->kernel_arguments = xstrdup("root=/dev/%r ro console=hvc0");
    c->restart = true;
    c->stop_timeout_s = 60;
    c->threads = 4;
    c->connections_max = 512;
    c->connections_per_address_max = 256;
    c->idle_timeout_s = 60;
    c->clock_skew_s = 900;
    c->form_bytes_max = 1 << 20;
    c->volume_bytes_max = UINT64_C(1) << 40;
    c->object_bytes_max = UINT64_C(16) << 30;
    c->engine = xstrdup("embedded");
    c->instance_bytes_max = UINT64_C(4) << 30;
    c->accounts = xalloc(CONFIG_ACCOUNTS_MAX * sizeof(*c->accounts));
}

/* Every line is looked at, so that one run tells every mistake. */
static void read_lines(FILE *f, const char *path, struct config *out, struct buf *why)
{
    char line[LINE_BYTES_MAX];
    struct section now = {0};
    struct buf sentence = {0};

    for (unsigned nr = 1; fgets(line, sizeof(line), f); nr++) {
        char *text = line + strspn(line, " \t");
        size_t len = strlen(text);

        if (len + (size_t)(text - line) == sizeof(line) - 1) {
            config_mistake(why, "%s:%u: the line is longer than %d bytes", path, nr,
                           LINE_BYTES_MAX - 2);
            break;
        }
        while (len > 0 && strchr(" \t\r\n", text[len - 1]))
            text[--len] = 0;
        if (len == 0 || text[0] == '#')
            continue;
        buf_clear(&sentence);
        if (!take_line(out, &now, text, nr, &sentence))
            config_mistake(why, "%s:%u: %s", path, nr, sentence.text);
    }
    buf_free(&sentence);
}

bool config_read(const char *path, const char *s3_url, struct config *out, struct buf *why)
{
    FILE *f = fopen(path, "re");
    struct stat st;

    set_defaults(out);
    buf_clear(why);
    if (!f) {
        buf_printf(why, "%s: %s", path, strerror(errno));
        return false;
    }
    if (fstat(fileno(f), &st) != 0 || !S_ISREG(st.st_mode) || st.st_size > FILE_BYTES_MAX) {
        buf_printf(why, "%s: not a file of at most %d bytes", path, FILE_BYTES_MAX);
    } else {
        out->opened = true;
        read_lines(f, path, out, why);
        if (s3_url)
            set_text(&out->s3_url, s3_url);
        config_check(out, path, why->len == 0, why);
    }
    fclose(f);
    return why->len == 0;
}

static void free_secret(char *secret)
{
    if (secret)
        OPENSSL_cleanse(secret, strlen(secret));
    free(secret);
}

void config_free(struct config *c)
{
    for (size_t i = 0; i < c->nr_accounts; i++) {
        free(c->accounts[i].access_key);
        free(c->accounts[i].certificate);
        free_secret(c->accounts[i].secret);
        free(c->accounts[i].s3.access_key);
        free_secret(c->accounts[i].s3.secret);
    }
    free(c->s3_url);
    free(c->s3_region);
    free(c->s3.access_key);
    free_secret(c->s3.secret);
    free(c->accounts);
    free(c->address);
    free(c->state_dir);
    free(c->region);
    free(c->endpoint);
    free(c->akis);
    free(c->pvboot_images);
    free(c->types);
    free(c->kernel_arguments);
    free(c->tls_certificate);
    free(c->tls_key);
    free(c->engine);
    free(c->libvirt_uri);
    free(c->bridge);
    free(c->xen32);
    free(c->ec2_certificate);
    free(c->ec2_key);
    memset(c, 0, sizeof(*c));
}

const struct account *config_account(const struct config *c, const char *access_key)
{
    for (size_t i = 0; i < c->nr_accounts; i++)
        if (strcmp(c->accounts[i].access_key, access_key) == 0)
            return &c->accounts[i];
    return NULL;
}
