/* SPDX-License-Identifier: MIT */
/* Who sent a request: its signature against the accounts of the configuration. */
#include "cloud/service/request.h"

#include <string.h>

/* The codes are not the same in the two APIs. */
static const struct refusal {
    enum sign_verdict verdict;
    unsigned ec2_status;
    const char *ec2_code;
    unsigned s3_status;
    const char *s3_code;
} refusals[] = {
    {SIGN_INCOMPLETE, 400, "IncompleteSignature", 400, "AuthorizationHeaderMalformed"},
    {SIGN_WRONG, 403, "SignatureDoesNotMatch", 403, "SignatureDoesNotMatch"},
    {SIGN_SKEWED, 400, "RequestExpired", 403, "RequestTimeTooSkewed"},
    {SIGN_EXPIRED, 400, "RequestExpired", 403, "AccessDenied"},
    {SIGN_WRONG_SCOPE, 400, "SignatureDoesNotMatch", 400, "AuthorizationHeaderMalformed"},
    {SIGN_UNCOVERED, 400, "IncompleteSignature", 403, "AccessDenied"},
};

static bool refuse(struct request *r, enum sign_verdict verdict, const char *why)
{
    r->svc->metrics.auth_failures++;
    for (size_t i = 0; i < sizeof(refusals) / sizeof(refusals[0]); i++) {
        const struct refusal *f = &refusals[i];

        if (f->verdict != verdict)
            continue;
        if (r->api == API_EC2)
            reply_error(r, f->ec2_status, f->ec2_code, "%s", why);
        else
            reply_error(r, f->s3_status, f->s3_code, "%s", why);
    }
    return false;
}

static bool refuse_unknown(struct request *r)
{
    r->svc->metrics.auth_failures++;
    if (r->api == API_EC2)
        reply_error(r, 401, "AuthFailure",
                    "No account here has this access key; look at the client's access key and at "
                    "the accounts in the service's configuration.");
    else
        reply_error(r, 403, "InvalidAccessKeyId", "No account here has this access key.");
    return false;
}

bool authenticate(struct request *r, const char *payload_sha256)
{
    const struct sign_policy policy = {
        .region = r->svc->config.region,
        .service = r->api == API_EC2 ? "ec2" : "s3",
        .now_s = time(NULL),
        .skew_s = r->svc->config.clock_skew_s,
    };
    const struct sign_request req = {
        .method = r->method,
        .path = r->path,
        .query = r->query,
        .form = r->api == API_EC2 ? r->body.text : NULL,
        .headers = r->headers,
        .nr_headers = r->nr_headers,
        .payload_sha256 = payload_sha256,
    };
    const struct account *account;
    enum sign_verdict verdict;
    const char *why;

    verdict = sign_read(&req, &r->claim, &why);
    if (verdict != SIGN_GOOD)
        return refuse(r, verdict, why);
    if (r->claim.scheme == SIGN_ANONYMOUS) {
        r->svc->metrics.auth_failures++;
        reply_error(r, 403, r->api == API_EC2 ? "MissingAuthenticationToken" : "AccessDenied",
                    "The request is not signed; give the client an access key and its secret.");
        return false;
    }
    /* Each API takes its own V2 alone: they do not cover the same parts of a request. */
    if (r->api == API_EC2 ? r->claim.scheme >= SIGN_V2_S3_HEADER : r->claim.scheme == SIGN_V2_QUERY)
        return refuse(r, SIGN_INCOMPLETE, "The signature is of a kind for another service.");
    account = config_account(&r->svc->config, r->claim.access_key);
    if (!account)
        return refuse_unknown(r);
    verdict = sign_check(&req, &r->claim, account->secret, &policy, &why);
    if (verdict != SIGN_GOOD)
        return refuse(r, verdict, why);
    r->account = account;
    return true;
}

bool refuse_replays(struct request *r)
{
    const struct sign_claim *claim = &r->claim;
    int64_t skew_s = r->svc->config.clock_skew_s;
    int64_t until_s =
        claim->valid_until_s != INT64_MAX ? claim->valid_until_s : claim->signed_at_s + skew_s;

    if (claim->signed_at_s == INT64_MIN) {
        reply_error(r, 400, "InvalidParameterCombination",
                    "A request that changes something is signed with its Timestamp, not with the "
                    "time at which it Expires.");
        return false;
    }
    switch (
        replay_check(r->svc->replay, claim->signature, claim->signed_at_s, until_s, time(NULL))) {
    case REPLAY_FINE:
        return true;
    case REPLAY_SEEN:
        r->svc->metrics.auth_failures++;
        reply_error(r, 400, "RequestExpired",
                    "This signed request was carried out before. Sign it again to repeat it.");
        return false;
    case REPLAY_EARLY:
        reply_error(r, 400, "RequestExpired",
                    "The request was signed before this service was started, and may have been "
                    "carried out then. Look whether it was, or sign it again.");
        return false;
    case REPLAY_FULL:
        reply_error(r, 503, "RequestLimitExceeded",
                    "Too many changes were asked for within the last minutes; try again later, or "
                    "give requests a ClientToken.");
        return false;
    }
    return false;
}
