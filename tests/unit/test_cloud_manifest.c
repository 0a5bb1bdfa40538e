/* SPDX-License-Identifier: MIT */
/* Manifests of image bundles: written, read, signed; those of other tools; damaged ones. */
#include <stdlib.h>
#include <unistd.h>

#include <openssl/bn.h>
#include <openssl/evp.h>
#include <openssl/pem.h>
#include <openssl/rsa.h>

#include "cloud/bundle/manifest.h"
#include "tests/unit/support.h"
#include "tests/unit/test.h"

static struct arena arena;
static char why[1024];
static char folder[] = "/tmp/pvboot-manifest-XXXXXX";
static struct key *private_key, *public_key, *other_key;

/* A new key pair in two files of the folder. */
static void make_key(const char *private_path, const char *public_path)
{
    EVP_PKEY *k = EVP_RSA_gen(1024);
    FILE *f = fopen(private_path, "w");

    CHECK(k != NULL && f != NULL && PEM_write_PrivateKey(f, k, NULL, NULL, 0, NULL, NULL) == 1);
    fclose(f);
    f = fopen(public_path, "w");
    CHECK(f != NULL && PEM_write_PUBKEY(f, k) == 1);
    fclose(f);
    EVP_PKEY_free(k);
}

static struct manifest sample(void)
{
    static struct manifest_part parts[2] = {{"image.part.0", {1, 2, 3}}, {"image.part.1", {0xff}}};

    return (struct manifest){
        .bundler_name = "pvboot",
        .bundler_version = "1",
        .bundler_release = "2",
        .nr_mappings = 2,
        .mappings = {{"ami", "sda1"}, {"root", "/dev/sda1"}},
        .kernel_id = "aki-427d952b",
        .ramdisk_id = "ari-1",
        .nr_product_codes = 2,
        .product_codes = {"A", "<B&C>"},
        .nr_ancestors = 1,
        .ancestors = {"ami-1"},
        .name = "image",
        .user = "123456789012",
        .sha1 = {0xab, 0xcd},
        .size_bytes = 10737418240,
        .bundled_bytes = 12345678,
        .ec2_key = "00ff",
        .ec2_iv = "0123",
        .user_key = "4567",
        .user_iv = "89ab",
        .nr_parts = 2,
        .parts = parts,
    };
}

static bool read_text(struct manifest *m, const char *text)
{
    size_t len = strlen(text);
    char *exact = malloc(len + 1);

    for (size_t i = 0; i < len; i++)
        exact[i] = text[i];
    bool good = manifest_read(m, exact, len, &arena, why, sizeof(why));

    free(exact);
    return good;
}

static void reads_what_it_writes(void)
{
    struct manifest m = sample(), back;
    const char *text;
    size_t len;

    CHECK(manifest_write(&m, private_key, &arena, &text, &len, why, sizeof(why)));
    CHECK_U64(strlen(text), len);
    if (!read_text(&back, text))
        printf("%s\n", why);
    CHECK_U64(back.nr_passed_over, 0);
    CHECK_STR(back.version, "2007-10-10");
    CHECK_STR(back.bundler_name, "pvboot");
    CHECK_STR(back.bundler_release, "2");
    CHECK(!back.narrow);
    CHECK_U64(back.nr_mappings, 2);
    CHECK_STR(back.mappings[1].virtual_name, "root");
    CHECK_STR(back.mappings[1].device, "/dev/sda1");
    CHECK_STR(back.kernel_id, "aki-427d952b");
    CHECK_STR(back.ramdisk_id, "ari-1");
    CHECK_U64(back.nr_product_codes, 2);
    CHECK_STR(back.product_codes[1], "<B&C>");
    CHECK_STR(back.ancestors[0], "ami-1");
    CHECK_STR(back.name, "image");
    CHECK_STR(back.user, "123456789012");
    CHECK_U64(back.type, MANIFEST_MACHINE);
    CHECK(back.kernel_name == NULL);
    CHECK(memcmp(back.sha1, m.sha1, SHA1_BYTES) == 0);
    CHECK_U64(back.size_bytes, 10737418240);
    CHECK_U64(back.bundled_bytes, 12345678);
    CHECK_STR(back.ec2_key, "00ff");
    CHECK_STR(back.user_iv, "89ab");
    CHECK_U64(back.nr_parts, 2);
    CHECK_STR(back.parts[1].filename, "image.part.1");
    CHECK(memcmp(back.parts[0].sha1, m.parts[0].sha1, SHA1_BYTES) == 0);
    CHECK_U64(back.signed_image.off, back.signed_configuration.off + back.signed_configuration.len);
    CHECK(memcmp(text + back.signed_image.off, "<image><name>", 13) == 0);
    CHECK(memcmp(text + back.signed_image.off + back.signed_image.len, "<signature>", 11) == 0);
    CHECK(manifest_verify(&back, text, public_key, why, sizeof(why)));
    CHECK(manifest_verify(&m, text, public_key, why, sizeof(why)) == false); /* no signature yet */
    CHECK(!manifest_verify(&back, text, other_key, why, sizeof(why)));
    CHECK(strstr(why, "the signature does not match") != NULL);
}

static void notices_every_change(void)
{
    struct manifest m = sample(), back;
    const char *text;
    size_t len, step = 7;

    CHECK(manifest_write(&m, private_key, &arena, &text, &len, why, sizeof(why)));
    CHECK(read_text(&back, text));
    char *changed = strdup(text);

    for (size_t i = back.signed_configuration.off;
         i < back.signed_image.off + back.signed_image.len; i += step) {
        changed[i] ^= 1;
        CHECK(!manifest_verify(&back, changed, public_key, why, sizeof(why)));
        changed[i] ^= 1;
    }
    CHECK(manifest_verify(&back, changed, public_key, why, sizeof(why)));
    free(changed);
}

/* The text of a manifest with the part `from` replaced. */
static const char *with(const char *from, const char *to)
{
    static char out[4096];
    static const char base[] =
        "<?xml version=\"1.0\"?>\n<manifest>\n  <version>2007-10-10</version>\n"
        "  <bundler><name>other</name></bundler>\n"
        "  <machine_configuration>\n    <architecture>i386</architecture>\n"
        "    <kernel_id>aki-1</kernel_id>\n  </machine_configuration>\n"
        "  <image><name>disk</name><user>123456789012</user><type>machine</type>"
        "<digest algorithm=\"SHA1\">0123456789abcdef0123456789ABCDEF01234567</digest>"
        "<size>7</size><bundled_size>8</bundled_size>"
        "<ec2_encrypted_key algorithm=\"AES-128-CBC\">aa</ec2_encrypted_key>"
        "<user_encrypted_key algorithm=\"AES-128-CBC\">bb</user_encrypted_key>"
        "<ec2_encrypted_iv>cc</ec2_encrypted_iv><user_encrypted_iv>dd</user_encrypted_iv>"
        "<parts count=\"1\"><part index=\"0\"><filename>disk.part.0</filename>"
        "<digest algorithm=\"SHA1\">0000000000000000000000000000000000000000</digest></part>"
        "</parts></image>\n  <signature>00</signature>\n</manifest>\n";
    const char *at = strstr(base, from);

    CHECK(at != NULL);
    if (at == NULL)
        return base;
    snprintf(out, sizeof(out), "%.*s%s%s", (int)(at - base), base, to, at + strlen(from));
    return out;
}

static void takes_what_other_tools_write(void)
{
    struct manifest m;

    CHECK(read_text(&m, with("<version>", "<version>")));
    CHECK(m.narrow && m.signature != NULL);
    CHECK(read_text(&m, with("<signature>00<", "<signature>UNSIGNED<")));
    CHECK(m.signature == NULL);
    CHECK(!manifest_verify(&m, "", public_key, why, sizeof(why)));
    CHECK_STR(why, "the manifest is not signed");
    CHECK(read_text(&m, with("<kernel_id>", "<product_codes><product_code>1</product_code>"
                                            "</product_codes><kernel_id>")));
    CHECK_U64(m.nr_product_codes, 1);
    CHECK_STR(m.kernel_id, "aki-1");
    CHECK(read_text(&m, with("<user_encrypted_key algorithm=\"AES-128-CBC\">bb</user_encrypted_key>"
                             "<ec2_encrypted_iv>cc</ec2_encrypted_iv><user_encrypted_iv>dd"
                             "</user_encrypted_iv>",
                             "<user_encrypted_key/><ec2_encrypted_iv>cc</ec2_encrypted_iv>"
                             "<user_encrypted_iv></user_encrypted_iv>")));
    CHECK(m.user_key == NULL && m.user_iv == NULL);
    CHECK(
        read_text(&m, with("</parts>", "<part index=\"1\"><filename>disk.part.1</filename><digest>"
                                       "da39a3ee5e6b4b0d3255bfef95601890afd80709</digest></part>"
                                       "</parts>")) == false);
    CHECK_STR(why, "it has 2 parts, but says that there are 1");
    CHECK(read_text(&m, with("<user>123456789012</user>", "<user/>")));
    CHECK(m.user == NULL);
    CHECK(read_text(&m, with("<type>machine",
                             "<type>kernel</type><kernel_name>k</kernel_name><x>")) == false);
    CHECK(read_text(&m, with("<type>machine<", "<kernel_name>k</kernel_name><type>kernel<")));
    CHECK_U64(m.type, MANIFEST_KERNEL);
    CHECK_STR(m.kernel_name, "k");
    CHECK(read_text(&m, with("<kernel_id>aki-1<", "<kernel_id>true<")));
    CHECK_U64(m.type, MANIFEST_KERNEL);
    CHECK(m.kernel_id == NULL && m.kernel_name != NULL);
    CHECK(read_text(&m, with("<user>", "<weather><sun>1</sun></weather><user>")));
    CHECK_U64(m.nr_passed_over, 1);
    CHECK_STR(m.passed_over, "weather");
    CHECK(read_text(&m, with("<kernel_id>aki-1<", "<kernel_id>\n aki-1 \n<")));
    CHECK_STR(m.kernel_id, "aki-1");
}

static void refuses_bad_ones(void)
{
    static const struct {
        const char *from, *to, *said;
    } bad[] = {
        {"<?xml version=\"1.0\"?>", "", NULL},
        {"<?xml version=\"1.0\"?>", "<!DOCTYPE m [<!ENTITY a \"b\">]>", "a document type"},
        {"<manifest>", "<html></html><manifest>", "it begins with <html>"},
        {"2007-10-10", "2008-10-10", "of another version"},
        {"i386", "amd64", "the architecture is \"amd64\""},
        {"<name>disk</name>", "<name>../disk</name>", "\"../disk\" cannot be used"},
        {"<name>disk</name>", "<name>.</name>", "\".\" cannot be used"},
        {"<name>disk</name>", "<name>a b</name>", "\"a b\" cannot be used"},
        {"<name>disk</name>", "<name/>", "\"\" cannot be used"},
        {"<name>disk</name>", "", "there is no <name> in it"},
        {"disk.part.0", "/etc/passwd", "\"/etc/passwd\" cannot be used"},
        {"disk.part.0", "a\\b", "cannot be used"},
        {"disk.part.0", "-rf", "cannot be used"},
        {"<filename>disk.part.0</filename>", "", "part 0 has no filename"},
        {"algorithm=\"SHA1\"", "algorithm=\"MD5\"", "algorithm \"MD5\""},
        {"0123456789abcdef0", "0123456789abcdef", "is not 40 hexadecimal digits"},
        {"AES-128-CBC", "ROT13", "\"ROT13\""},
        {"<size>7<", "<size>-7<", "the size is \"-7\""},
        {"<size>7<", "<size>18446744073709551616<", "no number of bytes"},
        {"<user>123456789012<", "<user>me<", "no account of 12 digits"},
        {"<type>machine<", "<type>toaster<", "type \"toaster\""},
        {"count=\"1\"", "count=\"2\"", "says that there are 2"},
        {"index=\"0\"", "index=\"1\"", "index \"1\" stands where part 0"},
        {"<ec2_encrypted_iv>cc<", "<ec2_encrypted_iv><", "without its initialisation vector"},
        {"<ec2_encrypted_key algorithm=\"AES-128-CBC\">aa<",
         "<ec2_encrypted_key algorithm=\"AES-128-CBC\">xy<", "no hexadecimal text"},
        {"<size>", "<size>7</size><size>", "a second size"},
        {"<image>", "<image></image><image>", "a second image"},
        {"<signature>00</signature>", "", "there is no <signature>"},
        {"</manifest>", "", "no element found"},
        {"<user>", "<a><a><a><a><a><a><a><a><a><a><a><a><a><a><a><a><user>", "deeper than 15"},
        {"<name>other</name>", "<name>\033[2J</name>", "not well-formed"},
    };

    for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
        struct manifest m;
        bool good = read_text(&m, with(bad[i].from, bad[i].to));

        CHECK(good == (bad[i].said == NULL));
        if (bad[i].said == NULL)
            continue;
        if (strstr(why, bad[i].said) == NULL)
            printf("\"%s\" does not say \"%s\"\n", why, bad[i].said);
        CHECK(strstr(why, bad[i].said) != NULL);
    }
}

/* As many parts as a manifest may have, and one more. */
static void takes_ten_thousand_parts(void)
{
    struct manifest m = sample(), back;
    struct manifest_part *parts = calloc(MANIFEST_PARTS_MAX + 1, sizeof(*parts));
    const char *text;
    size_t len;

    for (uint32_t i = 0; i <= MANIFEST_PARTS_MAX; i++) {
        char name[32];

        snprintf(name, sizeof(name), "image.part.%05u", i);
        parts[i].filename = arena_strndup(&arena, name, strlen(name));
    }
    m.parts = parts;
    m.nr_parts = MANIFEST_PARTS_MAX;
    CHECK(manifest_write(&m, private_key, &arena, &text, &len, why, sizeof(why)));
    CHECK(read_text(&back, text));
    CHECK_U64(back.nr_parts, MANIFEST_PARTS_MAX);
    CHECK_STR(back.parts[9999].filename, "image.part.09999");
    m.nr_parts++;
    CHECK(manifest_write(&m, private_key, &arena, &text, &len, why, sizeof(why)));
    CHECK(!read_text(&back, text));
    CHECK(strstr(why, "more than 10000 parts") != NULL);
    free(parts);
}

static void opens_what_it_encrypts(void)
{
    char out[64];
    char *hex = key_encrypt(public_key, "000102030405060708090a0b0c0d0e0f", why, sizeof(why));

    CHECK(hex != NULL && strlen(hex) == 256);
    if (hex == NULL)
        return;
    CHECK(key_decrypt(private_key, hex, out, sizeof(out), why, sizeof(why)));
    CHECK_STR(out, "000102030405060708090a0b0c0d0e0f");
    CHECK(!key_decrypt(private_key, hex, out, 32, why, sizeof(why))); /* no room */
    CHECK(!key_decrypt(private_key, "zz", out, sizeof(out), why, sizeof(why)));
    CHECK(!key_decrypt(private_key, "", out, sizeof(out), why, sizeof(why)));
    hex[0] = hex[0] == '0' ? '1' : '0';
    CHECK(!key_decrypt(private_key, hex, out, sizeof(out), why, sizeof(why)) ||
          strcmp(out, "000102030405060708090a0b0c0d0e0f") != 0);
    free(hex);
    CHECK(key_same(private_key, public_key) && !key_same(private_key, other_key));
    CHECK(key_private("/nowhere/key.pem", why, sizeof(why)) == NULL);
    CHECK_STR(why, "/nowhere/key.pem cannot be opened: No such file or directory");
    CHECK(key_public("/dev/null", why, sizeof(why)) == NULL);
    CHECK(strstr(why, "is no certificate and no public key") != NULL);
}

int main(void)
{
    arena_init(&arena, &test_memory);
    if (mkdtemp(folder) == NULL || chdir(folder) != 0)
        return 99;
    make_key("key.pem", "pub.pem");
    make_key("key2.pem", "pub2.pem");
    private_key = key_private("key.pem", why, sizeof(why));
    public_key = key_public("pub.pem", why, sizeof(why));
    other_key = key_public("pub2.pem", why, sizeof(why));
    RUN(reads_what_it_writes);
    RUN(notices_every_change);
    RUN(takes_what_other_tools_write);
    RUN(refuses_bad_ones);
    RUN(takes_ten_thousand_parts);
    RUN(opens_what_it_encrypts);
    key_free(private_key);
    key_free(public_key);
    key_free(other_key);
    arena_reset(&arena);
    unlink("key.pem");
    unlink("pub.pem");
    unlink("key2.pem");
    unlink("pub2.pem");
    rmdir(folder);
    return test_done();
}
