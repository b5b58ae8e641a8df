/* The outbox's delivery alone: brings the schema up to date, delivers what the tests write into the
   table, and ends on SIGTERM. Configured as envbot is, from the environment. */
#include "base/log.h"
#include "config.h"
#include "lifecycle/outbox.h"
#include "lifecycle/states.h"
#include "store/migrate.h"

#include <signal.h>
#include <stdio.h>
#include <talloc.h>

static int failed(const char *what, const char *why)
{
    fprintf(stderr, "%s: %s\n", what, why);
    return 1;
}

int main(void)
{
    sigset_t ends;
    sigemptyset(&ends);
    sigaddset(&ends, SIGTERM);
    sigprocmask(SIG_BLOCK, &ends, NULL); /* the threads inherit it; the main one waits for it */
    signal(SIGPIPE, SIG_IGN);
    void *ctx = talloc_new(NULL);
    struct config *config;
    struct wording *wording;
    struct error err = {0};
    char *problems;
    if (!config_read(ctx, NULL, &config, &problems))
        return failed("configuration", problems);
    if (!wording_read(ctx, config->templates, &wording, &problems))
        return failed("templates", problems);
    log_set_level(LOG_DEBUG);
    struct db *db = db_new(ctx, config->database.url, "outbox_bot", 0);
    if (!migrate(db, NULL, &err))
        return failed("migrations", err.text);
    lifecycle_configure(config);
    struct breaker *slack =
        breaker_new(ctx, &(struct breaker_options){.name = "slack", .open_ms = 300}, NULL);
    struct outbox *outbox = outbox_start(
        ctx, &(struct outbox_options){.config = config, .wording = wording, .slack = slack}, &err);
    if (!outbox)
        return failed("outbox", err.text);
    printf("ready\n");
    fflush(stdout);
    int number;
    sigwait(&ends, &number);
    outbox_stop(outbox);
    talloc_free(ctx);
    return 0;
}
