/* SPDX-License-Identifier: MIT */
/* What the settings say together, and the files that they name; see config_check.h. */
#include "cloud/service/config_check.h"

#include <errno.h>
#include <openssl/err.h>
#include <openssl/pem.h>
#include <openssl/x509.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define SENTENCE_BYTES 8192

void config_mistake(struct buf *why, const char *format, ...)
{
    char sentence[SENTENCE_BYTES];
    va_list ap;

    va_start(ap, format);
    vsnprintf(sentence, sizeof(sentence), format, ap);
    va_end(ap);
    if (why->len > 0)
        buf_puts(why, "\n");
    buf_puts(why, sentence);
}

bool config_check_private(int fd, const char *path, struct buf *why)
{
    struct stat st;

    if (fstat(fd, &st) == 0 && (st.st_mode & S_IRWXO) == 0)
        return true;
    buf_printf(why, "%s holds a secret and can be read by everybody; chmod o= it", path);
    return false;
}

/* ---- accounts and logins --------------------------------------------------------------------- */

static void check_accounts(const struct config *c, const char *path, struct buf *why)
{
    if (c->nr_accounts == 0)
        config_mistake(why, "%s: no [account ...]: nobody could use the service", path);
    for (size_t i = 0; i < c->nr_accounts; i++) {
        const struct account *a = &c->accounts[i];

        if (!a->access_key || !a->secret)
            config_mistake(why, "%s:%u: account %s needs an access-key and a secret-file", path,
                           a->line, a->id);
        for (size_t k = 0; a->access_key && k < i; k++) {
            const char *other = c->accounts[k].access_key;

            if (other && strcmp(other, a->access_key) == 0) {
                config_mistake(why,
                               "%s:%u: the access key of account %s belongs to another one, too",
                               path, a->line, a->id);
                break;
            }
        }
    }
}

static bool check_login(const struct login *l, const char *path, const char *whose, struct buf *why)
{
    if (!l->access_key == !l->secret)
        return true;
    buf_printf(why, "%s: s3-access-key and s3-secret-file are given both or not at all%s%s", path,
               *whose ? ", here for account " : "", whose);
    return false;
}

/* HTTP or HTTPS, a host, nothing behind it. */
static bool url_good(const char *url)
{
    const char *host = strncmp(url, "http://", 7) == 0    ? url + 7
                       : strncmp(url, "https://", 8) == 0 ? url + 8
                                                          : NULL;

    return host && *host && !host[strcspn(host, "/?#@ ")];
}

/* The S3 that bundles are read from: somebody must be able to log in for each account. */
static bool check_s3(const struct config *c, const char *path, struct buf *why)
{
    if (!c->s3_url && (c->s3_region || c->s3.access_key || c->s3.secret)) {
        buf_printf(why, "%s: s3-region, s3-access-key and s3-secret-file need s3-url", path);
        return false;
    }
    if (c->s3_url && !url_good(c->s3_url)) {
        buf_printf(why, "%s: s3-url is http://HOST[:PORT] or https://HOST[:PORT], not \"%s\"", path,
                   c->s3_url);
        return false;
    }
    if (!check_login(&c->s3, path, "", why))
        return false;
    for (size_t i = 0; i < c->nr_accounts; i++) {
        const struct account *a = &c->accounts[i];

        if (!check_login(&a->s3, path, a->id, why))
            return false;
        if (c->s3_url && !c->s3.secret && !a->s3.secret) {
            buf_printf(why,
                       "%s:%u: account %s needs an s3-access-key and an s3-secret-file for %s, or "
                       "the service one for all",
                       path, a->line, a->id, c->s3_url);
            return false;
        }
    }
    return true;
}

/* ---- certificates and keys ------------------------------------------------------------------- */

/* The file of a private key; NULL: a sentence is added. */
static FILE *open_key(const char *path, struct buf *why)
{
    struct buf sentence = {0};
    FILE *f = fopen(path, "re");

    if (!f) {
        config_mistake(why, "%s: %s", path, strerror(errno));
        return NULL;
    }
    if (!config_check_private(fileno(f), path, &sentence)) {
        config_mistake(why, "%s", sentence.text);
        fclose(f);
        f = NULL;
    }
    buf_free(&sentence);
    return f;
}

/* Nobody is there to be asked. */
static int no_passphrase(char *to, int size, int writing, void *asked)
{
    (void)to;
    (void)size;
    (void)writing;
    *(bool *)asked = true;
    return -1;
}

static X509 *read_certificate(const char *path, struct buf *why)
{
    FILE *f = fopen(path, "re");
    X509 *x;

    if (!f) {
        config_mistake(why, "%s: %s", path, strerror(errno));
        return NULL;
    }
    x = PEM_read_X509(f, NULL, NULL, NULL);
    fclose(f);
    if (!x)
        config_mistake(why, "%s is no certificate in PEM form", path);
    return x;
}

static EVP_PKEY *read_key(const char *path, struct buf *why)
{
    FILE *f = open_key(path, why);
    bool asked = false;
    EVP_PKEY *key;

    if (!f)
        return NULL;
    key = PEM_read_PrivateKey(f, NULL, no_passphrase, &asked);
    fclose(f);
    if (!key)
        config_mistake(why,
                       asked ? "%s is protected by a passphrase, which nobody could type; openssl "
                               "pkey takes it off"
                             : "%s is no private key in PEM form",
                       path);
    return key;
}

static void check_tls(const struct config *c, struct buf *why)
{
    X509 *certificate = read_certificate(c->tls_certificate, why);
    EVP_PKEY *key = strcmp(c->tls_certificate, c->tls_key) == 0 && !certificate
                        ? NULL
                        : read_key(c->tls_key, why);

    if (certificate && key && X509_check_private_key(certificate, key) != 1)
        config_mistake(why, "%s and %s do not belong together", c->tls_key, c->tls_certificate);
    X509_free(certificate);
    EVP_PKEY_free(key);
    ERR_clear_error();
}

/* What is in it, identity_open tells, and that it is not there. */
static void check_ec2_key(const struct config *c, struct buf *why)
{
    FILE *f = access(c->ec2_key, R_OK) == 0 ? open_key(c->ec2_key, why) : NULL;

    if (f)
        fclose(f);
}

static void check_both(const char *one, const char *other, const char *path, const char *names,
                       struct buf *why)
{
    if (!one != !other)
        config_mistake(why, "%s: %s are given both or not at all", path, names);
}

void config_check(const struct config *c, const char *path, bool whole, struct buf *why)
{
    struct buf sentence = {0};

    if (c->state_dir ? c->state_dir[0] != '/' : whole)
        config_mistake(why, "%s: state must be an absolute path of a directory", path);
    if (c->region[strspn(c->region, "abcdefghijklmnopqrstuvwxyz0123456789-")])
        config_mistake(why, "%s: a region is of small letters, digits and '-'", path);
    if (c->xen32 && access(c->xen32, R_OK) != 0)
        config_mistake(why, "xen32: %s: %s", c->xen32, strerror(errno));
    if (c->tls_certificate && c->tls_key)
        check_tls(c, why);
    if (c->ec2_certificate && c->ec2_key)
        check_ec2_key(c, why);
    if (!whole)
        return;
    check_both(c->tls_certificate, c->tls_key, path, "tls-certificate and tls-key", why);
    check_both(c->ec2_certificate, c->ec2_key, path, "ec2-certificate and ec2-key", why);
    check_accounts(c, path, why);
    if (!check_s3(c, path, &sentence))
        config_mistake(why, "%s", sentence.text);
    buf_free(&sentence);
}
