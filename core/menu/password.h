/* SPDX-License-Identifier: MIT */
/*
 * The passwords of menu.lst: the `password` line, the check of what somebody typed, and the hashes
 * that `md5crypt` makes. Who is asked for one, and when, is the caller's business.
 */
#ifndef PVBOOT_MENU_PASSWORD_H
#define PVBOOT_MENU_PASSWORD_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "core/base/err.h"

enum password_kind {
    PASSWORD_NONE, /* no `password` line; nothing matches it */
    PASSWORD_PLAIN,
    PASSWORD_MD5,
    PASSWORD_SHA256,
    PASSWORD_SHA512,
};

struct password {
    enum password_kind kind;
    const char *text; /* the word in the menu's line: the password itself, or its hash */
    size_t len;
};

#define PASSWORD_TYPED_MAX 512 /* bytes; more never match a hash */

/*
 * Parse the arguments of a `password` line:
 *
 *     [--md5 | --encrypted] PASSWORD [FILE]
 *
 * Without an option PASSWORD is the password itself, even where it looks like a hash. With one it
 * is a hash of crypt(3): $1$ (MD5), $5$ (SHA-256) or $6$ (SHA-512), whichever of the two options is
 * there. *rest is what follows PASSWORD, without spaces before it: FILE, a menu to go on with once
 * the password was given, or "". Both *out and *rest point into args.
 *
 * ERR_BAD_ARGUMENT: no password, an unknown option, a hash of another kind ($2b$, $y$, $7$), or one
 * that no password can match. ERR_LIMIT: a hash of more rounds than we are willing to compute. On
 * failure *out is PASSWORD_NONE and *rest is "". The caller must treat a line that failed as "there
 * is a password, and nobody knows it", never as "there is no password": somebody who wrote such a
 * line wanted the menu locked.
 */
struct err password_parse(struct password *out, const char *args, const char **rest);

/*
 * *yes: whether typed[0..len) is the password. How long it takes does not tell how much of it was
 * right. A hash takes a moment: milliseconds with usual numbers of rounds, seconds with the most
 * that we take (crypt.h); nothing else runs meanwhile. PASSWORD_NONE matches nothing. *yes is false
 * on failure. ERR_LIMIT: len is more than PASSWORD_TYPED_MAX and p is a hash; the errors of
 * password_parse, if p does not come from it.
 */
struct err password_matches(const struct password *p, const char *typed, size_t len, bool *yes);

#define PASSWORD_SALT_LEN  8
#define PASSWORD_MD5_BYTES 35 /* "$1$", salt, "$", 22 characters, terminator */

/* Spread 48 bits of seed over the characters that a salt consists of. */
void password_salt(uint64_t seed, char salt[PASSWORD_SALT_LEN]);

/*
 * "$1$SALT$SUM" of typed[0..len), terminated: what `password --md5` takes. ERR_LIMIT: len is more
 * than PASSWORD_TYPED_MAX. ERR_BAD_ARGUMENT: the salt has a character that salts cannot have, or
 * cap is less than PASSWORD_MD5_BYTES.
 */
struct err password_md5crypt(const char *typed, size_t len, const char salt[PASSWORD_SALT_LEN],
                             char *out, size_t cap);

#endif
