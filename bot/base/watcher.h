/* A thread that goes round until it is stopped, and waits in poll() in between. */
#ifndef BASE_WATCHER_H
#define BASE_WATCHER_H

#include "base/bell.h"

#include <pthread.h>
#include <stdbool.h>
#include <stdatomic.h>

struct watcher {
    pthread_t thread;
    struct bell *bell; /* rung to stop: for its poll() */
    _Atomic bool stopping;
};

/* Starts run(user) on a thread of its own. The watcher is a part of what is talloc'ed as user, on
   NULL: what its thread allocates must not meet what others allocate. On false user is freed. */
bool watcher_start(struct watcher *watcher, void *(*run)(void *user), void *user);
/* Whether run is to return. */
bool watcher_stopping(struct watcher *watcher);
/* Rings, waits until run has returned, and frees user. */
void watcher_stop(struct watcher *watcher, void *user);

#endif
