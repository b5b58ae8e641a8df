/* Two tables: what a job does about what it sees, and a job's own states. Every cell is walked. */
#include "jobs/reconcile.h"

#include "store/job_states.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>
/* cmocka wants the headers above first */
#include <cmocka.h>

static const struct {
    enum intent intent;
    enum seen seen;
    enum action first, then;
} wanted[] = {
    {INTENT_CREATE, SEEN_NOTHING, ACTION_CREATE, ACTION_GIVE_UP},
    {INTENT_CREATE, SEEN_IN_PROGRESS, ACTION_WAIT, ACTION_WAIT},
    {INTENT_CREATE, SEEN_COMPLETE, ACTION_READY, ACTION_READY},
    {INTENT_CREATE, SEEN_FAILED, ACTION_CLEAN, ACTION_GIVE_UP},
    {INTENT_CREATE, SEEN_ROLLED_BACK, ACTION_CLEAN, ACTION_GIVE_UP},
    {INTENT_CREATE, SEEN_DELETING, ACTION_WAIT, ACTION_WAIT},
    {INTENT_CREATE, SEEN_NO_GROUPS, ACTION_ADD_GROUPS, ACTION_GIVE_UP},
    {INTENT_CREATE, SEEN_NO_ADDONS, ACTION_ADD_ADDONS, ACTION_GIVE_UP},
    {INTENT_CREATE, SEEN_NO_CLUSTER, ACTION_CLEAN, ACTION_GIVE_UP},
    {INTENT_CREATE, SEEN_FOREIGN, ACTION_LEAVE, ACTION_LEAVE},
    {INTENT_CREATE, SEEN_UNKNOWN, ACTION_WAIT, ACTION_WAIT},
    {INTENT_DELETE, SEEN_NOTHING, ACTION_GONE, ACTION_GONE},
    {INTENT_DELETE, SEEN_IN_PROGRESS, ACTION_WAIT, ACTION_WAIT},
    {INTENT_DELETE, SEEN_COMPLETE, ACTION_DELETE, ACTION_GIVE_UP},
    {INTENT_DELETE, SEEN_FAILED, ACTION_DELETE, ACTION_GIVE_UP},
    {INTENT_DELETE, SEEN_ROLLED_BACK, ACTION_DELETE, ACTION_GIVE_UP},
    {INTENT_DELETE, SEEN_DELETING, ACTION_WAIT, ACTION_WAIT},
    {INTENT_DELETE, SEEN_NO_GROUPS, ACTION_DELETE, ACTION_GIVE_UP},
    {INTENT_DELETE, SEEN_NO_ADDONS, ACTION_DELETE, ACTION_GIVE_UP},
    {INTENT_DELETE, SEEN_NO_CLUSTER, ACTION_DELETE, ACTION_GIVE_UP},
    {INTENT_DELETE, SEEN_FOREIGN, ACTION_LEAVE, ACTION_LEAVE},
    {INTENT_DELETE, SEEN_UNKNOWN, ACTION_WAIT, ACTION_WAIT},
    {INTENT_CREATE, SEEN_OTHER, ACTION_READY, ACTION_READY},
    {INTENT_DELETE, SEEN_OTHER, ACTION_DELETE, ACTION_GIVE_UP},
    {INTENT_CHANGE, SEEN_NOTHING, ACTION_MISS, ACTION_MISS},
    {INTENT_CHANGE, SEEN_IN_PROGRESS, ACTION_WAIT, ACTION_WAIT},
    {INTENT_CHANGE, SEEN_COMPLETE, ACTION_READY, ACTION_READY},
    {INTENT_CHANGE, SEEN_FAILED, ACTION_GIVE_UP, ACTION_GIVE_UP},
    {INTENT_CHANGE, SEEN_ROLLED_BACK, ACTION_MISS, ACTION_MISS},
    {INTENT_CHANGE, SEEN_DELETING, ACTION_WAIT, ACTION_WAIT},
    {INTENT_CHANGE, SEEN_NO_GROUPS, ACTION_MISS, ACTION_MISS},
    {INTENT_CHANGE, SEEN_NO_ADDONS, ACTION_GIVE_UP, ACTION_GIVE_UP},
    {INTENT_CHANGE, SEEN_NO_CLUSTER, ACTION_MISS, ACTION_MISS},
    {INTENT_CHANGE, SEEN_OTHER, ACTION_CHANGE, ACTION_GIVE_UP},
    {INTENT_CHANGE, SEEN_FOREIGN, ACTION_LEAVE, ACTION_LEAVE},
    {INTENT_CHANGE, SEEN_UNKNOWN, ACTION_WAIT, ACTION_WAIT},
};
enum { WANTED = sizeof wanted / sizeof *wanted };

static void test_every_cell_is_as_wanted(void **unused)
{
    (void)unused;
    bool met[INTENT_COUNT][SEEN_COUNT] = {{false}};
    for (size_t i = 0; i < WANTED; i++) {
        assert_false(met[wanted[i].intent][wanted[i].seen]);
        met[wanted[i].intent][wanted[i].seen] = true;
        assert_string_equal(action_words(reconcile(wanted[i].intent, wanted[i].seen, false)),
                            action_words(wanted[i].first));
        assert_string_equal(action_words(reconcile(wanted[i].intent, wanted[i].seen, true)),
                            action_words(wanted[i].then));
    }
    for (int i = 0; i < INTENT_COUNT; i++)
        for (int s = 0; s < SEEN_COUNT; s++)
            assert_true(met[i][s]);
}

/* Whatever the table is changed to: these may never happen. */
static void test_what_may_never_happen_in_any_cell(void **unused)
{
    (void)unused;
    for (int i = 0; i < INTENT_COUNT; i++) {
        for (int t = 0; t < 2; t++) {
            enum intent intent = (enum intent)i;
            for (int s = 0; s < SEEN_COUNT; s++) {
                enum action action = reconcile(intent, (enum seen)s, t == 1);
                /* gone is said of nothing alone, ready of what is complete alone */
                assert_true(action != ACTION_GONE || s == SEEN_NOTHING);
                assert_true(action != ACTION_READY || s == SEEN_COMPLETE ||
                            (intent == INTENT_CREATE && s == SEEN_OTHER));
                /* who changes neither creates nor deletes, and nobody else changes */
                assert_true(intent == INTENT_CHANGE || action != ACTION_CHANGE);
                assert_true(intent != INTENT_CHANGE ||
                            (action != ACTION_DELETE && action != ACTION_GONE));
                /* who does not create creates nothing */
                assert_true(intent == INTENT_CREATE ||
                            (action != ACTION_CREATE && action != ACTION_ADD_GROUPS &&
                             action != ACTION_ADD_ADDONS && action != ACTION_CLEAN));
            }
            assert_int_equal(reconcile(intent, SEEN_FOREIGN, t == 1), ACTION_LEAVE);
            assert_int_equal(reconcile(intent, SEEN_UNKNOWN, t == 1), ACTION_WAIT);
            assert_int_equal(reconcile(intent, SEEN_IN_PROGRESS, t == 1), ACTION_WAIT);
            assert_int_equal(reconcile(intent, SEEN_DELETING, t == 1), ACTION_WAIT);
        }
    }
}

static void test_everything_has_its_words(void **unused)
{
    (void)unused;
    for (int s = 0; s < SEEN_COUNT; s++)
        assert_true(*seen_words((enum seen)s) != '\0');
    for (int a = 0; a < ACTION_COUNT; a++)
        assert_true(*action_words((enum action)a) != '\0');
}

/* ---- a job's own states ---- */

#define NO JOB_STATE_COUNT
static const enum job_state next[JOB_STATE_COUNT][JOB_EVENT_COUNT] = {
    /*                claim        renew        take over    again       finish    fail */
    [JOB_QUEUED] = {JOB_RUNNING, NO, NO, NO, NO, NO, /* stop, replace */ NO, JOB_CANCELLED},
    [JOB_RUNNING] = {NO, JOB_RUNNING, JOB_RUNNING, JOB_QUEUED, JOB_DONE, JOB_FAILED, JOB_CANCELLED,
                     NO},
    [JOB_DONE] = {NO, NO, NO, NO, NO, NO, NO, NO},
    [JOB_FAILED] = {NO, NO, NO, NO, NO, NO, NO, NO},
    [JOB_CANCELLED] = {NO, NO, NO, NO, NO, NO, NO, NO},
};

static void test_every_pair_of_a_jobs_state_and_event_is_decided(void **unused)
{
    (void)unused;
    for (int s = 0; s < JOB_STATE_COUNT; s++) {
        for (int e = 0; e < JOB_EVENT_COUNT; e++) {
            const struct job_step *step = job_step((enum job_state)s, (enum job_event)e);
            if (next[s][e] == NO)
                assert_null(step);
            else
                assert_string_equal(job_state_name(step->to), job_state_name(next[s][e]));
        }
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_every_cell_is_as_wanted),
        cmocka_unit_test(test_what_may_never_happen_in_any_cell),
        cmocka_unit_test(test_everything_has_its_words),
        cmocka_unit_test(test_every_pair_of_a_jobs_state_and_event_is_decided),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
