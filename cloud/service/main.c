/* SPDX-License-Identifier: MIT */
/* pvbootd: reads its configuration, opens its state, serves until it is told to stop. */
#include "cloud/engine/engine.h"
#include "cloud/engine/runner.h"
#include "cloud/service/blob.h"
#include "cloud/service/ec2_cache.h"
#include "cloud/service/files.h"
#include "cloud/service/http.h"
#include "cloud/service/image_helper.h"
#include "cloud/service/keeper.h"
#include "cloud/service/quota.h"
#include "cloud/service/state.h"

#include <errno.h>
#include <getopt.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

static const char default_config[] = "/etc/pvboot/pvbootd.conf";

/* Wrong arguments are status 2, as those of the tools are. */
#define WRONG_ARGUMENTS 2

/* The status, once all that was written to standard output has arrived. */
static int written(void)
{
    if (fflush(stdout) == 0 && !ferror(stdout))
        return 0;
    fprintf(stderr, "pvbootd: writing to standard output failed: %s\n", strerror(errno));
    return 1;
}

static int help(void)
{
    printf("usage: pvbootd [--config FILE] [--s3-url URL] [--check-config]\n\n"
           "Serves EC2's Query API and a bucket store.\n\n"
           "  --config FILE   instead of %s\n"
           "  --s3-url URL    read bundles from that S3, instead of s3-url in FILE\n"
           "  --check-config  read the configuration, say what is wrong with it, and end\n"
           "  --version       name the version\n"
           "  --help          this text\n",
           default_config);
    return written();
}

static int wrong_argument(const char *word, bool lacks_value)
{
    fprintf(stderr, "pvbootd: %s %s; pvbootd --help tells what can be said\n", word,
            lacks_value ? "needs a value" : "is no option");
    return WRONG_ARGUMENTS;
}

static int give_up(const struct buf *why)
{
    for (const char *line = why->text; *line;) {
        size_t len = strcspn(line, "\n");

        fprintf(stderr, "pvbootd: %.*s\n", (int)len, line);
        line += len + (line[len] == '\n');
    }
    return 1;
}

/* Each mistake is told, those of all files together. */
static bool prepare(struct service *svc, const char *path, const char *s3_url, struct buf *why)
{
    char text[AKI_WHY_MAX];
    struct buf sentence = {0};

    if (!config_read(path, s3_url, &svc->config, why) && !svc->config.opened)
        return false;
    if (!aki_table_add_file(&svc->akis, svc->config.akis, text, sizeof(text)))
        config_mistake(why, "akis: %s", text);
    if (!types_read(&svc->types, svc->config.types, &sentence))
        config_mistake(why, "%s", sentence.text);
    buf_free(&sentence);
    return why->len == 0;
}

/* A service of buckets alone needs no images, so this is no error; but whoever wants instances
 * should not learn it from the first of them. */
static void tell_missing_images(const struct config *c)
{
    static const char *const names[] = {"hd0-x86_64", "hd00-x86_64", "hd0-i386", "hd00-i386"};
    struct buf path = {0};

    for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
        buf_clear(&path);
        buf_printf(&path, "%s/pvboot-%s", c->pvboot_images, names[i]);
        if (access(path.text, R_OK) == 0)
            continue;
        fprintf(stderr,
                "pvbootd: %s: %s; kernel images of the catalogue do not start without pvboot's "
                "images: \"make install\" puts them there, or pvboot-images names their folder\n",
                path.text, strerror(errno));
        break;
    }
    buf_free(&path);
}

static bool open_engine(struct service *svc, struct buf *why)
{
    const struct engine_setup setup = {
        .state_dir = svc->config.state_dir ? svc->config.state_dir : "",
        .name = svc->config.engine,
        .libvirt_uri = svc->config.libvirt_uri,
        .bridge = svc->config.bridge,
        .program = "/proc/self/exe",
        .xen32 = svc->config.xen32,
    };

    svc->engine = engine_open(&setup, why);
    return svc->engine != NULL;
}

static bool open_state(struct service *svc, struct buf *why)
{
    const char *dir = svc->config.state_dir;

    if (!state_check(dir, why))
        return false;
    if (mkdir(dir, 0700) != 0 && errno != EEXIST) {
        buf_printf(why, "%s: %s", dir, strerror(errno));
        return false;
    }
    if (!files_prepare(dir, why) || !blobs_prepare(dir, why))
        return false;
    svc->db = db_open(dir, why); /* which locks the state: the key is made by one service alone */
    if (!svc->db)
        return false;
    if (!identity_open(&svc->config, &svc->identity, why)) {
        db_close(svc->db);
        return false;
    }
    files_sweep(dir, svc->db);
    blobs_sweep(dir, svc->db);
    return true;
}

/* Signals are waited for by this thread alone; the others never see them. */
static void block_signals(sigset_t *set)
{
    sigemptyset(set);
    sigaddset(set, SIGINT);
    sigaddset(set, SIGTERM);
    sigprocmask(SIG_BLOCK, set, NULL);
    signal(SIGPIPE, SIG_IGN);
}

static int serve(struct service *svc, struct buf *why)
{
    struct http *http;
    sigset_t set;
    int which;

    block_signals(&set);
    if (!open_state(svc, why))
        return give_up(why);
    if (!open_engine(svc, why)) {
        db_close(svc->db);
        return give_up(why);
    }
    if (keeper_start(svc) == NULL)
        buf_puts(why, "no thread can be made");
    http = svc->keeper != NULL ? http_start(svc, why) : NULL;
    if (!http) {
        if (svc->keeper != NULL)
            keeper_stop(svc->keeper);
        svc->engine->ops->close(svc->engine);
        db_close(svc->db);
        return give_up(why);
    }
    fprintf(stderr, "pvbootd: region %s at %s://%s:%u, state in %s\n", svc->config.region,
            svc->config.tls_key ? "https" : "http", svc->config.address, http_port(http),
            svc->config.state_dir);
    tell_missing_images(&svc->config);
    sigwait(&set, &which);
    keeper_tell_stop(svc->keeper);
    http_stop(http);
    keeper_stop(svc->keeper);
    svc->engine->ops->close(svc->engine);
    db_close(svc->db);
    return 0;
}

/* The sentence of a check that failed joins the others. */
static void tell(bool good, struct buf *sentence, struct buf *why)
{
    if (!good)
        config_mistake(why, "%s", sentence->text);
    buf_clear(sentence);
}

/* The configuration is read already, and `why` holds what is wrong with it; the rest of
 * --check-config. */
static int check_machine(struct service *svc, const char *path, struct buf *why)
{
    const struct config *c = &svc->config;
    struct buf sentence = {0};
    int status = 1;

    tell(http_check(c, &sentence), &sentence, why);
    if (c->state_dir && c->state_dir[0] == '/')
        tell(state_check(c->state_dir, &sentence), &sentence, why);
    if (c->ec2_key && c->ec2_certificate)
        tell(identity_open(c, &svc->identity, &sentence), &sentence, why);
    tell(open_engine(svc, &sentence), &sentence, why);
    if (why->len > 0) {
        give_up(why);
    } else {
        tell_missing_images(c);
        printf("%s: good: %zu accounts, region %s, %zu kernel images, engine %s\n", path,
               c->nr_accounts, c->region, svc->akis.nr, svc->engine->ops->name);
        status = written();
    }
    if (svc->engine)
        svc->engine->ops->close(svc->engine);
    buf_free(&sentence);
    return status;
}

int main(int argc, char **argv)
{
    static const struct option options[] = {
        {"config", required_argument, NULL, 'c'}, {"s3-url", required_argument, NULL, 's'},
        {"check-config", no_argument, NULL, 'k'}, {"help", no_argument, NULL, 'h'},
        {"version", no_argument, NULL, 'v'},      {NULL, 0, NULL, 0},
    };
    struct service *svc;
    const char *path = default_config, *s3_url = NULL;
    struct buf why = {0};
    bool check = false, good;
    int option, status = 0;

    umask(077); /* whatever starts us, and whoever may look into the state's folder */
    if (argc == 2 && strcmp(argv[1], "--image-helper") == 0)
        return image_helper();
    if (argc == 3 && strcmp(argv[1], "--run-guest") == 0)
        return runner_main(argv[2]);
    while ((option = getopt_long(argc, argv, ":", options, NULL)) != -1) {
        if (option == 'c')
            path = optarg;
        else if (option == 's')
            s3_url = optarg;
        else if (option == 'k')
            check = true;
        else if (option == 'v')
            return puts("pvbootd " PVBOOT_VERSION), written();
        else if (option == 'h')
            return help();
        else
            return wrong_argument(argv[optind - 1], option == ':');
    }
    if (optind < argc)
        return wrong_argument(argv[optind], false);
    buf_clear(&why);
    svc = xalloc(sizeof(*svc));
    svc->started = time(NULL);
    svc->cache = ec2_cache_make();
    metrics_prepare(&svc->metrics);
    svc->replay = replay_new(svc->started);
    svc->quota = quota_new(&svc->config);
    good = prepare(svc, path, s3_url, &why);
    if (check && svc->config.opened)
        status = check_machine(svc, path, &why);
    else if (!good)
        status = give_up(&why);
    else
        status = serve(svc, &why);
    replay_free(svc->replay);
    quota_free(svc->quota);
    identity_free(&svc->identity);
    ec2_cache_free(svc->cache);
    aki_table_free(&svc->akis);
    config_free(&svc->config);
    buf_free(&why);
    free(svc);
    return status;
}
