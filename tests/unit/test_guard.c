/* The guard beside a job: it ends a group at its time, when its job is gone, and not before. */
#include "jobs/guard.h"

#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <sys/wait.h>
#include <unistd.h>
/* cmocka wants the headers above first */
#include <cmocka.h>

/* A process in a group of its own that does nothing; stubborn: and ignores TERM. */
static pid_t sleeper(bool stubborn)
{
    int ready[2];
    assert_int_equal(pipe(ready), 0);
    pid_t pid = fork();
    if (pid == 0) {
        setpgid(0, 0);
        for (int fd = 3; fd < 64; fd++) /* as exec does: it must not hold the guard's pipe */
            if (fd != ready[1])
                close(fd);
        signal(SIGTERM, stubborn ? SIG_IGN : SIG_DFL);
        ssize_t sent = write(ready[1], "x", 1);
        (void)sent;
        for (;;)
            pause();
    }
    char byte;
    assert_int_equal(read(ready[0], &byte, 1), 1);
    close(ready[0]);
    close(ready[1]);
    return pid;
}

/* The signal that ended it. */
static int ended_by(pid_t pid)
{
    int status = 0;
    assert_int_equal(waitpid(pid, &status, 0), pid);
    return WTERMSIG(status);
}

static void test_it_ends_a_group_at_its_time_first_gently_then_surely(void **state)
{
    (void)state;
    int guard = guard_start();
    pid_t gentle = sleeper(false);
    int64_t until = guard_clock() + 300;
    guard_tell(guard, gentle, until, 20000);
    assert_int_equal(ended_by(gentle), SIGTERM);
    assert_true(guard_clock() >= until);
    pid_t stubborn = sleeper(true);
    guard_tell(guard, stubborn, guard_clock() + 100, 100);
    assert_int_equal(ended_by(stubborn), SIGKILL);
    close(guard);
}

static void test_it_ends_the_group_when_its_job_is_gone(void **state)
{
    (void)state;
    int guard = guard_start();
    pid_t pid = sleeper(false);
    guard_tell(guard, pid, guard_clock() + 3600000, 100);
    close(guard);
    assert_int_equal(ended_by(pid), SIGTERM);
}

static void test_it_leaves_a_group_alone_that_is_renewed_or_taken_back(void **state)
{
    (void)state;
    int guard = guard_start();
    pid_t renewed = sleeper(false), other = sleeper(false);
    guard_tell(guard, renewed, guard_clock() + 200, 100);
    guard_tell(guard, renewed, guard_clock() + 3600000, 100);
    guard_tell(guard, other, guard_clock() + 100, 100);
    assert_int_equal(ended_by(other), SIGTERM); /* the guard is past the first moment by now */
    assert_int_equal(kill(renewed, 0), 0);
    guard_tell(guard, renewed, guard_clock() + 3600000, 100);
    guard_tell(guard, 0, 0, 0);
    close(guard);
    pid_t after = sleeper(false);
    int second = guard_start();
    guard_tell(second, after, guard_clock() + 100, 100);
    assert_int_equal(ended_by(after), SIGTERM);
    assert_int_equal(kill(renewed, 0), 0);
    kill(renewed, SIGKILL);
    assert_int_equal(ended_by(renewed), SIGKILL);
    close(second);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_it_ends_a_group_at_its_time_first_gently_then_surely),
        cmocka_unit_test(test_it_ends_the_group_when_its_job_is_gone),
        cmocka_unit_test(test_it_leaves_a_group_alone_that_is_renewed_or_taken_back),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
