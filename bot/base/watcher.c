#include "base/watcher.h"

#include <talloc.h>

bool watcher_start(struct watcher *watcher, void *(*run)(void *user), void *user)
{
    watcher->bell = bell_new(user);
    atomic_store(&watcher->stopping, false);
    if (pthread_create(&watcher->thread, NULL, run, user) == 0)
        return true;
    talloc_free(user);
    return false;
}

bool watcher_stopping(struct watcher *watcher)
{
    return atomic_load(&watcher->stopping);
}

void watcher_stop(struct watcher *watcher, void *user)
{
    atomic_store(&watcher->stopping, true);
    bell_ring(watcher->bell);
    pthread_join(watcher->thread, NULL);
    talloc_free(user);
}
