/* SPDX-License-Identifier: MIT */
/*
 * A request as a client may send it: method, path, query, form and headers, one a line. Reading and
 * checking its signature must end in a verdict, and what is made of it must not grow without end.
 */
#include "cloud/aws/sign.h"
#include "cloud/aws/uri.h"

#include <stdint.h>
#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static char *next_line(char **at)
{
    char *line = *at, *end = strchr(line, '\n');

    *at = end ? end + 1 : line + strlen(line);
    if (end)
        *end = 0;
    return line;
}

/* What was taken apart and put together again is the same when it is taken apart once more. */
static void check_canonical(const char *query)
{
    struct uri_pairs first, second;
    struct buf once = {0}, twice = {0};

    if (!uri_pairs_parse(query, &first))
        return;
    buf_clear(&once);
    buf_clear(&twice);
    uri_pairs_canonical(&first, NULL, &once);
    if (!uri_pairs_parse(once.text, &second))
        abort();
    uri_pairs_canonical(&second, NULL, &twice);
    if (strcmp(once.text, twice.text) != 0 || first.nr != second.nr)
        abort();
    uri_pairs_free(&first);
    uri_pairs_free(&second);
    buf_free(&once);
    buf_free(&twice);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static const struct sign_policy policy = {"us-east-1", "s3", 1369353600, 900};
    struct sign_header headers[SIGN_HEADERS_MAX];
    struct sign_request req = {.headers = headers, .payload_sha256 = SIGN_UNSIGNED_PAYLOAD};
    char *text = malloc(size + 1), *at = text;
    struct sign_claim claim;
    const char *why;

    memcpy(text, data, size);
    text[size] = 0;
    req.method = next_line(&at);
    req.path = next_line(&at);
    req.query = next_line(&at);
    req.form = next_line(&at);
    while (*at && req.nr_headers < SIGN_HEADERS_MAX) {
        char *line = next_line(&at), *colon = strchr(line, ':');

        if (colon)
            *colon = 0;
        headers[req.nr_headers++] = (struct sign_header){line, colon ? colon + 1 : ""};
    }
    check_canonical(req.query);
    if (sign_read(&req, &claim, &why) == SIGN_GOOD && claim.scheme != SIGN_ANONYMOUS &&
        sign_check(&req, &claim, "a secret nobody guesses", &policy, &why) == SIGN_GOOD)
        abort();
    free(text);
    return 0;
}
