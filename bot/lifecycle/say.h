/* What is to be said: rows of the outbox, queued in the caller's transaction. */
#ifndef LIFECYCLE_SAY_H
#define LIFECYCLE_SAY_H

#include "store/environments.h"

/* What one step says, by as few statements as that takes, in this order. extra is for all that have
   a name. */
struct saying {
    const char *place;
    const char *name; /* of say(); NULL: say_redraw() */
};
void say_all(struct db *db, const struct environment *env, const struct saying *sayings,
             size_t count, const cJSON *extra);
/* Something happened: templates/slack/NAME.yaml with the environment's view of now plus extra
   (may be NULL), posted once at `place`: "operators", or a thread (lifecycle/place.h). */
void say(struct db *db, const struct environment *env, const char *place, const char *name,
         const cJSON *extra);
/* A message of the environment is out of date ("message", …: lifecycle/place.h; cards are
   waiting_redraw()'s). Several waiting redraws of one message are one. The first redraw posts it.
 */
void say_redraw(struct db *db, const struct environment *env, const char *place);
/* To one person alone: ephemeral in channel, or a direct message when they are not in it (channel
   NULL: a direct message). Dropped after ten minutes. env may be NULL. Where values has a
   response_url it is said there instead: for who cannot be found by a user id. */
void say_private(struct db *db, const struct environment *env, const char *user,
                 const char *channel, const char *name, const cJSON *values);
/* A mail to the owner: templates/mail/NAME.yaml with the view plus extra. Without an address the
   thread is told once (template mail-missing). */
void say_mail(struct db *db, const struct environment *env, const char *name, const cJSON *extra);
/* To the operators' channel, not about one environment. */
void say_operators(struct db *db, const char *name, const cJSON *values);
/* A file into a channel or to a person (user id: a direct message), by the three-step upload. */
void say_upload(struct db *db, const char *recipient, const char *filename, const char *title,
                const char *content, const char *comment);

/* In a process that has no outbox thread (a job, the command line) every row also queues a
   NOTIFY envbot_outbox, so that a serving process delivers it at once. The handlers of a serving
   process ring its own bell after their commit instead: a NOTIFY makes commits queue. */
extern bool say_notifies;

#endif
