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

#include "tests/fuzz/seeds.h"

int LLVMFuzzerInitialize(int *argc, char ***argv);
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

#define SCOPE "K/20130524/us-east-1/s3/aws4_request"

/* One of each of the ways in which a request can be signed. */
int LLVMFuzzerInitialize(int *argc, char ***argv)
{
    static const char *const seeds[] = {
        ("PUT\n/b/a%20b\nx-id=PutObject&a\n\nHost:h\nx-amz-date:20130524T000000Z\n"
         "Authorization:AWS4-HMAC-SHA256 Credential=" SCOPE ", SignedHeaders=host;x-amz-date, "
         "Signature=f0e8bdb87c964420e857bd35b5d6ed310bd44f0170aba48dd91039c6036bdb41\n"),
        ("GET\n/b/"
         "k\nX-Amz-Algorithm=AWS4-HMAC-SHA256&X-Amz-Credential=K%2F20130524%2Fus-east-1%2Fs3"
         "%2Faws4_request&X-Amz-Date=20130524T000000Z&X-Amz-Expires=900&X-Amz-SignedHeaders=host&"
         "X-Amz-Signature=aeeed9bbccd4d02ee5c0109b86d86835f995330da4c265957d157751f604d404\n\nHost:"
         "h\n"),
        ("POST\n/\n\nAction=DescribeImages&Version=2016-11-15&SignatureVersion=2&SignatureMethod="
         "HmacSHA256&AWSAccessKeyId=K&Timestamp=2013-05-24T00%3A00%3A00Z&ImageId.1=%61+b&Signature="
         "i91nKc4PWAt0JJIdXwz9HxZCJDdiy6cf%2FMj6vPxyYIs%3D\nHost:H\n"),
        ("GET\n/b\nuploads&prefix=x&acl\n\nHost:h\nDate:Fri, 24 May 2013 00:00:00 GMT\n"
         "Content-MD5:x\nX-Amz-Meta-B:1\nx-amz-meta-a:2\nx-amz-meta-A:3\n"
         "Authorization:AWS K:frJIUN8DYpKDtOLCwo//yllqDzg=\n"),
        ("GET\n/b/k\nAWSAccessKeyId=K&Expires=1369353600&Signature=frJIUN8DYpKDtOLCwo%2F%2Fyllq\n\n"
         "Host:h\n"),
    };

    for (unsigned i = 0; i < sizeof(seeds) / sizeof(seeds[0]); i++)
        seed(seed_folder(*argc, *argv), i, (struct bytes){0},
             (struct bytes){.data = (void *)seeds[i], .len = strlen(seeds[i])});
    return 0;
}

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
