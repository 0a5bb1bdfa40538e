/* SPDX-License-Identifier: MIT */
/*
 * Request signatures against the examples that Amazon's documentation publishes; other clients'
 * signatures are checked by tests/cloud.
 */
#include "cloud/aws/sign.h"
#include "cloud/aws/uri.h"

#include <stdlib.h>

#include "tests/unit/test.h"

#define NR(a) (sizeof(a) / sizeof((a)[0]))

#define V4 "AWS4-HMAC-SHA256"

#define EMPTY_SHA256 "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"

static const struct sign_key s3_key = {
    "AKIAIOSFODNN7EXAMPLE", "wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY", "us-east-1", "s3"};

static const struct sign_header s3_get_headers[] = {
    {"Host", "examplebucket.s3.amazonaws.com"},
    {"Range", "bytes=0-9"},
    {"x-amz-content-sha256", EMPTY_SHA256},
    {"x-amz-date", "20130524T000000Z"},
};

static const struct sign_request s3_get = {
    .method = "GET",
    .path = "/test.txt",
    .query = "",
    .headers = s3_get_headers,
    .nr_headers = NR(s3_get_headers),
    .payload_sha256 = EMPTY_SHA256,
};

static bool ends_with(const struct buf *b, const char *end)
{
    size_t len = strlen(end);

    return b->len >= len && strcmp(b->text + b->len - len, end) == 0;
}

/* V4 of `req` with `key` ends with that signature. */
static void check_v4(const struct sign_request *req, const struct sign_key *key, const char *want)
{
    struct buf out = {0};

    CHECK(sign_v4_header(req, key, &out));
    CHECK(ends_with(&out, want));
    if (out.text && !ends_with(&out, want))
        printf("  made: %s\n", out.text);
    buf_free(&out);
}

static void signs_s3_get_of_an_object(void)
{
    check_v4(&s3_get, &s3_key, "f0e8bdb87c964420e857bd35b5d6ed310bd44f0170aba48dd91039c6036bdb41");
}

static void signs_s3_put_of_an_object(void)
{
    static const char hash[] = "44ce7dd67c959e0d3524ffac1771dfbba87d2b6b4b4e99e42034a8b803f8b072";
    static const struct sign_header headers[] = {
        {"Host", "examplebucket.s3.amazonaws.com"},
        {"Date", "Fri, 24 May 2013 00:00:00 GMT"},
        {"x-amz-content-sha256", hash},
        {"x-amz-date", "20130524T000000Z"},
        {"x-amz-storage-class", "REDUCED_REDUNDANCY"},
    };
    struct sign_request req = s3_get;

    req.method = "PUT";
    req.path = "/test%24file.text";
    req.headers = headers;
    req.nr_headers = NR(headers);
    req.payload_sha256 = hash;
    check_v4(&req, &s3_key, "98ad721746da40c64f1a55b78f14c238d841ea1380cd77a1b5971af0ece108bd");
}

static void signs_s3_queries(void)
{
    static const struct sign_header headers[] = {
        {"Host", "examplebucket.s3.amazonaws.com"},
        {"x-amz-content-sha256", EMPTY_SHA256},
        {"x-amz-date", "20130524T000000Z"},
    };
    struct sign_request req = s3_get;

    req.path = "/";
    req.headers = headers;
    req.nr_headers = NR(headers);
    req.query = "lifecycle";
    check_v4(&req, &s3_key, "fea454ca298b7da1c68078a5d1bdbfbbe0d65c699e0f91ac7a200a0136783543");
    req.query = "prefix=J&max-keys=2";
    check_v4(&req, &s3_key, "34b48302e7b5fa45bde8084f4b7868a86f0a534bc59db6670ed5711ef69dc6f7");
}

static void signs_a_presigned_address(void)
{
    static const struct sign_header headers[] = {{"Host", "examplebucket.s3.amazonaws.com"}};
    struct sign_request req = s3_get;
    struct buf out = {0};

    req.headers = headers;
    req.nr_headers = NR(headers);
    req.payload_sha256 = SIGN_UNSIGNED_PAYLOAD;
    CHECK(sign_v4_query(&req, &s3_key, "20130524T000000Z", 86400, &out));
    CHECK(ends_with(&out, "X-Amz-Signature="
                          "aeeed9bbccd4d02ee5c0109b86d86835f995330da4c265957d157751f604d404"));
    buf_free(&out);
}

static void signs_list_users(void)
{
    static const struct sign_key key = {"AKIDEXAMPLE", "wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEY",
                                        "us-east-1", "iam"};
    static const struct sign_header headers[] = {
        {"Content-Type", "application/x-www-form-urlencoded; charset=utf-8"},
        {"Host", "iam.amazonaws.com"},
        {"X-Amz-Date", "20150830T123600Z"},
    };
    const struct sign_request req = {
        .method = "GET",
        .path = "/",
        .query = "Action=ListUsers&Version=2010-05-08",
        .headers = headers,
        .nr_headers = NR(headers),
        .payload_sha256 = EMPTY_SHA256,
    };

    check_v4(&req, &key, "5d672d79c15b13162d9279b0855cfba6789a8edb4c82c400e06b5924a6f2b5d7");
}

static void normalizes_paths_of_services_other_than_s3(void)
{
    static const struct sign_key key = {"AKIDEXAMPLE", "wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEY",
                                        "us-east-1", "service"};
    static const struct sign_header headers[] = {
        {"Host", "example.amazonaws.com"},
        {"X-Amz-Date", "20150830T123600Z"},
    };
    static const char *const same[] = {"/", "//", "/./", "/example/..", "/example1/example2/../.."};
    struct sign_request req = {
        .method = "GET",
        .query = "",
        .headers = headers,
        .nr_headers = NR(headers),
        .payload_sha256 = EMPTY_SHA256,
    };

    for (size_t i = 0; i < NR(same); i++) {
        req.path = same[i];
        check_v4(&req, &key, "5fa00fa31553b73ebf1942676e86291e8372ff2a2260956d9b8aae1d763fbf31");
    }
}

static void signs_version_2_of_the_query_api(void)
{
    static const struct sign_key key = {"AKIAIOSFODNN7EXAMPLE",
                                        "wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY", "", ""};
    static const struct sign_header headers[] = {{"Host", "elasticmapreduce.amazonaws.com"}};
    const struct sign_request req = {
        .method = "GET",
        .path = "/",
        .query = "AWSAccessKeyId=AKIAIOSFODNN7EXAMPLE&Action=DescribeJobFlows"
                 "&SignatureMethod=HmacSHA256&SignatureVersion=2"
                 "&Timestamp=2011-10-03T15%3A19%3A30&Version=2009-03-31",
        .headers = headers,
        .nr_headers = NR(headers),
    };
    struct buf out = {0};

    CHECK(sign_v2_query(&req, &key, &out));
    CHECK_STR(out.text, "i91nKc4PWAt0JJIdXwz9HxZCJDdiy6cf/Mj6vPxyYIs=");
    buf_free(&out);
}

static void signs_version_2_of_s3(void)
{
    static const struct sign_header headers[] = {
        {"Host", "s3.amazonaws.com"},
        {"Date", "Tue, 27 Mar 2007 19:36:42 +0000"},
    };
    struct sign_request req = s3_get;
    struct buf out = {0};

    req.path = "/johnsmith/photos/puppy.jpg";
    req.headers = headers;
    req.nr_headers = NR(headers);
    CHECK(sign_v2_s3_header(&req, &s3_key, &out));
    CHECK_STR(out.text, "AWS AKIAIOSFODNN7EXAMPLE:bWq2s1WEIj+Ydj0vQ697zp+IXMU=");
    buf_free(&out);
}

static const struct sign_policy s3_policy = {"us-east-1", "s3", 1369353600, 900};

/* What checking says to the example, with these changes made to it. */
static enum sign_verdict verdict(const struct sign_request *req, const char *authorization,
                                 const char *secret, const struct sign_policy *policy)
{
    struct sign_header headers[SIGN_HEADERS_MAX];
    struct sign_request with = *req;
    struct sign_claim claim;
    enum sign_verdict v;
    const char *why;

    memcpy(headers, req->headers, req->nr_headers * sizeof(headers[0]));
    headers[with.nr_headers++] = (struct sign_header){"Authorization", authorization};
    with.headers = headers;
    v = sign_read(&with, &claim, &why);
    if (v == SIGN_GOOD) {
        CHECK(claim.scheme != SIGN_ANONYMOUS);
        v = sign_check(&with, &claim, secret, policy, &why);
    }
    CHECK((v == SIGN_GOOD) == (why == NULL));
    return v;
}

static void checks_what_was_signed(void)
{
    struct sign_request req = s3_get;
    struct sign_policy policy = s3_policy;
    struct buf good = {0};

    CHECK(sign_v4_header(&s3_get, &s3_key, &good));
    CHECK_U64(verdict(&req, good.text, s3_key.secret, &policy), SIGN_GOOD);
    CHECK_U64(verdict(&req, good.text, "another", &policy), SIGN_WRONG);
    req.path = "/test.txt2";
    CHECK_U64(verdict(&req, good.text, s3_key.secret, &policy), SIGN_WRONG);
    req = s3_get;
    req.query = "acl";
    CHECK_U64(verdict(&req, good.text, s3_key.secret, &policy), SIGN_WRONG);
    req = s3_get;
    req.nr_headers--; /* X-Amz-Date is the last one */
    CHECK_U64(verdict(&req, good.text, s3_key.secret, &policy), SIGN_INCOMPLETE);
    req = s3_get;
    policy.now_s = s3_policy.now_s + 900;
    CHECK_U64(verdict(&req, good.text, s3_key.secret, &policy), SIGN_GOOD);
    policy.now_s = s3_policy.now_s + 901;
    CHECK_U64(verdict(&req, good.text, s3_key.secret, &policy), SIGN_SKEWED);
    policy.now_s = s3_policy.now_s - 901;
    CHECK_U64(verdict(&req, good.text, s3_key.secret, &policy), SIGN_SKEWED);
    policy = s3_policy;
    policy.region = "eu-west-1";
    CHECK_U64(verdict(&req, good.text, s3_key.secret, &policy), SIGN_WRONG_SCOPE);
    policy = s3_policy;
    policy.service = "ec2";
    CHECK_U64(verdict(&req, good.text, s3_key.secret, &policy), SIGN_WRONG_SCOPE);
    buf_free(&good);
}

static void refuses_a_header_that_was_added(void)
{
    struct sign_header headers[NR(s3_get_headers) + 1];
    struct sign_request req = s3_get;
    struct buf good = {0};

    CHECK(sign_v4_header(&s3_get, &s3_key, &good));
    memcpy(headers, s3_get_headers, sizeof(s3_get_headers));
    headers[NR(s3_get_headers)] = (struct sign_header){"X-Amz-Acl", "public-read"};
    req.headers = headers;
    req.nr_headers++;
    CHECK_U64(verdict(&req, good.text, s3_key.secret, &s3_policy), SIGN_UNCOVERED);
    buf_free(&good);
}

static void refuses_broken_authorizations(void)
{
    static const char *const broken[] = {
        V4,
        V4 " Credential=A/20130524/us-east-1/s3/aws4_request",
        V4 " Credential=A/20130524/us-east-1/s3, SignedHeaders=host, Signature=a",
        V4 " Credential=A/20130524/us-east-1/s3/aws4_request/x, SignedHeaders=host, Signature=a",
        V4 " Credential=A/201305240/us-east-1/s3/aws4_request, SignedHeaders=host, Signature=a",
        V4 " Signature=a, Signature=a, Signature=a",
        "AWS nothing",
        "AWS :",
        "Basic dXNlcjpwYXNz",
        "",
    };

    for (size_t i = 0; i < NR(broken); i++)
        CHECK_U64(verdict(&s3_get, broken[i], s3_key.secret, &s3_policy), SIGN_INCOMPLETE);
    CHECK_U64(verdict(&s3_get,
                      "AWS4-HMAC-SHA256 Credential=A/20130524/us-east-1/s3/aws4_request, "
                      "SignedHeaders=host;x-amz-gone, Signature=a",
                      s3_key.secret, &s3_policy),
              SIGN_INCOMPLETE);
}

static void lets_presigned_addresses_expire(void)
{
    static const struct sign_header headers[] = {{"Host", "examplebucket.s3.amazonaws.com"}};
    struct sign_policy policy = s3_policy;
    struct sign_request req = s3_get;
    struct buf query = {0};
    struct sign_claim claim;
    const char *why;

    req.headers = headers;
    req.nr_headers = NR(headers);
    req.payload_sha256 = SIGN_UNSIGNED_PAYLOAD;
    CHECK(sign_v4_query(&req, &s3_key, "20130524T000000Z", 3600, &query));
    req.query = query.text;
    CHECK_U64(sign_read(&req, &claim, &why), SIGN_GOOD);
    CHECK_U64(claim.scheme, SIGN_V4_QUERY);
    CHECK_STR(claim.access_key, s3_key.access_key);
    policy.now_s += 3600;
    CHECK_U64(sign_check(&req, &claim, s3_key.secret, &policy, &why), SIGN_GOOD);
    policy.now_s += 1;
    CHECK_U64(sign_check(&req, &claim, s3_key.secret, &policy, &why), SIGN_EXPIRED);
    policy.now_s = s3_policy.now_s - 901;
    CHECK_U64(sign_check(&req, &claim, s3_key.secret, &policy, &why), SIGN_SKEWED);
    buf_free(&query);
}

static void a_request_without_signature_is_anonymous(void)
{
    struct sign_request req = s3_get;
    struct sign_claim claim;
    const char *why;

    req.nr_headers = 1;
    req.form = "Action=DescribeRegions";
    CHECK_U64(sign_read(&req, &claim, &why), SIGN_GOOD);
    CHECK_U64(claim.scheme, SIGN_ANONYMOUS);
    CHECK(sign_check(&req, &claim, s3_key.secret, &s3_policy, &why) != SIGN_GOOD);
}

static void takes_queries_apart(void)
{
    struct uri_pairs p;
    struct buf out = {0};

    CHECK(uri_pairs_parse("b=2&a=x%20y&&a=+&c", &p));
    CHECK_U64(p.nr, 4);
    CHECK_STR(uri_pairs_get(&p, "a"), "x y");
    CHECK_STR(uri_pairs_get(&p, "c"), "");
    CHECK(uri_pairs_get(&p, "d") == NULL);
    uri_pairs_canonical(&p, "c", &out);
    CHECK_STR(out.text, "a=%20&a=x%20y&b=2");
    buf_free(&out);
    uri_pairs_free(&p);
    CHECK(!uri_pairs_parse("a=%2", &p));
    CHECK(!uri_pairs_parse("a=%zz", &p));
    CHECK(!uri_pairs_parse("a=%00", &p));
    CHECK(uri_pairs_parse("", &p));
    CHECK_U64(p.nr, 0);
    uri_pairs_free(&p);
}

static void caps_the_parameters(void)
{
    struct uri_pairs p;
    char *many = malloc(2 * URI_PAIRS_MAX + 2);

    memset(many, '&', 2 * URI_PAIRS_MAX);
    many[URI_PAIRS_MAX] = 0;
    CHECK(!uri_pairs_parse(many, &p));
    many[URI_PAIRS_MAX - 1] = 0;
    CHECK(uri_pairs_parse(many, &p));
    uri_pairs_free(&p);
    free(many);
}

int main(void)
{
    RUN(signs_s3_get_of_an_object);
    RUN(signs_s3_put_of_an_object);
    RUN(signs_s3_queries);
    RUN(signs_a_presigned_address);
    RUN(signs_list_users);
    RUN(normalizes_paths_of_services_other_than_s3);
    RUN(signs_version_2_of_the_query_api);
    RUN(signs_version_2_of_s3);
    RUN(checks_what_was_signed);
    RUN(refuses_a_header_that_was_added);
    RUN(refuses_broken_authorizations);
    RUN(lets_presigned_addresses_expire);
    RUN(a_request_without_signature_is_anonymous);
    RUN(takes_queries_apart);
    RUN(caps_the_parameters);
    return test_done();
}
