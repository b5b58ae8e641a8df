/* Whether envbot can do its work, for /readyz: from what its threads keep saying about themselves,
   so that asking never waits for anything. */
#ifndef HTTP_HEALTH_H
#define HTTP_HEALTH_H

#include <stdbool.h>

struct breaker;
struct health;
struct socket;

/* socket may be NULL (a process that does not talk to Slack). Owned by ctx. */
struct health *health_new(const void *ctx, struct socket *socket);

/* Lists a breaker (NULL: none), which must live as long as health. An open one does not make it
   unready: what stands behind it is said at once to whoever needs it. To be called before the loop
   runs. */
void health_watch(struct health *health, struct breaker *breaker);

/* From any thread: PostgreSQL answered just now (trouble NULL), or what it said instead. To be said
   at least every 20 s, by the clock for one; what is older than a minute counts as not answering.
 */
void health_database(struct health *health, const char *trouble);

/* From any thread: provisioning is paused, in these words; "": it is not. That makes nothing
 * unready.
 */
void health_pause(struct health *health, const char *words);

/* From any thread: what is the matter with AWS, which job processes find out; "": nothing. */
void health_aws(struct health *health, const char *words);

/* JSON, a talloc string of ctx; *ready: Slack said hello and PostgreSQL answers. */
char *health_json(const void *ctx, struct health *health, bool *ready);

#endif
