#include "jobs/guard.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdbool.h>
#include <sys/prctl.h>
#include <time.h>
#include <unistd.h>

/* Far below PIPE_BUF, so that it comes whole or not at all. */
struct order {
    int64_t until, grace, group; /* no padding: what is written is all known */
};

int64_t guard_clock(void)
{
    struct timespec at;
    clock_gettime(CLOCK_BOOTTIME, &at);
    return (int64_t)at.tv_sec * 1000 + at.tv_nsec / 1000000;
}

static void end_group(pid_t group, int64_t grace)
{
    int64_t until = guard_clock() + grace;
    if (group <= 1 || kill(-group, SIGTERM))
        return;
    while (guard_clock() < until && kill(-group, 0) == 0)
        poll(NULL, 0, 20);
    kill(-group, SIGKILL);
}

/* Waits for orders until there are none to come. */
static void watch(int orders)
{
    struct order order = {0};
    for (;;) {
        int64_t left = order.until - guard_clock();
        struct pollfd fd = {orders, POLLIN, 0};
        int ready = poll(&fd, 1, !order.group ? -1 : left > 0 ? (int)left : 0);
        if (ready > 0) {
            struct order next;
            ssize_t got = read(orders, &next, sizeof next);
            if (got == sizeof next)
                order = next;
            else if (got >= 0 || errno != EINTR)
                break;
        } else if (order.group && guard_clock() >= order.until) {
            end_group((pid_t)order.group, order.grace);
            order.group = 0;
        }
    }
    end_group((pid_t)order.group, order.grace);
}

int guard_start(void)
{
    int ends[2];
    if (pipe2(ends, O_CLOEXEC))
        return -1;
    pid_t pid = fork();
    if (pid == 0) {
        close(ends[1]);
        prctl(PR_SET_NAME, "envbot-guard");
        /* Who ends the job's process ends this one by the closed pipe, and not before. */
        signal(SIGTERM, SIG_IGN);
        signal(SIGINT, SIG_IGN);
        signal(SIGHUP, SIG_IGN);
        watch(ends[0]);
        _exit(0);
    }
    close(ends[0]);
    if (pid < 0) {
        close(ends[1]);
        return -1;
    }
    fcntl(ends[1], F_SETFL, O_NONBLOCK);
    return ends[1];
}

void guard_tell(int guard, pid_t group, int64_t until, int64_t grace)
{
    struct order order = {until, grace, group};
    ssize_t sent = guard >= 0 ? write(guard, &order, sizeof order) : 0;
    (void)sent;
}
