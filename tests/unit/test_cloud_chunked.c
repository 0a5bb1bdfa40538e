/* SPDX-License-Identifier: MIT */
/*
 * Bodies in chunks: the two examples that Amazon's documentation publishes with all signatures, cut
 * into pieces of every kind, and what is wrong with one. And the checksums, by their check values.
 */
#include "cloud/aws/chunked.h"
#include "cloud/aws/checksum.h"

#include <stdlib.h>

#include "tests/unit/test.h"

#define DATA_BYTES 66560

#define SIGNED_1                                                                                   \
    "10000;chunk-signature=ad80c730a21e5b8d04586a2213dd63b9a0e99e0e2307b0ade35a65485a288648\r\n"
#define SIGNED_2                                                                                   \
    "400;chunk-signature=0055627c9e194cb4542bae2aa5492e3c1575bbb81b612b7d234b86a503ef5497\r\n"
#define SIGNED_3                                                                                   \
    "0;chunk-signature=b6c6ea8a5354eaf15b3cb7646744f4275b71ea724fed81ceb9323e279d449df9\r\n"
#define TRAILED_1                                                                                  \
    "10000;chunk-signature=b474d8862b1487a5145d686f57f013e54db672cee1c953b3010fb58501ef5aa2\r\n"
#define TRAILED_2                                                                                  \
    "400;chunk-signature=1c1344b170168f8e65b41376b44b20fe354e373826ccbbe2c1d40a8cae51e5c7\r\n"
#define TRAILED_3                                                                                  \
    "0;chunk-signature=2ca2aba2005185cf7159c6277faf83795951dd77a3a99e6e65d5c9f85863f992\r\n"
#define TRAILER "x-amz-checksum-crc32c:sOO8/Q==\r\n"
#define TRAILER_SIGNATURE                                                                          \
    "x-amz-trailer-signature:d81f82fc3505edab99d459891051a732e8730629a2e4a59689829ca17fe2e435\r\n"

static const char secret[] = "wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY";

static struct sign_claim claim_with(const char *seed)
{
    struct sign_claim claim = {
        .scheme = SIGN_V4_HEADER,
        .region = "us-east-1",
        .service = "s3",
        .day = "20130524",
        .time = "20130524T000000Z",
    };

    memcpy(claim.signature, seed, strlen(seed) + 1);
    return claim;
}

static bool keep(void *arg, const void *bytes, size_t len)
{
    buf_add(arg, bytes, len);
    return true;
}

static void add_as(struct buf *body, size_t nr)
{
    char *a = malloc(nr);

    memset(a, 'a', nr);
    buf_add(body, a, nr);
    free(a);
}

/* Three heads with the example's data between, and an end. */
static struct buf body_of(const char *one, const char *two, const char *three, const char *end)
{
    struct buf body = {0};

    buf_puts(&body, one);
    add_as(&body, 65536);
    buf_puts(&body, "\r\n");
    buf_puts(&body, two);
    add_as(&body, 1024);
    buf_puts(&body, "\r\n");
    buf_puts(&body, three);
    buf_puts(&body, end);
    return body;
}

/* The verdict on a body that comes in pieces of that size; `data` gets what is in it. */
static enum chunked_result read_in(const struct sign_claim *claim, const char *trailers,
                                   uint64_t data_bytes, const struct buf *body, size_t piece,
                                   struct buf *data)
{
    const struct chunked_how how = {claim, secret, trailers, data_bytes, keep, data};
    struct chunked *c = chunked_begin(&how);
    enum chunked_result result = CHUNKED_GOOD;
    const char *why = NULL;

    buf_clear(data);
    CHECK(c != NULL);
    for (size_t at = 0; c && at < body->len && result == CHUNKED_GOOD; at += piece)
        result =
            chunked_add(c, body->text + at, body->len - at < piece ? body->len - at : piece, &why);
    if (c && result == CHUNKED_GOOD)
        result = chunked_end(c, &why);
    CHECK((result == CHUNKED_GOOD) == (why == NULL));
    if (c && result == CHUNKED_GOOD && trailers)
        CHECK_STR(chunked_trailer(c, "X-Amz-Checksum-CRC32C"), "sOO8/Q==");
    chunked_free(c);
    return result;
}

static enum chunked_result verdict(const struct sign_claim *claim, const char *trailers,
                                   uint64_t data_bytes, struct buf body)
{
    struct buf data = {0};
    enum chunked_result result = read_in(claim, trailers, data_bytes, &body, 1000, &data);

    buf_free(&data);
    buf_free(&body);
    return result;
}

static struct buf text_of(const char *text)
{
    struct buf b = {0};

    buf_clear(&b);
    buf_puts(&b, text);
    return b;
}

static const char signed_seed[] =
    "4f232c4386841ef735655705268965c44a0e4690baa4adea153f7db9fa80a0a9";
static const char trailed_seed[] =
    "106e2a8a18243abcf37539882f36619c00e2dfc72633413f02d3b74544bfeb8e";

static void reads_the_example_in_any_pieces(void)
{
    static const size_t pieces[] = {1, 2, 87, 88, 89, 4096, 65536 + 87, 1 << 20};
    struct sign_claim claim = claim_with(signed_seed);
    struct buf body = body_of(SIGNED_1, SIGNED_2, SIGNED_3, "\r\n"), data = {0};

    for (size_t i = 0; i < sizeof(pieces) / sizeof(pieces[0]); i++) {
        CHECK_U64(read_in(&claim, NULL, DATA_BYTES, &body, pieces[i], &data), CHUNKED_GOOD);
        CHECK_U64(data.len, DATA_BYTES);
        CHECK(strspn(data.text, "a") == DATA_BYTES);
    }
    buf_free(&data);
    buf_free(&body);
}

static void reads_the_example_with_a_trailer(void)
{
    static const char name[] = "x-amz-checksum-crc32c";
    struct sign_claim claim = claim_with(trailed_seed);

    CHECK_U64(verdict(&claim, name, DATA_BYTES,
                      body_of(TRAILED_1, TRAILED_2, TRAILED_3, TRAILER TRAILER_SIGNATURE "\r\n")),
              CHUNKED_GOOD);
    /* As old copies of the documentation print it: with an empty line more. */
    CHECK_U64(verdict(&claim, name, DATA_BYTES,
                      body_of(TRAILED_1, TRAILED_2, TRAILED_3 "\r\n", TRAILER TRAILER_SIGNATURE)),
              CHUNKED_GOOD);
    CHECK_U64(
        verdict(&claim, name, DATA_BYTES, body_of(TRAILED_1, TRAILED_2, TRAILED_3, TRAILER "\r\n")),
        CHUNKED_WRONG);
    CHECK_U64(verdict(&claim, name, DATA_BYTES,
                      body_of(TRAILED_1, TRAILED_2, TRAILED_3,
                              "x-amz-checksum-crc32c:AAAAAA==\r\n" TRAILER_SIGNATURE "\r\n")),
              CHUNKED_WRONG);
    CHECK_U64(verdict(&claim, name, DATA_BYTES,
                      body_of(TRAILED_1, TRAILED_2, TRAILED_3, TRAILER_SIGNATURE TRAILER "\r\n")),
              CHUNKED_WRONG);
}

static void refuses_what_was_changed(void)
{
    struct sign_claim claim = claim_with(signed_seed), other = claim_with(trailed_seed);

    CHECK_U64(verdict(&other, NULL, DATA_BYTES, body_of(SIGNED_1, SIGNED_2, SIGNED_3, "\r\n")),
              CHUNKED_WRONG);
    CHECK_U64(verdict(&claim, NULL, DATA_BYTES, body_of(TRAILED_1, SIGNED_2, SIGNED_3, "\r\n")),
              CHUNKED_WRONG);
    CHECK_U64(verdict(&claim, NULL, DATA_BYTES, body_of(SIGNED_1, SIGNED_2, TRAILED_3, "\r\n")),
              CHUNKED_WRONG);
    CHECK_U64(verdict(&claim, NULL, DATA_BYTES - 1, body_of(SIGNED_1, SIGNED_2, SIGNED_3, "\r\n")),
              CHUNKED_LENGTH);
    CHECK_U64(verdict(&claim, NULL, DATA_BYTES + 1, body_of(SIGNED_1, SIGNED_2, SIGNED_3, "\r\n")),
              CHUNKED_LENGTH);
    CHECK_U64(verdict(&claim, NULL, DATA_BYTES, body_of(SIGNED_1, SIGNED_2, "", "")),
              CHUNKED_LENGTH);
    CHECK_U64(verdict(&claim, NULL, DATA_BYTES, body_of(SIGNED_1, "400\r\n", SIGNED_3, "\r\n")),
              CHUNKED_BROKEN);
}

static void reads_chunks_without_signatures(void)
{
    static const char name[] = " x-amz-checksum-crc32c ";

    CHECK_U64(verdict(NULL, name, 5, text_of("3\r\nabc\r\n2\r\nde\r\n0\r\n" TRAILER "\r\n")),
              CHUNKED_GOOD);
    CHECK_U64(verdict(NULL, name, 0, text_of("0\r\n" TRAILER "\r\n")), CHUNKED_GOOD);
    CHECK_U64(verdict(NULL, name, 3, text_of("3\r\nabc\r\n0\r\n\r\n")), CHUNKED_TRAILER);
    CHECK_U64(verdict(NULL, name, 3, text_of("3\r\nabc\r\n0\r\nx-amz-checksum-crc32c:sOO8/Q==")),
              CHUNKED_TRAILER);
    CHECK_U64(verdict(NULL, name, 3, text_of("3\r\nabc\r\n0\r\n" TRAILER TRAILER "\r\n")),
              CHUNKED_TRAILER);
    CHECK_U64(verdict(NULL, name, 3, text_of("3\r\nabc\r\n0\r\n" TRAILER "x-amz-more:1\r\n\r\n")),
              CHUNKED_TRAILER);
    CHECK_U64(verdict(NULL, NULL, 3, text_of("3\r\nabc\r\n0\r\n" TRAILER "\r\n")), CHUNKED_TRAILER);
    CHECK_U64(verdict(NULL, NULL, 3, text_of("3\r\nabcd\r\n0\r\n\r\n")), CHUNKED_BROKEN);
    CHECK_U64(verdict(NULL, NULL, 3, text_of("\r\n3\r\nabc\r\n0\r\n\r\n")), CHUNKED_BROKEN);
    CHECK_U64(verdict(NULL, NULL, 3, text_of("-3\r\nabc\r\n0\r\n\r\n")), CHUNKED_BROKEN);
    CHECK_U64(verdict(NULL, NULL, 3, text_of("3 \r\nabc\r\n0\r\n\r\n")), CHUNKED_BROKEN);
    CHECK_U64(verdict(NULL, NULL, 3, text_of("3;x=y\r\nabc\r\n0\r\n\r\n")), CHUNKED_BROKEN);
    CHECK_U64(verdict(NULL, NULL, 3, text_of("10000000000000003\r\nabc\r\n0\r\n\r\n")),
              CHUNKED_BROKEN);
    CHECK_U64(verdict(NULL, NULL, 3, text_of("fffffffffffffff\r\nabc\r\n0\r\n\r\n")),
              CHUNKED_LENGTH);
    CHECK_U64(verdict(NULL, NULL, 3, text_of("3\r\nabc\r\n")), CHUNKED_LENGTH);
}

static void caps_lines_and_trailers(void)
{
    struct buf body = text_of("0");

    for (unsigned i = 0; i < 1000; i++)
        buf_puts(&body, "0");
    CHECK_U64(verdict(NULL, NULL, 0, body), CHUNKED_BROKEN);
    body = text_of("0\r\n");
    for (unsigned i = 0; i < 5000; i++)
        buf_puts(&body, "\r\n");
    CHECK_U64(verdict(NULL, NULL, 0, body), CHUNKED_TRAILER);
}

static void refuses_unusable_announcements(void)
{
    struct sign_claim v2 = {.scheme = SIGN_V2_S3_HEADER};
    struct buf data = {0};

    CHECK(!chunked_begin(&(struct chunked_how){&v2, secret, NULL, 0, keep, &data}));
    CHECK(!chunked_begin(&(struct chunked_how){NULL, secret, "a,,b", 0, keep, &data}));
    CHECK(!chunked_begin(&(struct chunked_how){NULL, secret, " ", 0, keep, &data}));
    CHECK(!chunked_begin(&(struct chunked_how){NULL, secret, "a,b,c,d,e", 0, keep, &data}));
}

/* The check values that the catalogues of CRCs give, and those of FIPS 180 for "abc". */
static void sums_up(void)
{
    static const struct {
        enum checksum_kind kind;
        const char *text, *want;
    } cases[] = {
        {CHECKSUM_CRC32, "123456789", "y/Q5Jg=="},              /* cbf43926 */
        {CHECKSUM_CRC32C, "123456789", "4waSgw=="},             /* e3069283 */
        {CHECKSUM_CRC64NVME, "123456789", "rosUhgp5mIg="},      /* ae8b14860a799888 */
        {CHECKSUM_SHA1, "abc", "qZk+NkcGgWq6PiVxeFDCbJzQ2J0="}, /* a9993e36... */
        {CHECKSUM_SHA256, "abc", "ungWv48Bz+pBQUDeXa4iI7ADYaOWF3qctBD/YfIAFa0="},
    };

    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        char text[CHECKSUM_TEXT_BYTES];
        struct checksum c;

        CHECK(checksum_begin(&c, cases[i].kind));
        checksum_add(&c, cases[i].text, 2);
        checksum_add(&c, cases[i].text + 2, strlen(cases[i].text) - 2);
        checksum_end(&c, text);
        checksum_free(&c);
        CHECK_STR(text, cases[i].want);
    }
}

int main(void)
{
    RUN(reads_the_example_in_any_pieces);
    RUN(reads_the_example_with_a_trailer);
    RUN(refuses_what_was_changed);
    RUN(reads_chunks_without_signatures);
    RUN(caps_lines_and_trailers);
    RUN(refuses_unusable_announcements);
    RUN(sums_up);
    return test_done();
}
