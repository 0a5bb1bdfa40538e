/* SPDX-License-Identifier: MIT */
/*
 * core/menu/password: the line, the hashes of SHA-crypt's specification, and random passwords
 * against two other implementations on this machine, OpenSSL's and the C library's crypt(3).
 */
#include "core/menu/crypt.h"
#include "core/menu/password.h"
#include "tests/unit/packed.h"
#include "tests/unit/test.h"

#include <stdlib.h>

#define ALPHABET "./0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"
#define MD5_SUM  "j0yT3c/2mYPQF09fpvPLb0" /* of "abc", without salt */

static struct password parsed(const char *args, const char *want_rest)
{
    struct password p;
    const char *rest;

    CHECK_OK(password_parse(&p, args, &rest));
    CHECK_STR(rest, want_rest);
    return p;
}

static bool matches(const struct password *p, const char *typed)
{
    bool yes = true;

    CHECK_OK(password_matches(p, typed, strlen(typed), &yes));
    return yes;
}

/* The error's sentence, for tests of what a person is told. */
static const char *refusal(const char *args, enum err_code want)
{
    static char text[512];
    struct password p = {.kind = PASSWORD_PLAIN};
    const char *rest = NULL;
    struct err e = password_parse(&p, args, &rest);
    bool yes = true;

    CHECK_ERR(e, want);
    CHECK_U64(p.kind, PASSWORD_NONE);
    CHECK_STR(rest, "");
    CHECK_OK(password_matches(&p, "", 0, &yes)); /* a caller that goes on lets nobody in */
    CHECK(!yes);
    err_format(e, NULL, text, sizeof(text));
    return text;
}

static void reads_the_line(void)
{
    struct password p = parsed("secret", "");

    CHECK_U64(p.kind, PASSWORD_PLAIN);
    CHECK_U64(p.len, 6);
    p = parsed("  secret   /boot/grub/admin.lst", "/boot/grub/admin.lst");
    CHECK_U64(p.len, 6);
    p = parsed("--md5 $1$$" MD5_SUM "  (hd0,0)/x y", "(hd0,0)/x y");
    CHECK_U64(p.kind, PASSWORD_MD5);
    CHECK_U64(p.len, 26);
    CHECK(strncmp(p.text, "$1$$j0", 6) == 0);
    CHECK_U64(parsed("--encrypted $1$$" MD5_SUM, "").kind, PASSWORD_MD5);
    /* Without an option it is the password, whatever it looks like. */
    p = parsed("$1$$" MD5_SUM, "");
    CHECK_U64(p.kind, PASSWORD_PLAIN);
    CHECK(matches(&p, "$1$$" MD5_SUM));
    CHECK(!matches(&p, "abc"));
}

static void refuses_what_nobody_can_know(void)
{
    static const char *const other_kinds[] = {
        "$2b$12$abcdefghijklmnopqrstuuKeT3zvRNzRQCiI/HnPvVwIqmH.Lg3bS",
        "$y$j9T$abc$def",
        "$7$abc$def",
        "$2$",
        "$md5$abc$def",
        "rl.3StKT.4T8M",
        "$1",
        "$",
        "*",
        "!",
        "$1abc",
        "$11$abc$def"};
    static const char *const bad_sums[] = {
        "$1$abc$",                       /* empty */
        "$1$abc$j0yT3c/2mYPQF09fpvPLb",  /* short by one */
        "$1$abc$" MD5_SUM "0",           /* long by one */
        "$1$abc$" MD5_SUM "$",           /* another part */
        "$1$abc$j0yT3c/2mYPQF09fpvPL:0", /* not of the alphabet */
        "$1$abc$j0yT3c/2mYPQF09fpvPLb2", /* bits behind the last one */
        "$5$abc$" MD5_SUM,               /* another digest's */
        "$6$$$",
        "$6$abc$5B8vYYiY.CVt1RlTTf8KbXBH3hsxY/GNooZaBBGWEc5"};
    char args[200];

    CHECK(strstr(refusal("", ERR_BAD_ARGUMENT), "[--md5 | --encrypted] PASSWORD") != NULL);
    CHECK(strstr(refusal("--md5", ERR_BAD_ARGUMENT), "no PASSWORD") != NULL);
    CHECK(strstr(refusal("--encrpyted $1$$" MD5_SUM, ERR_BAD_ARGUMENT), "--encrypted") != NULL);
    CHECK(strstr(refusal("--MD5 x", ERR_BAD_ARGUMENT), "--md5") != NULL);
    for (size_t i = 0; i < sizeof(other_kinds) / sizeof(other_kinds[0]); i++) {
        snprintf(args, sizeof(args), "--encrypted %s", other_kinds[i]);
        CHECK(strstr(refusal(args, ERR_BAD_ARGUMENT), "$1$ (MD5), $5$ (SHA-256) or $6$") != NULL);
    }
    for (size_t i = 0; i < sizeof(bad_sums) / sizeof(bad_sums[0]); i++) {
        snprintf(args, sizeof(args), "--md5 %s", bad_sums[i]);
        CHECK(strstr(refusal(args, ERR_BAD_ARGUMENT), "hash ends with") != NULL);
    }
    CHECK(strstr(refusal("--md5 $1$salt", ERR_BAD_ARGUMENT), "behind its salt") != NULL);
    CHECK(strstr(refusal("--md5 $5$rounds=1000$salt", ERR_BAD_ARGUMENT), "behind its salt") !=
          NULL);
}

#define SUM256 "5B8vYYiY.CVt1RlTTf8KbXBH3hsxY/GNooZaBBGWEc5"

static void caps_the_rounds(void)
{
    struct crypt_hash h;
    static const char *const bad[] = {"rounds=",     "rounds=$",   "rounds=x$",   "rounds=-1$",
                                      "rounds=10x$", "rounds= 5$", "rounds=0x10$"};
    static const char *const many[] = {"5000001",
                                       "999999999",
                                       "1000000000",
                                       "4294967296",
                                       "18446744073709551616",
                                       "99999999999999999999999999999"};
    static const struct {
        const char *digits;
        uint32_t rounds;
    } fine[] = {{"0", 1000},    {"10", 1000},      {"999", 1000},       {"1000", 1000},
                {"1001", 1001}, {"0005000", 5000}, {"5000000", 5000000}};
    char text[200];

    for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
        snprintf(text, sizeof(text), "$5$%ssalt$%s", bad[i], SUM256);
        CHECK_ERR(crypt_split(&h, text, strlen(text)), ERR_BAD_ARGUMENT);
    }
    for (size_t i = 0; i < sizeof(many) / sizeof(many[0]); i++) {
        snprintf(text, sizeof(text), "--encrypted $5$rounds=%s$salt$%s", many[i], SUM256);
        CHECK(strstr(refusal(text, ERR_LIMIT), "more than 5000000 rounds") != NULL);
    }
    for (size_t i = 0; i < sizeof(fine) / sizeof(fine[0]); i++) {
        snprintf(text, sizeof(text), "$5$rounds=%s$salt$%s", fine[i].digits, SUM256);
        CHECK_OK(crypt_split(&h, text, strlen(text)));
        CHECK_U64(h.rounds, fine[i].rounds);
        CHECK_U64(h.salt_len, 4);
    }
    /* MD5 knows no rounds: there it is a salt. */
    CHECK_OK(crypt_split(&h, "$1$rounds=9$" MD5_SUM, 12 + 22));
    CHECK_U64(h.salt_len, 8);
}

/* The specification's vectors. Salts of more than 16 bytes are cut, too few rounds are 1,000. */
static void agrees_with_the_specification(void)
{
    static const struct {
        const char *setting, *typed, *sum256, *sum512;
    } vectors[] = {
        {"saltstring", "Hello world!", "5B8vYYiY.CVt1RlTTf8KbXBH3hsxY/GNooZaBBGWEc5",
         "svn8UoSVapNtMuq1ukKS4tPQd8iKwSMHWjl/O817G3uBnIFNjnQJuesI68u4OTLiBFdcbYEdFCoEOfaS35inz1"},
        {"rounds=10000$saltstringsaltstring", "Hello world!",
         "3xv.VbSHBb41AL9AvLeujZkZRBAwqFMz2.opqey6IcA",
         "OW1/O6BYHV6BcXZu8QVeXbDWra3Oeqh0sbHbbMCVNSnCM/UrjmM0Dp8vOuZeHBy/YTBmSK6H9qs/y3RnOaw5v."},
        {"rounds=5000$toolongsaltstring", "This is just a test",
         "Un/5jzAHMgOGZ5.mWJpuVolil07guHPvOW8mGRcvxa5",
         "lQ8jolhgVRVhY4b5pZKaysCLi0QBxGoNeKQzQ3glMhwllF7oGDZxUhx1yxdYcz/e1JSbq3y6JMxxl8audkUEm0"},
        {"rounds=1400$anotherlongsaltstring",
         "a very much longer text to encrypt.  This one even stretches over morethan one line.",
         "Rx.j8H.h8HjEDGomFU8bDkXm3XIUnzyxf12oP84Bnq1",
         "POfYwTEok97VWcjxIiSOjiykti.o/pQs.wPvMxQ6Fm7I6IoYN3CmLs66x9t0oSwbtEW7o7UmJEiDwGqd8p4ur1"},
        {"rounds=77777$short", "we have a short salt string but not a short password",
         "JiO1O3ZpDAxGJeaDIuqCoEFysAe1mZNJRs3pw0KQRd/",
         "WuQyW2YR.hBNpjjRhpYD/ifIw05xdfeEyQoMxIXbkvr0gge1a1x3yRULJ5CCaUeOxFmtlcGZelFl5CxtgfiAc0"},
        {"rounds=123456$asaltof16chars..", "a short string",
         "gP3VQ/6X7UUEW3HkBn2w1/Ptq2jxPyzV/cZKmF/wJvD",
         "BtCwjqMJGx5hrJhZywWvt0RLE8uZ4oPwcelCjmw2kSYu.Ec6ycULevoBK25fs2xXgMNrCzIMVcgEJAstJeonj1"},
        {"rounds=10$roundstoolow", "the minimum number is still observed",
         "yfvwcWrQ8l/K0DAWyuPMDNHpIVlTQebY9l/gL972bIC",
         "kUMsbe306n21p9R.FRkW3IGn.S9NPN0x50YhH1xhLsPuWGsUSklZt58jaTfF4ZEQpyUNGc0dqbpBYYBaHHrsX."},
    };
    char line[300];

    for (size_t i = 0; i < sizeof(vectors) / sizeof(vectors[0]); i++) {
        struct password p;

        snprintf(line, sizeof(line), "--encrypted $5$%s$%s", vectors[i].setting, vectors[i].sum256);
        p = parsed(line, "");
        CHECK_U64(p.kind, PASSWORD_SHA256);
        CHECK(matches(&p, vectors[i].typed));
        CHECK(!matches(&p, vectors[i].typed + 1));
        snprintf(line, sizeof(line), "--md5 $6$%s$%s", vectors[i].setting, vectors[i].sum512);
        p = parsed(line, "");
        CHECK_U64(p.kind, PASSWORD_SHA512);
        CHECK(matches(&p, vectors[i].typed));
    }
}

static void compares_plain_passwords(void)
{
    struct password p = parsed("p\xc3\xa4ss", "");
    static const char *const others[] = {
        "", "p", "p\xc3\xa4s", "p\xc3\xa4sss", "pass", "P\xc3\xa4ss", "p\xc3\xa4ssp\xc3\xa4ss"};
    char *copy = malloc(5); /* without a terminator: the sanitizer watches its end */
    bool yes = false;

    for (size_t i = 0; i < 5; i++)
        copy[i] = p.text[i];
    CHECK_OK(password_matches(&p, copy, 5, &yes));
    CHECK(yes);
    free(copy);
    for (size_t i = 0; i < sizeof(others) / sizeof(others[0]); i++)
        CHECK(!matches(&p, others[i]));
    CHECK_OK(password_matches(&p, "p\xc3\xa4ss\0", 6, &yes));
    CHECK(!yes);
}

static void caps_what_is_typed(void)
{
    static char typed[PASSWORD_TYPED_MAX + 1];
    struct password p = parsed("--md5 $1$$" MD5_SUM, ""), plain = parsed("x", "");
    char out[PASSWORD_MD5_BYTES];
    bool yes = true;

    memset(typed, 'x', sizeof(typed));
    CHECK_ERR(password_matches(&p, typed, sizeof(typed), &yes), ERR_LIMIT);
    CHECK(!yes);
    CHECK_OK(password_matches(&p, typed, sizeof(typed) - 1, &yes));
    CHECK(!yes);
    CHECK_OK(password_matches(&plain, typed, sizeof(typed), &yes));
    CHECK(!yes);
    CHECK_ERR(password_md5crypt(typed, sizeof(typed), "abcdefgh", out, sizeof(out)), ERR_LIMIT);
}

/* A hash that nobody parsed fails, and lets nobody in. */
static void survives_an_unparsed_hash(void)
{
    struct password p = {.kind = PASSWORD_SHA512, .text = "$6$", .len = 3};
    bool yes = true;

    CHECK_ERR(password_matches(&p, "", 0, &yes), ERR_BAD_ARGUMENT);
    CHECK(!yes);
}

static void makes_hashes(void)
{
    char out[PASSWORD_MD5_BYTES], salt[PASSWORD_SALT_LEN], line[60];
    struct password p;

    CHECK_OK(password_md5crypt("Hello world!", 12, "saltstri", out, sizeof(out)));
    CHECK_STR(out, "$1$saltstri$YMyguxXMBpd2TEZ.vS/3q1");
    CHECK_ERR(password_md5crypt("x", 1, "saltstri", out, sizeof(out) - 1), ERR_BAD_ARGUMENT);
    CHECK_ERR(password_md5crypt("x", 1, "salt$tri", out, sizeof(out)), ERR_BAD_ARGUMENT);
    CHECK_ERR(password_md5crypt("x", 1, "salt\0\0\0\0", out, sizeof(out)), ERR_BAD_ARGUMENT);
    password_salt(0, salt);
    CHECK(memcmp(salt, "........", 8) == 0);
    password_salt(UINT64_MAX, salt);
    CHECK(memcmp(salt, "zzzzzzzz", 8) == 0);
    password_salt(1 | 63ull << 42, salt);
    CHECK(memcmp(salt, "/......z", 8) == 0);
    CHECK_OK(password_md5crypt("", 0, salt, out, sizeof(out)));
    snprintf(line, sizeof(line), "--md5 %s", out);
    p = parsed(line, "");
    CHECK(matches(&p, ""));
    CHECK(!matches(&p, "x"));
}

/* ---- the oracles ---- */

#define TYPED_MAX 256

/* A password of len bytes without the two that end lines and strings. */
static void random_password(char *out, size_t len, uint32_t *state)
{
    for (size_t i = 0; i < len; i++) {
        uint32_t r = next_random(state);

        if (r % 8 == 0 && i + 1 < len) { /* two bytes of UTF-8 */
            out[i++] = (char)(0xc3 + r / 8 % 16);
            out[i] = (char)(0x80 + r / 128 % 64);
        } else {
            out[i] = (char)(' ' + r / 8 % 95);
        }
    }
    out[len] = '\0';
}

/* Does the hash fit the password, and neither a shorter nor a changed one? */
static void check_hash(char *hash, const char *typed)
{
    char line[200], changed[TYPED_MAX + 1];
    struct password p;

    snprintf(line, sizeof(line), "--encrypted %s", hash);
    p = parsed(line, "");
    CHECK(p.kind > PASSWORD_PLAIN);
    if (p.kind <= PASSWORD_PLAIN || !matches(&p, typed)) {
        printf("the password \"%s\" has the hash %s\n", typed, hash);
        CHECK(!"the same as the oracle's");
    }
    if (typed[0] == '\0')
        return;
    snprintf(changed, sizeof(changed), "%s", typed);
    changed[strlen(changed) / 2] ^= 1;
    CHECK(!matches(&p, changed));
}

/* Lengths around the digests' blocks come up, each of 1 to 64 does, and two long ones. */
static size_t length_of(uint32_t i)
{
    return i % 33 == 31 ? 200 : i % 33 == 32 ? 111 + i / 33 % 20 : 1 + (i * 2 + i / 33) % 64;
}

/* The setting of the i-th batch: each digest with salts of every length and various rounds. */
static void make_setting(char *out, size_t cap, char digest, uint32_t i, uint32_t *state)
{
    static const char *const rounds[] = {"rounds=1000$", "rounds=1001$", "", "rounds=1259$"};
    size_t salt_len = 1 + i % (digest == '1' ? 8 : 16);
    char salt[17] = "";

    for (size_t k = 0; k < salt_len; k++)
        salt[k] = ALPHABET[next_random(state) % 64];
    snprintf(out, cap, "%s%s", digest == '1' ? "" : rounds[i % 4], salt);
}

/*
 * Feed nr passwords, one a line, to the command, which makes a line of each with its hash; look at
 * all of them.
 */
static void check_batch(const char *command, uint32_t first, uint32_t nr, uint32_t *state)
{
    char(*typed)[TYPED_MAX + 1] = calloc(nr, sizeof(*typed));
    struct bytes in = {malloc((size_t)nr * (TYPED_MAX + 1)), 0}, out;
    uint32_t nr_lines = 0;
    char *at, *end;

    for (uint32_t i = 0; i < nr; i++) {
        size_t len = length_of(first + i);

        random_password(typed[i], len, state);
        memcpy(in.data + in.len, typed[i], len);
        in.data[in.len + len] = '\n';
        in.len += len + 1;
    }
    out = through_command(command, in);
    out.data[out.len] = '\0';
    at = (char *)out.data;
    for (; nr_lines < nr && (end = strchr(at, '\n')) != NULL; nr_lines++, at = end + 1) {
        *end = '\0';
        check_hash(at, typed[nr_lines]);
    }
    CHECK_U64(nr_lines, nr);
    free(typed);
    bytes_free(&in);
    bytes_free(&out);
}

static void agrees_with_openssl(void)
{
    char command[200], setting[40];
    uint32_t state = 4;

    for (uint32_t i = 0; i < 48; i++) {
        char digest = "156"[i % 3];

        make_setting(setting, sizeof(setting), digest, i / 3, &state);
        snprintf(command, sizeof(command), "openssl passwd -%c -salt '%s' -stdin -noverify", digest,
                 setting);
        check_batch(command, i * 8, 8, &state);
    }
}

static void agrees_with_the_c_library(void)
{
    char command[400], setting[40];
    uint32_t state = 5;

    for (uint32_t i = 0; i < 12; i++) {
        char digest = "156"[i % 3];

        make_setting(setting, sizeof(setting), digest, 3 + i, &state);
        snprintf(command, sizeof(command),
                 "python3 -W ignore -c 'import crypt, os, sys\n"
                 "for l in sys.stdin.buffer: print(crypt.crypt(os.fsdecode(l[:-1]), \"$%c$%s\"))'",
                 digest, setting);
        check_batch(command, i * 12, 12, &state);
    }
}

/* OpenSSL has no SHA hashes of nothing; the C library has. */
static void takes_an_empty_password(void)
{
    char sha[] = "$6$rounds=1000$abcdefgh$EXAhR4Ety06RoQxMGyf4SY5662XUrnNYnkMR4YirLV86Bn1i2FXJhH8vY"
                 "FgzKA/hY4rwctuXaZYa3ju9zuElg/",
         md5[] = "$1$$qRPK7m23GJusamGpoGLby/";

    check_hash(sha, "");
    check_hash(md5, "");
}

int main(void)
{
    RUN(reads_the_line);
    RUN(refuses_what_nobody_can_know);
    RUN(caps_the_rounds);
    RUN(agrees_with_the_specification);
    RUN(compares_plain_passwords);
    RUN(caps_what_is_typed);
    RUN(survives_an_unparsed_hash);
    RUN(makes_hashes);
    RUN(takes_an_empty_password);
    RUN(agrees_with_openssl);
    RUN(agrees_with_the_c_library);
    return test_done();
}
