/* SPDX-License-Identifier: MIT */
/* Which repetitions of a request are carried out; the clock is the test's. */
#include "cloud/service/replay.h"

#include "tests/unit/test.h"

#define START_S 1000000

static void lets_a_client_repeat_itself_at_once(void)
{
    struct replay *p = replay_new(START_S);

    CHECK_U64(replay_check(p, "a", START_S, START_S + 900, START_S), REPLAY_FINE);
    CHECK_U64(replay_check(p, "a", START_S, START_S + 900, START_S + REPLAY_GRACE_S), REPLAY_FINE);
    CHECK_U64(replay_check(p, "b", START_S, START_S + 900, START_S + 800), REPLAY_FINE);
    replay_free(p);
}

/* The few seconds begin with the first time, not with each. */
static void refuses_a_replay_until_it_is_too_old(void)
{
    struct replay *p = replay_new(START_S);

    for (int64_t now_s = START_S; now_s <= START_S + 900; now_s++)
        CHECK_U64(replay_check(p, "a", START_S, START_S + 900, now_s),
                  now_s > START_S + REPLAY_GRACE_S ? REPLAY_SEEN : REPLAY_FINE);
    replay_free(p);
}

static void refuses_what_was_signed_before_the_start(void)
{
    struct replay *p = replay_new(START_S);

    CHECK_U64(replay_check(p, "a", START_S - 1, START_S + 900, START_S), REPLAY_EARLY);
    CHECK_U64(replay_check(p, "b", INT64_MIN, START_S + 900, START_S), REPLAY_EARLY);
    replay_free(p);
}

static void does_not_grow_without_end(void)
{
    struct replay *p = replay_new(START_S);
    char name[32];

    for (unsigned i = 0; i < REPLAY_ENTRIES_MAX; i++) {
        snprintf(name, sizeof(name), "%u", i);
        CHECK_U64(replay_check(p, name, START_S, START_S + 900, START_S), REPLAY_FINE);
    }
    CHECK_U64(replay_check(p, "one more", START_S, START_S + 900, START_S + 900), REPLAY_FULL);
    CHECK_U64(replay_check(p, "1", START_S, START_S + 900, START_S + 900), REPLAY_SEEN);
    CHECK_U64(replay_check(p, "one more", START_S + 901, START_S + 1800, START_S + 901),
              REPLAY_FINE);
    replay_free(p);
}

int main(void)
{
    RUN(lets_a_client_repeat_itself_at_once);
    RUN(refuses_a_replay_until_it_is_too_old);
    RUN(refuses_what_was_signed_before_the_start);
    RUN(does_not_grow_without_end);
    return test_done();
}
