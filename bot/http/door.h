/* The HTTP door: /healthz, /readyz and /metrics, on the loop of the Socket Mode thread. */
#ifndef HTTP_DOOR_H
#define HTTP_DOOR_H

#include "base/error.h"

#include <stdbool.h>

struct door;
struct health;
struct lws_context;
struct metrics;

struct door_options {
    const char *listen; /* "127.0.0.1:8080", "[::1]:8080", ":8080" for every address; port 0: any
                           free one */
    struct health *health;
    struct metrics *metrics;
};

/* Begins to listen and logs where; the loop does the rest. To be called before the loop runs or on
   its thread. The door closes with the loop's context, which it must not outlive; owned by ctx.
   NULL with err when the address is none or is taken. */
struct door *door_open(const void *ctx, struct lws_context *lws, const struct door_options *options,
                       struct error *err);

/* Whether this is an address to listen on, as far as its words tell. */
bool door_readable(const char *listen, struct error *err);

/* "127.0.0.1:43117": where it listens. */
const char *door_address(const struct door *door);

#endif
