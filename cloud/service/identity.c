/* SPDX-License-Identifier: MIT */
/* The service's own key and certificate; see identity.h. */
#include "cloud/service/identity.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include <openssl/evp.h>
#include <openssl/pem.h>
#include <openssl/rsa.h>
#include <openssl/x509v3.h>

#define KEY_BITS              2048
#define VALID_DAYS            7300
#define CERTIFICATE_BYTES_MAX 65536

/* ---- making ---------------------------------------------------------------------------------- */

/* Complete or not there: under a name of its own first, then under `path`. */
static bool write_whole(const char *dir, const char *path, BIO *pem, struct buf *why)
{
    char *bytes, temporary[4096];
    long len = BIO_get_mem_data(pem, &bytes);
    int fd, folder;
    bool good;

    snprintf(temporary, sizeof(temporary), "%s.new", path);
    fd = open(temporary, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
    good = fd >= 0 && len > 0 && write(fd, bytes, (size_t)len) == len && fsync(fd) == 0 &&
           rename(temporary, path) == 0;
    if (!good)
        buf_printf(why, "%s: %s", path, strerror(errno));
    if (fd >= 0)
        close(fd);
    folder = open(dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (folder >= 0) {
        fsync(folder);
        close(folder);
    }
    return good;
}

static bool openssl_failed(struct buf *why)
{
    buf_puts(why, "OpenSSL could not make the key and the certificate that bundles need");
    return false;
}

static bool make_key(const char *dir, const char *path, struct buf *why)
{
    EVP_PKEY *pkey = EVP_RSA_gen(KEY_BITS);
    BIO *pem = BIO_new(BIO_s_secmem());
    bool good = pkey && pem && PEM_write_bio_PrivateKey(pem, pkey, NULL, NULL, 0, NULL, NULL) == 1;

    good = good ? write_whole(dir, path, pem, why) : openssl_failed(why);
    BIO_free(pem);
    EVP_PKEY_free(pkey);
    return good;
}

static EVP_PKEY *read_key(const char *path)
{
    FILE *f = fopen(path, "re");
    EVP_PKEY *pkey = f ? PEM_read_PrivateKey(f, NULL, NULL, NULL) : NULL;

    if (f)
        fclose(f);
    return pkey;
}

/* Signed by its own key: clients trust it because they fetched it from the service. */
static bool fill_certificate(X509 *x, EVP_PKEY *pkey, const char *region)
{
    X509_NAME *name = X509_get_subject_name(x);

    return X509_set_version(x, X509_VERSION_3) == 1 &&
           ASN1_INTEGER_set(X509_get_serialNumber(x), 1) == 1 &&
           X509_gmtime_adj(X509_getm_notBefore(x), -86400) != NULL &&
           X509_gmtime_adj(X509_getm_notAfter(x), (long)VALID_DAYS * 86400) != NULL &&
           X509_NAME_add_entry_by_txt(name, "O", MBSTRING_ASC, (const unsigned char *)"pvbootd", -1,
                                      -1, 0) == 1 &&
           X509_NAME_add_entry_by_txt(name, "CN", MBSTRING_ASC, (const unsigned char *)region, -1,
                                      -1, 0) == 1 &&
           X509_set_issuer_name(x, name) == 1 && X509_set_pubkey(x, pkey) == 1 &&
           X509_sign(x, pkey, EVP_sha256()) > 0;
}

static bool make_certificate(const char *dir, const char *key_path, const char *path,
                             const char *region, struct buf *why)
{
    EVP_PKEY *pkey = read_key(key_path);
    X509 *x = X509_new();
    BIO *pem = BIO_new(BIO_s_mem());
    bool good =
        pkey && x && pem && fill_certificate(x, pkey, region) && PEM_write_bio_X509(pem, x) == 1;

    good = good ? write_whole(dir, path, pem, why) : openssl_failed(why);
    BIO_free(pem);
    X509_free(x);
    EVP_PKEY_free(pkey);
    return good;
}

/* ---- reading --------------------------------------------------------------------------------- */

static bool read_certificate(const char *path, struct buf *out, struct buf *why)
{
    FILE *f = fopen(path, "re");
    char piece[4096];
    size_t n;

    buf_clear(out);
    while (f && out->len <= CERTIFICATE_BYTES_MAX && (n = fread(piece, 1, sizeof(piece), f)) > 0)
        buf_add(out, piece, n);
    if (!f || ferror(f) || out->len > CERTIFICATE_BYTES_MAX)
        buf_printf(why, "%s: %s", path,
                   out->len > CERTIFICATE_BYTES_MAX ? "too large for a certificate"
                                                    : strerror(errno));
    if (f)
        fclose(f);
    return why->len == 0;
}

static bool load(const char *key_path, const char *certificate_path, struct identity *out,
                 struct buf *why)
{
    char said[1024];
    struct key *public = key_public(certificate_path, said, sizeof(said));
    bool good = false;

    out->private = public ? key_private(key_path, said, sizeof(said)) : NULL;
    if (!out->private)
        buf_puts(why, said);
    else if (!key_same(public, out->private))
        buf_printf(why, "%s and %s do not belong together", key_path, certificate_path);
    else
        good = read_certificate(certificate_path, &out->certificate, why);
    key_free(public);
    if (!good)
        identity_free(out);
    return good;
}

bool identity_open(const struct config *config, struct identity *out, struct buf *why)
{
    const char *dir = config->state_dir;
    char key[4096], certificate[4096];

    *out = (struct identity){0};
    buf_clear(why);
    if (config->ec2_key)
        return load(config->ec2_key, config->ec2_certificate, out, why);
    if ((size_t)snprintf(key, sizeof(key), "%s/ec2-key.pem", dir) >= sizeof(key) - 8 ||
        (size_t)snprintf(certificate, sizeof(certificate), "%s/cert-ec2.pem", dir) >=
            sizeof(certificate) - 8) {
        buf_puts(why, "the path of the state's directory is too long");
        return false;
    }
    if (access(key, F_OK) != 0 && errno == ENOENT && !make_key(dir, key, why))
        return false;
    if (access(certificate, F_OK) != 0 && errno == ENOENT &&
        !make_certificate(dir, key, certificate, config->region, why))
        return false;
    return load(key, certificate, out, why);
}

void identity_free(struct identity *id)
{
    key_free(id->private);
    buf_free(&id->certificate);
    *id = (struct identity){0};
}
