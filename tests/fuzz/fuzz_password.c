/* SPDX-License-Identifier: MIT */
/*
 * Fuzz the `password` line: what stands before the first newline are its arguments, what comes
 * behind is typed. Hashes of many rounds are parsed, and not computed.
 */
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "core/menu/crypt.h"
#include "core/menu/password.h"
#include "tests/fuzz/must.h"
#include "tests/fuzz/seeds.h"

#define ROUNDS_RUN 1000u

int LLVMFuzzerInitialize(int *argc, char ***argv);
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerInitialize(int *argc, char ***argv)
{
    static const char *const seeds[] = {
        "secret /boot/grub/x\nsecret", "--md5 $1$$j0yT3c/2mYPQF09fpvPLb0\nabc",
        "--encrypted $5$rounds=1000$roundstoolow$yfvwcWrQ8l/K0DAWyuPMDNHpIVlTQebY9l/gL972bIC "
        "f\nthe "
        "minimum number is still observed",
        "--encrypted "
        "$6$rounds=1000$abcdefgh$EXAhR4Ety06RoQxMGyf4SY5662XUrnNYnkMR4YirLV86Bn1i2FXJhH8"
        "vYFgzKA/hY4rwctuXaZYa3ju9zuElg/\n"};

    for (unsigned i = 0; i < sizeof(seeds) / sizeof(seeds[0]); i++) {
        uint8_t copy[256];
        struct bytes body = {copy, strlen(seeds[i])};

        memcpy(copy, seeds[i], body.len);
        seed(seed_folder(*argc, *argv), i, (struct bytes){copy, 0}, body);
    }
    return 0;
}

/* A hash that we make is one that we parse, and the password fits it. */
static void check_own(const char *typed, size_t len)
{
    char line[6 + PASSWORD_MD5_BYTES] = "--md5 ", salt[PASSWORD_SALT_LEN];
    struct password p;
    const char *rest;
    bool yes;

    password_salt(len, salt);
    if (failed(password_md5crypt(typed, len, salt, line + 6, PASSWORD_MD5_BYTES))) {
        must(len > PASSWORD_TYPED_MAX, "only what is too long has no hash");
        return;
    }
    must(!failed(password_parse(&p, line, &rest)), "our own hash is parsed");
    must(p.kind == PASSWORD_MD5 && *rest == '\0', "and understood");
    must(!failed(password_matches(&p, typed, len, &yes)) && yes, "and fits");
}

static void check_parsed(const struct password *p, const char *typed, size_t len)
{
    struct crypt_hash h;
    bool yes = true, again = false;

    if (p->kind == PASSWORD_PLAIN) {
        must(!failed(password_matches(p, typed, len, &yes)), "a plain password always compares");
        must(yes == (len == p->len && memcmp(typed, p->text, len) == 0), "and does it exactly");
        return;
    }
    must(!failed(crypt_split(&h, p->text, p->len)), "what was parsed splits");
    must(h.rounds >= 1000 && h.rounds <= CRYPT_ROUNDS_MAX, "the rounds are capped");
    must(h.salt_len <= 16, "the salt is cut");
    if (h.rounds > ROUNDS_RUN)
        return;
    if (failed(password_matches(p, typed, len, &yes))) {
        must(len > PASSWORD_TYPED_MAX && !yes, "only what is too long fails, and fits nothing");
        return;
    }
    must(!failed(password_matches(p, typed, len, &again)) && again == yes, "twice the same");
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    const uint8_t *newline = size > 0 ? memchr(data, '\n', size) : NULL;
    size_t line_len = newline != NULL ? (size_t)(newline - data) : size;
    size_t len = newline != NULL ? size - line_len - 1 : 0;
    char *line = malloc(line_len + 1), *typed = malloc(len + 1);
    struct password p = {.kind = PASSWORD_PLAIN};
    const char *rest = NULL;

    memcpy(line, data, line_len);
    line[line_len] = '\0';
    if (len > 0)
        memcpy(typed, newline + 1, len);
    if (failed(password_parse(&p, line, &rest))) {
        must(p.kind == PASSWORD_NONE && *rest == '\0', "a failure leaves nothing");
    } else {
        must(p.text >= line && p.text + p.len <= rest && rest <= line + strlen(line),
             "the words lie in the line, in their order");
        check_parsed(&p, typed, len);
    }
    if (size % 16 == 0)
        check_own(typed, len);
    free(line);
    free(typed);
    return 0;
}
