/* One view of an environment, from which every message, card and mail is filled. */
#ifndef LIFECYCLE_VIEW_H
#define LIFECYCLE_VIEW_H

#include "store/environments.h"

/* The slash command that messages mention; set once at start. */
extern const char *view_command;

/* The values for templates' holes, a JSON object owned by ctx:
     id, revision, button (id.revision), team, name, cluster, region, template, title, reason,
     state, state_word ("is being created"), state_emoji, is: {pending, …: booleans}, cause, stuck,
     news (one plain sentence on where it stands, or ""), left_words ("· 3 h left", or ""),
     owner (id), owner_name, owner_mail, mention (for raw:mention: <@U…>),
     parameters: [{name, title, value}], parameters_text ("Nodes 2 · Kubernetes 1.34"),
     nodes, vcpus, gpus, hourly, monthly (text with $), cost_for_ttl,
     ttl ("8 h"), extension ("4h": how much more to suggest), created, decided, ready, expires,
   ended: {unix, text (UTC), slack (for raw:
   <!date^…|…>), left ("3 h 10 min" from now, "" when over)} or null, version, endpoint, seen_nodes,
   kubeconfig (the aws eks line) when ready, tally: {words (how the votes stand, mrkdwn,
   or ""), line (the same as a sentence), needed, votes: […], any (whether somebody has voted),
   changed (mrkdwn: what an approver changed, or "")} or null, decision: {word, title (the word, as
   a sentence begins), emoji, by, mention, reason} or null, quota: {before, after} or null (written
   with the tally by approvals), plan: {title, tasks: [{id, title, status, details, output}]} or
   null, plan_shown, can: {approve, extend, delete, withdraw, retry, wake, logs} booleans: which
   buttons make sense, message_link (permalink, or ""), command, break_glass, review: {word ("seen"
   or "ended"), title (the word, as a sentence begins), by, mention, when: a moment} or null,
   glass_words (a sentence, or ""); can.review and can.end, lapses: a moment, or null where nothing
   waits, subject ("*payments/demo*", raw: what is to be decided), asker_name, asker_mention: whose
   wish that is, question: the open one {id, by, mention, text} or null, question_words ("approver
   asks: …", or ""), escalate_channel (the policy's, or "") */
cJSON *view_of(const void *ctx, const struct environment *env);

/* What a line of a list says, for its template's holes; the caller's to free: id, team, name,
   cluster, region, template, title (as given), owner, owner_name, mention, state, state_word,
   state_emoji and left_words of the view. env needs no more than these, and its times. */
cJSON *view_line(const struct environment *env, const char *title);

/* view[key]: a moment {unix, text, slack, left}, or null where at is 0. */
void view_moment(cJSON *view, const char *key, time_t at, time_t now);

/* Adds the title and the emoji of a decision to it. */
void view_decision(cJSON *decision, bool approved);
/* Of what is over without a decision nobody is waited for any more: its words and line are "". */
void view_tally(cJSON *tally, bool over);
/* The view's question and question_words: the open one's, NULL: none is. */
void view_question(cJSON *view, const cJSON *question);

/* Reads the environment (and its messages' permalink) and makes the view; NULL on error. */
cJSON *view_read(const void *ctx, struct db *db, int64_t environment, struct error *err);

#endif
