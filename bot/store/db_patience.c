#include "store/db_inside.h"

#include <poll.h>
#include <time.h>

void db_answer_within(struct db *db, int milliseconds)
{
    db->answer_within_ms = milliseconds;
}

static int64_t now(void)
{
    struct timespec at;
    clock_gettime(CLOCK_MONOTONIC, &at);
    return (int64_t)at.tv_sec * 1000 + at.tv_nsec / 1000000;
}

bool db_await_answer(struct db *db)
{
    int64_t until = now() + db->answer_within_ms;
    while (PQisBusy(db->conn)) {
        int64_t left = until - now();
        int unsent = PQflush(db->conn);
        struct pollfd fd = {PQsocket(db->conn), (short)(unsent > 0 ? POLLIN | POLLOUT : POLLIN), 0};
        if (left <= 0 || unsent < 0 || poll(&fd, 1, (int)left) == 0)
            return false;
        if ((fd.revents & ~POLLOUT) && !PQconsumeInput(db->conn))
            return true; /* what is wrong, its result says */
    }
    return true;
}
