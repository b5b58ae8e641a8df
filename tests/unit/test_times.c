/* The arithmetic of time and of what is reserved, over made-up lives: whatever people do, whatever
   fails, and however the clock jumps. The seed is printed; TIMES_SEED repeats one. */
#include "lifecycle/change.h"
#include "lifecycle/clock.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <talloc.h>
/* cmocka wants the headers above first */
#include <cmocka.h>

enum { LIVES = 2000, STEPS = 80, HOUR = 3600, DAY = 86400, TTL_MAX = 3 * DAY, CEILING = 5 * DAY };

/* One life, and what was seen of it. */
struct life {
    struct db *db; /* never opened: statements go nowhere */
    struct environment *env;
    struct {
        time_t end;
        int64_t before;
    } warned[STEPS * 4];
    int warnings;
    int steps_back; /* how often the clock went back */
};

static uint64_t chance_state;

static int64_t chance(int64_t below)
{
    chance_state = chance_state * 6364136223846793005u + 1442695040888963407u;
    return (int64_t)((chance_state >> 33) % (uint64_t)below);
}

static struct environment *newborn(const void *ctx)
{
    struct environment *env = talloc_zero(ctx, struct environment);
    env->id = 12;
    env->team = "payments";
    env->name = "demo";
    env->cluster = "payments-demo";
    env->region = "eu-central-1";
    env->owner_workspace = "T0ACME";
    env->owner_id = "U0DEV";
    env->owner_name = "developer";
    env->template = "small";
    env->reason = "";
    env->state = "queued";
    env->template_copy = json_parse(env, "{\"ttl\": {\"ceiling\": \"5d\"}}");
    env->parameters = json_parse(env, "{\"nodes\": 2}");
    env->ttl_seconds = 1 + chance(TTL_MAX);
    env->now = env->created_at = 1700000000;
    env->nodes = 2;
    env->vcpus = 4;
    env->hourly_usd = 0.5;
    env->monthly_usd = 365;
    return env;
}

static bool is(const struct life *life, const char *state)
{
    return strcmp(life->env->state, state) == 0;
}

static bool take(struct life *life, enum event event)
{
    struct error err = {0};
    return lifecycle_take(life->db, life->env, event, &AUDIT_ENVBOT, NULL, &err);
}

/* As the clock's thread does while something is due. */
static void run_clock(struct life *life)
{
    struct environment *env = life->env;
    for (int i = 0; env->due_at && env->due_at <= env->now && !env->ended_at; i++) {
        enum event event = clock_event(env);
        assert_true(i < 10); /* it comes to rest */
        if (event == EVENT_COUNT) {
            env->due_at = lifecycle_due(env, &lifecycle_rules);
            assert_true(!env->due_at || env->due_at > env->now);
            return;
        }
        assert_true(take(life, event));
        if (event != EVENT_WARN)
            continue;
        assert_true(env->expires_at - env->now <= env->warned_seconds);
        for (int w = 0; w < life->warnings; w++)
            assert_false(life->warned[w].end == env->expires_at &&
                         life->warned[w].before <= env->warned_seconds);
        life->warned[life->warnings].end = env->expires_at;
        life->warned[life->warnings++].before = env->warned_seconds;
    }
}

/* As the command does: refused beyond the ceiling, whoever approves it. */
static void extend(struct life *life)
{
    struct environment *env = life->env;
    int64_t more = 1 + chance(2 * DAY);
    if (!lifecycle_possible(env, EVENT_EXTEND, &(struct error){0}))
        return;
    if (env->expires_at + (time_t)more > lifecycle_ceiling(env))
        return;
    env->expires_at += (time_t)more;
    env->ttl_seconds += more;
    assert_true(take(life, EVENT_EXTEND));
}

static void begin_change(struct life *life)
{
    static const char *const kinds[] = {"scale", "upgrade", "sleep"};
    struct environment *env = life->env;
    struct error err = {0};
    struct change change = {.kind = kinds[chance(3)], .from = "1", .to = "2"};
    change.before = (struct template_resources){env->nodes, env->vcpus, env->gpus, env->hourly_usd,
                                                env->monthly_usd};
    change.after = change.before;
    if (strcmp(change.kind, "scale") == 0)
        change.after.nodes = 1 + (int)chance(9);
    if (strcmp(change.kind, "sleep") == 0)
        change.after.nodes = 0;
    if (is(life, "asleep"))
        assert_true(change_wake(env, env, &change, &err));
    else if (!is(life, "ready"))
        return;
    assert_true(change_more(&change).nodes >= 0);
    assert_true(change_begin(life->db, env, &change, &AUDIT_ENVBOT, NULL, &err));
    int most = change.after.nodes > change.before.nodes ? change.after.nodes : change.before.nodes;
    assert_int_equal(env->nodes, most); /* neither end can be over the quota */
}

static void end_change(struct life *life)
{
    static const enum change_seen ends[] = {CHANGE_SEEN_AFTER, CHANGE_SEEN_AFTER,
                                            CHANGE_SEEN_BEFORE, CHANGE_SEEN_BETWEEN, CHANGE_UNSEEN};
    struct environment *env = life->env;
    struct error err = {0};
    if (!is(life, "changing"))
        return;
    int before = (int)json_integer(env->change, "before.nodes", -1);
    int after = (int)json_integer(env->change, "after.nodes", -1);
    enum change_seen seen = ends[chance(5)];
    assert_true(change_finish(life->db, env, seen, NULL, &err));
    assert_null(env->change);
    assert_true(is(life, "ready") || is(life, "asleep")); /* never lost */
    assert_int_equal(env->nodes, seen == CHANGE_SEEN_AFTER    ? after
                                 : seen == CHANGE_SEEN_BEFORE ? before
                                 : after > before             ? after
                                                              : before);
    assert_int_equal(is(life, "asleep"), env->awake != NULL); /* who sleeps knows its size */
}

static void move_clock(struct life *life)
{
    struct environment *env = life->env;
    static const int64_t leaps[] = {60, HOUR, HOUR, 5 * HOUR, DAY, 6 * DAY};
    if (chance(8) == 0) {
        env->now -= (time_t)chance(3 * HOUR);
        life->steps_back++;
    } else if (chance(4) == 0 && env->due_at > env->now)
        env->now = env->due_at; /* exactly then */
    else
        env->now += (time_t)chance(leaps[chance(6)]);
    run_clock(life);
}

/* What a job, a person or a failure may do at any time. */
static void happen(struct life *life)
{
    static const enum event events[] = {EVENT_START,         EVENT_READY, EVENT_FAIL,
                                        EVENT_TRY_AGAIN,     EVENT_GONE,  EVENT_RETRY,
                                        EVENT_DELETE_FAILED, EVENT_STUCK};
    enum event event = events[chance(8)];
    if (chance(10) && (is(life, "queued") || is(life, "creating")))
        event = is(life, "queued") ? EVENT_START : EVENT_READY;
    if (chance(100) == 0)
        event = EVENT_DELETE;
    take(life, event); /* where it is possible */
}

static void check(const struct life *life)
{
    const struct environment *env = life->env;
    time_t ceiling = lifecycle_ceiling(env);
    if (!is(life, "ready") && !is(life, "changing") && !is(life, "asleep"))
        return;
    assert_true(ceiling == env->started_at + CEILING);
    assert_true(env->expires_at <= ceiling);
    assert_true(env->expires_at > env->now); /* else the clock has ended it */
    assert_true(env->due_at && env->due_at <= env->expires_at);
    assert_true(env->nodes >= 0);
}

static void test_no_life_passes_the_ceiling_or_is_warned_twice(void **unused)
{
    (void)unused;
    const char *given = getenv("TIMES_SEED");
    uint64_t seed = given ? strtoull(given, NULL, 10) : 20261126;
    int warned = 0, slept = 0, ended = 0, back = 0;
    lifecycle_rules =
        (struct lifecycle_rules){.warn_before = {DAY, HOUR, 300}, .request_lapses = DAY};
    print_message("seed %llu\n", (unsigned long long)seed);
    chance_state = seed;
    for (int n = 0; n < LIVES; n++) {
        void *ctx = talloc_new(NULL);
        struct life life = {.db = db_new(ctx, "", "nowhere", 0), .env = newborn(ctx)};
        for (int i = 0; i < STEPS; i++) {
            void (*const steps[])(struct life *) = {move_clock, extend, begin_change, end_change,
                                                    happen};
            steps[chance(5)](&life);
            run_clock(&life);
            check(&life);
            slept += is(&life, "asleep");
        }
        warned += life.warnings;
        back += life.steps_back;
        ended += is(&life, "deleting") || is(&life, "deleted");
        talloc_free(ctx);
    }
    /* The lives were worth living. */
    print_message("%d warnings, %d steps asleep, %d ended, %d steps back\n", warned, slept, ended,
                  back);
    assert_true(warned > LIVES / 4 && slept > LIVES / 4 && ended > LIVES / 10 && back > LIVES);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_no_life_passes_the_ceiling_or_is_warned_twice),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
