/* SPDX-License-Identifier: MIT */
#include "cloud/tools/remote.h"

#include <errno.h>
#include <openssl/crypto.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "cloud/tools/tools.h"
#include "core/base/bytes.h"
#include "core/base/text.h"
#include "host/memory.h"

#define CONF_LINE_MAX 1024
#define SHORTS_MAX    64

/* What the file says. */
struct conf {
    const char *s3_url, *ec2_url, *region, *ca_file;
};

static void on_again(const char *what, const char *why, unsigned pause_ms)
{
    tool_say("%s: %s; trying again in %u.%u s", what, why, pause_ms / 1000, pause_ms / 100 % 10);
}

void remote_init(struct remote *r)
{
    memset(r, 0, sizeof(*r));
    r->client.retries = CLIENT_RETRIES;
    r->client.again = on_again;
    arena_init(&r->arena, &host_memory);
}

void remote_free(struct remote *r)
{
    if (r->client.peer.secret != NULL)
        OPENSSL_cleanse((char *)r->client.peer.secret, strlen(r->client.peer.secret));
    arena_reset(&r->arena);
}

static const char *keep(struct remote *r, const char *text, size_t len)
{
    const char *p = arena_strndup(&r->arena, text, len);

    if (p == NULL)
        tool_say("out of memory");
    return p;
}

/* ---- options --------------------------------------------------------------------------------- */

/* The value is kept here and no longer in the arguments. */
static const char *take_secret(struct remote *r, char *value)
{
    const char *copy = keep(r, value, strlen(value));

    memset(value, 'x', strlen(value));
    return copy;
}

static bool set_retries(struct remote *r, const char *value)
{
    uint64_t n;

    if (!text_parse_u64(value, strlen(value), &n) || n > CLIENT_RETRIES_MAX) {
        tool_say("--retry takes a number up to %u, not \"%s\"", CLIENT_RETRIES_MAX, value);
        return false;
    }
    r->client.retries = (unsigned)n;
    return true;
}

/* Amazon's tools have --retry without a number. */
static bool take_retry(struct remote *r, const char *value, int argc, char **argv)
{
    if (value == NULL && optind < argc && argv[optind][0] != '\0' &&
        argv[optind][strspn(argv[optind], "0123456789")] == '\0')
        value = argv[optind++];
    return value == NULL || set_retries(r, value);
}

static bool shared_option(struct remote *r, int opt, char *value, int argc, char **argv)
{
    struct http_peer *peer = &r->client.peer;

    switch (opt) {
    case REMOTE_ACCESS_KEY:
        peer->access_key = value;
        return true;
    case REMOTE_SECRET:
        peer->secret = take_secret(r, value);
        return peer->secret != NULL;
    case REMOTE_TOKEN:
        peer->token = take_secret(r, value);
        return peer->token != NULL;
    case REMOTE_URL:
        peer->url = value;
        return true;
    case REMOTE_REGION:
        peer->region = value;
        return true;
    case REMOTE_CA:
        peer->ca_file = value;
        return true;
    case REMOTE_RETRY:
        return take_retry(r, value, argc, argv);
    case REMOTE_BATCH: /* nothing is ever asked without a terminal */
        return true;
    case REMOTE_VERSION:
        r->help = r->version = true;
        return true;
    default:
        r->help = true;
        return true;
    }
}

enum remote_taken remote_s3_option(struct remote *r, int opt, char *value)
{
    int shared = opt == 'a'   ? REMOTE_ACCESS_KEY
                 : opt == 's' ? REMOTE_SECRET
                 : opt == 't' ? REMOTE_TOKEN
                              : 0;

    if (shared == 0)
        return NOT_MINE;
    return shared_option(r, shared, value, 0, NULL) ? TAKEN : REFUSED;
}

enum remote_taken remote_api_option(struct remote *r, int opt, char *value)
{
    int shared = opt == 'O'   ? REMOTE_ACCESS_KEY
                 : opt == 'W' ? REMOTE_SECRET
                 : opt == 'T' ? REMOTE_TOKEN
                 : opt == 'U' ? REMOTE_URL
                              : 0;

    if (shared == 0)
        return NOT_MINE;
    return shared_option(r, shared, value, 0, NULL) ? TAKEN : REFUSED;
}

static int help(const struct remote_tool *t)
{
    bool s3 = t->service == REMOTE_S3;

    fputs(t->help, stdout);
    fputs(t->more_help != NULL ? t->more_help : "", stdout);
    printf("  %s--url URL           the service; or $%s, $AWS_ENDPOINT_URL, " REMOTE_CONF "\n"
           "      --region REGION     or $EC2_REGION, $AWS_DEFAULT_REGION; us-east-1\n"
           "      --cacert FILE       whom to trust, PEM; or $AWS_CA_BUNDLE\n"
           "      --retry[=N]         how often a failed request is tried again; %u\n"
           "      --version           name the version\n"
           "  -h, --help              this text\n"
           "\nexample:\n  %s\n",
           s3 ? "    " : "-U, ", s3 ? "S3_URL" : "EC2_URL", CLIENT_RETRIES, t->example);
    return tool_flush() ? TOOL_DONE : TOOL_FAILED;
}

/* A word that getopt did not take. */
static bool take_word(const struct remote_syntax *s, const char *word)
{
    if (s->operand == NULL || *s->operand != NULL) {
        tool_say("\"%s\" is no option; see --help", word);
        return false;
    }
    *s->operand = word;
    return true;
}

bool remote_parse(struct remote *r, const struct remote_syntax *s, int argc, char **argv)
{
    char letters[SHORTS_MAX];
    bool good = true;
    int opt;

    snprintf(letters, sizeof(letters), "%s" TOOL_COMMON_LETTERS, s->shorts);
    optind = 1;
    opterr = 0;
    while (good && (opt = getopt_long(argc, argv, letters, s->longs, NULL)) != -1) {
        enum remote_taken taken;

        if (opt == '?' || opt == ':')
            return tool_refuse_option(argv);
        taken = s->one(s->ctx, opt, optarg);
        good = taken == TAKEN || (taken == NOT_MINE && shared_option(r, opt, optarg, argc, argv));
    }
    for (; good && optind < argc; optind++)
        good = take_word(s, argv[optind]);
    return good;
}

/* ---- the file -------------------------------------------------------------------------------- */

static bool conf_line(struct remote *r, struct conf *c, const char *path, unsigned nr, char *line)
{
    const struct {
        const char *name;
        const char **to;
    } settings[] = {{"s3-url", &c->s3_url},
                    {"ec2-url", &c->ec2_url},
                    {"region", &c->region},
                    {"ca-file", &c->ca_file}};
    size_t name_len = strcspn(line, " \t="), at = name_len + strspn(line + name_len, " \t");

    if (line[at] != '=' || line[at + 1 + strspn(line + at + 1, " \t")] == '\0') {
        tool_say("%s:%u: a line is \"name = value\"", path, nr);
        return false;
    }
    for (size_t i = 0; i < ARRAY_LEN(settings); i++) {
        const char *value = line + at + 1 + strspn(line + at + 1, " \t");

        if (strlen(settings[i].name) != name_len || strncmp(settings[i].name, line, name_len) != 0)
            continue;
        *settings[i].to = keep(r, value, strlen(value));
        return *settings[i].to != NULL;
    }
    tool_say("%s:%u: there is no setting \"%.*s\"; there are s3-url, ec2-url, region and ca-file",
             path, nr, (int)name_len, line);
    return false;
}

/* No such file is fine, unless somebody named it. */
static bool read_conf(struct remote *r, struct conf *c)
{
    const char *named = getenv(REMOTE_CONF_ENV), *path = named != NULL ? named : REMOTE_CONF;
    FILE *f = fopen(path, "re");
    char line[CONF_LINE_MAX];
    bool good = true;

    if (f == NULL) {
        if (named != NULL || errno != ENOENT)
            tool_say("%s cannot be opened: %s", path, strerror(errno));
        return named == NULL && errno == ENOENT;
    }
    for (unsigned nr = 1; good && fgets(line, sizeof(line), f) != NULL; nr++) {
        char *text = line + strspn(line, " \t");
        size_t len = strlen(text);

        if (strlen(line) == sizeof(line) - 1) {
            tool_say("%s:%u: the line is longer than %u bytes", path, nr, CONF_LINE_MAX - 2);
            good = false;
            break;
        }
        while (len > 0 && strchr(" \t\r\n", text[len - 1]) != NULL)
            text[--len] = '\0';
        if (len > 0 && text[0] != '#')
            good = conf_line(r, c, path, nr, text);
    }
    fclose(f);
    return good;
}

/* ---- all together ---------------------------------------------------------------------------- */

/* The first of the environment's variables that is set and not empty; names end with NULL. */
static const char *from_env(const char *const *names)
{
    for (; *names != NULL; names++) {
        const char *value = getenv(*names);

        if (value != NULL && *value != '\0')
            return value;
    }
    return NULL;
}

static const char *first(const char *option, const char *const *names, const char *conf)
{
    const char *value = option != NULL ? option : from_env(names);

    return value != NULL ? value : conf;
}

/* The names that buckets' locations once had. */
static const char *region_of(const char *name)
{
    if (strcmp(name, "US") == 0)
        return "us-east-1";
    return strcmp(name, "EU") == 0 ? "eu-west-1" : name;
}

static void find_values(struct remote *r, enum remote_service service, const struct conf *c)
{
    static const char *const access[] = {"AWS_ACCESS_KEY", "AWS_ACCESS_KEY_ID", NULL};
    static const char *const secret[] = {"AWS_SECRET_KEY", "AWS_SECRET_ACCESS_KEY", NULL};
    static const char *const token[] = {"AWS_DELEGATION_TOKEN", "AWS_SESSION_TOKEN", NULL};
    static const char *const s3[] = {"S3_URL", "AWS_ENDPOINT_URL_S3", "AWS_ENDPOINT_URL", NULL};
    static const char *const ec2[] = {"EC2_URL", "AWS_ENDPOINT_URL_EC2", "AWS_ENDPOINT_URL", NULL};
    static const char *const region[] = {"EC2_REGION", "AWS_REGION", "AWS_DEFAULT_REGION", NULL};
    static const char *const ca[] = {"AWS_CA_BUNDLE", NULL};
    struct http_peer *peer = &r->client.peer;

    /* A token belongs to a pair of keys: one of the environment does not go with other keys. */
    if (peer->access_key == NULL && peer->token == NULL)
        peer->token = from_env(token);
    peer->access_key = first(peer->access_key, access, NULL);
    peer->secret = first(peer->secret, secret, NULL);
    peer->url = first(peer->url, service == REMOTE_S3 ? s3 : ec2,
                      service == REMOTE_S3 ? c->s3_url : c->ec2_url);
    peer->region = first(peer->region, region, c->region);
    peer->region = region_of(peer->region != NULL ? peer->region : "us-east-1");
    peer->ca_file = first(peer->ca_file, ca, c->ca_file);
    peer->service = service == REMOTE_S3 ? "s3" : "ec2";
}

/* Find what no option said, and check it. */
static bool ready(struct remote *r, enum remote_service service)
{
    struct http_peer *peer = &r->client.peer;
    struct conf conf = {0};
    size_t len;

    if (!read_conf(r, &conf))
        return false;
    find_values(r, service, &conf);
    if (peer->access_key == NULL || peer->secret == NULL) {
        tool_say("which account? The %s is given with %s, or in %s",
                 peer->access_key == NULL ? "access key" : "secret key",
                 service == REMOTE_S3       ? peer->access_key == NULL ? "-a" : "-s"
                 : peer->access_key == NULL ? "-O"
                                            : "-W",
                 peer->access_key == NULL ? "AWS_ACCESS_KEY" : "AWS_SECRET_KEY");
        return false;
    }
    if (peer->url == NULL) {
        tool_say("which service? Its address is given with --url, in %s, or as %s in " REMOTE_CONF,
                 service == REMOTE_S3 ? "S3_URL" : "EC2_URL",
                 service == REMOTE_S3 ? "s3-url" : "ec2-url");
        return false;
    }
    if (*peer->region == '\0' ||
        peer->region[strspn(peer->region, "abcdefghijklmnopqrstuvwxyz0123456789-")] != '\0') {
        tool_say("a region is of small letters, digits and dashes, as eu-west-1, not \"%s\"",
                 peer->region);
        return false;
    }
    if (peer->ca_file != NULL && access(peer->ca_file, R_OK) != 0) {
        tool_say("%s, whom to trust, cannot be read: %s", peer->ca_file, strerror(errno));
        return false;
    }
    for (len = strlen(peer->url); len > 0 && peer->url[len - 1] == '/'; len--)
        ;
    peer->url = keep(r, peer->url, len);
    peer->stop = tool_job()->stop;
    return peer->url != NULL;
}

struct http *remote_open(const struct remote *r)
{
    char why[1024];
    struct http *h = http_open(&r->client.peer, why, sizeof(why));

    if (h == NULL)
        tool_say("%s", why);
    return h;
}

bool remote_bucket(struct remote *r, const char *text, const char **bucket, const char **before)
{
    size_t len = strcspn(text, "/"), end = strlen(text);

    while (end > len && text[end - 1] == '/')
        end--;
    if (len == 0 || len > 255 ||
        strspn(text, "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"
                     "0123456789.-_") < len) {
        tool_say("the bucket (-b) is BUCKET or BUCKET/PREFIX, and a bucket's name is of letters, "
                 "digits, dots and dashes, not \"%s\"",
                 text);
        return false;
    }
    for (size_t i = 0; i < end; i++) {
        if ((unsigned char)text[i] < ' ' || text[i] == 0x7f) {
            tool_say("the prefix (-b) holds a control character: \"%s\"", text);
            return false;
        }
    }
    *bucket = keep(r, text, len);
    *before = "";
    if (end > len) { /* "B/a//" and "B/a" are the same */
        const char *prefix = keep(r, text + len + 1, end - len - 1);

        *before = prefix != NULL ? remote_key(r, prefix, "/") : NULL;
    }
    return *bucket != NULL && *before != NULL;
}

bool remote_manifest(struct remote *r, const char *path, struct manifest *m)
{
    char why[2048];
    const char *text;
    bool good = manifest_read_file(m, path, &r->arena, &text, why, sizeof(why));

    if (!good)
        tool_say("%s", why);
    return good;
}

const char *remote_key(struct remote *r, const char *before, const char *name)
{
    size_t cap = strlen(before) + strlen(name) + 1;
    char *key = arena_alloc(&r->arena, cap);

    if (key == NULL)
        tool_say("out of memory");
    else
        snprintf(key, cap, "%s%s", before, name);
    return key;
}

int remote_main(struct remote *r, const struct remote_tool *t, void *ctx, int argc, char **argv)
{
    if (!t->parse(ctx, argc, argv))
        return TOOL_USAGE;
    if (r->version)
        return tool_common_answer(TOOL_COMMON_VERSION, NULL);
    if (r->help)
        return help(t);
    if (!ready(r, t->service))
        return TOOL_USAGE;
    return t->work(ctx) ? TOOL_DONE : TOOL_FAILED;
}
