#include "approvals/people.h"

#include "approvals/people_copy.h"
#include "base/log.h"
#include "base/text.h"

#include <pthread.h>
#include <stdio.h>
#include <string.h>
#include <talloc.h>
#include <uthash.h>

enum { LEAST_MS = 200 }; /* Slack is asked for at least so long */

struct people {
    const struct config *config;
    const char *workspace, *enterprise;
    struct copy *copy;
    /* One reads the groups, the others wait for its copy. Not by holding a mutex: its time-out
       would be a moment of the wall clock, which may jump. */
    bool reading;
    pthread_mutex_t lock; /* over reading */
    pthread_cond_t read;  /* it is over */
};

/* What an answer of Slack must not be older than, and until when it is waited for. */
struct terms {
    int64_t not_before, deadline;
};

int64_t people_less_patience(const struct people *people)
{
    return people->config->slack.ack_ms / 2;
}

/* Slack is asked for most of what an ack may take; ordinary questions take a copy. */
static struct terms terms_of(const struct people *people, enum people_freshness freshness,
                             int64_t at)
{
    int64_t old = freshness == PEOPLE_NOW ? 0 : people->config->rbac.copy_seconds * 1000;
    return (struct terms){at - old, at + people->config->slack.ack_ms * 4 / 5};
}

static bool ask(const void *ctx, struct slack_web *web, const char *method, const cJSON *arguments,
                const struct terms *terms, struct slack_answer *answer, struct error *err)
{
    int64_t left = terms->deadline - copy_now();
    long before = slack_web_patience(web, (long)(left > LEAST_MS ? left : LEAST_MS));
    bool ok = slack_call(ctx, web, method, arguments, answer, err);
    slack_web_patience(web, before);
    return ok;
}

static int free_people(struct people *people)
{
    pthread_mutex_destroy(&people->lock);
    pthread_cond_destroy(&people->read);
    return 0;
}

struct people *people_new(const void *ctx, const struct config *config, const char *workspace,
                          const char *enterprise)
{
    struct people *people = talloc_zero(ctx, struct people);
    people->config = config;
    people->workspace = talloc_strdup(people, workspace);
    people->enterprise = talloc_strdup(people, enterprise);
    people->copy = copy_new(people);
    pthread_mutex_init(&people->lock, NULL);
    pthread_condattr_t monotonic;
    pthread_condattr_init(&monotonic);
    pthread_condattr_setclock(&monotonic, CLOCK_MONOTONIC);
    pthread_cond_init(&people->read, &monotonic);
    pthread_condattr_destroy(&monotonic);
    talloc_set_destructor(people, free_people);
    return people;
}

static bool cannot_tell(struct error *err)
{
    return error_set(err, ERROR_UNAVAILABLE,
                     "Slack cannot tell at the moment who you are, so nothing was done. Please try "
                     "again in a minute.");
}

/* What changed while Slack was asked is asked for again, as long as there is time. */
enum { TRIES = 3 };

static cJSON *read_user(const void *ctx, struct people *people, struct slack_web *web,
                        const char *id, const struct terms *terms, struct error *err)
{
    cJSON *user = copy_user(ctx, people->copy, id, terms->not_before);
    cJSON *arguments = json_object(ctx);
    json_set_string(arguments, "user", id);
    for (int i = 0; !user && i < TRIES; i++) {
        struct slack_answer answer = {0};
        int64_t asked_at = copy_now();
        bool ok = ask(ctx, web, "users.info", arguments, terms, &answer, err);
        const cJSON *found = json_at(answer.body, "user");
        if (!ok || !cJSON_IsObject(found)) {
            if (answer.class == SLACK_DESTINATION)
                error_set(err, ERROR_DENIED, "Slack does not know you here, so nothing was done.");
            else
                cannot_tell(err);
            return NULL;
        }
        if (copy_keep_user(people->copy, id, found, asked_at))
            user = json_own(ctx, cJSON_Duplicate(found, true));
    }
    if (!user)
        cannot_tell(err);
    return user;
}

/* Asks Slack for the groups; it is the caller's turn. */
static cJSON *ask_groups(const void *ctx, struct people *people, struct slack_web *web,
                         const struct terms *terms, struct error *err)
{
    cJSON *arguments = json_object(ctx);
    json_set_bool(arguments, "include_users", true);
    json_set_bool(arguments, "include_disabled", false);
    int64_t asked_at = copy_now();
    for (int i = 0; i < TRIES; i++, asked_at = copy_now()) {
        struct slack_answer answer = {0};
        bool ok = ask(ctx, web, "usergroups.list", arguments, terms, &answer, err);
        const cJSON *list = json_at(answer.body, "usergroups");
        /* A workspace on the free plan has no user groups: nobody is in any. */
        if (!ok && strcmp(answer.error, "plan_upgrade_required") == 0)
            list = json_array(ctx);
        if (!cJSON_IsArray(list))
            break;
        if (copy_keep_groups(people->copy, list, asked_at))
            return json_own(ctx, cJSON_Duplicate(list, true));
    }
    copy_groups_failed(people->copy, asked_at);
    return NULL;
}

static bool take_turn(struct people *people, int64_t deadline)
{
    struct timespec until = {deadline / 1000, deadline % 1000 * 1000000};
    int failed = 0;
    pthread_mutex_lock(&people->lock);
    while (people->reading && !failed)
        failed = pthread_cond_timedwait(&people->read, &people->lock, &until);
    bool mine = !people->reading;
    people->reading = true;
    pthread_mutex_unlock(&people->lock);
    return mine;
}

static void end_turn(struct people *people)
{
    pthread_mutex_lock(&people->lock);
    people->reading = false;
    pthread_cond_signal(&people->read);
    pthread_mutex_unlock(&people->lock);
}

static cJSON *read_groups(const void *ctx, struct people *people, struct slack_web *web,
                          const struct terms *terms, struct error *err)
{
    cJSON *groups = copy_groups(ctx, people->copy, terms->not_before);
    if (groups)
        return groups;
    int64_t began = copy_now();
    if (take_turn(people, terms->deadline)) {
        /* Who waited here shares the answer, or the failure, of the one before, when that one asked
           late enough. */
        groups = copy_groups(ctx, people->copy, terms->not_before);
        if (!groups && !copy_groups_failed_since(people->copy, began))
            groups = ask_groups(ctx, people, web, terms, err);
        end_turn(people);
    }
    if (!groups)
        cannot_tell(err);
    return groups;
}

static bool lists(const cJSON *users, const char *id)
{
    const cJSON *each;
    cJSON_ArrayForEach (each, users)
        if (cJSON_IsString(each) && strcmp(each->valuestring, id) == 0)
            return true;
    return false;
}

static bool is_member(const struct config_team *team, const char *id)
{
    for (const char **each = team->members; *each; each++)
        if (strcmp(*each, id) == 0)
            return true;
    return false;
}

static void add_group(const char ***list, const void *ctx, const char *name)
{
    size_t count = talloc_array_length(*list);
    *list = talloc_realloc(ctx, *list, const char *, (unsigned)count + 1);
    (*list)[count - 1] = name;
    (*list)[count] = NULL;
}

static const char **groups_of(const void *ctx, const struct people *people, const cJSON *groups,
                              const char *id)
{
    const char **list = talloc_zero_array(ctx, const char *, 1);
    const cJSON *each;
    cJSON_ArrayForEach (each, groups)
        if (json_number(each, "date_delete", 0) == 0 && lists(json_at(each, "users"), id))
            add_group(&list, ctx,
                      talloc_asprintf(ctx, "slack:%s", json_string_or_empty(each, "handle")));
    for (int i = 0; i < people->config->team_count; i++)
        if (is_member(&people->config->teams[i], id))
            add_group(&list, ctx, talloc_asprintf(ctx, "team:%s", people->config->teams[i].name));
    return list;
}

static const char *first_text(const cJSON *user, const char *const *paths)
{
    for (; *paths; paths++) {
        const char *text = json_string(user, *paths);
        if (text && *text)
            return text;
    }
    return NULL;
}

/* Slack leaves flags out where it does not tell: that is not "false". */
static bool says_no(const cJSON *user, const char *flag)
{
    return cJSON_IsFalse(json_at(user, flag));
}

/* Whether an envelope may name this workspace, or organisation, as that person's. Ids are unique
   within an organisation alone: somebody of another one may carry this id. */
static bool is_theirs(const struct people *people, const cJSON *user, const char *workspace)
{
    const char *home = json_string(user, "team_id");
    return strcmp(workspace, people->workspace) == 0 ||
           strcmp(workspace, people->enterprise) == 0 || (home && strcmp(workspace, home) == 0) ||
           lists(json_at(user, "enterprise_user.teams"), workspace);
}

/* A person of another workspace may carry the user id of one of ours. */
static struct person *stranger(const void *ctx, const char *workspace, const char *id)
{
    struct person *person = talloc_zero(ctx, struct person);
    person->workspace = talloc_strdup(person, workspace);
    person->id = person->name = talloc_strdup(person, id);
    person->rbac_user = "";
    person->groups = talloc_zero_array(person, const char *, 1);
    person->stranger = true;
    return person;
}

static struct person *to_person(const void *ctx, const struct people *people, const cJSON *user,
                                const char *workspace, const char *id)
{
    static const char *const names[] = {"profile.display_name", "profile.real_name", "real_name",
                                        "name", NULL};
    if (!is_theirs(people, user, workspace))
        return stranger(ctx, workspace, id);
    struct person *person = talloc_zero(ctx, struct person);
    const char *name = first_text(user, names), *mail = json_string(user, "profile.email");
    const char *home = json_string(user, "team_id");
    const char *grid = json_string_or_empty(user, "enterprise_user.enterprise_id");
    person->workspace = talloc_strdup(person, workspace);
    person->id = talloc_strdup(person, id);
    person->name = text_cut(person, text_line(person, name ? name : id), 80);
    person->mail = mail && *mail ? talloc_strdup(person, mail) : NULL;
    person->zone = json_string(user, "tz");
    if (person->zone)
        person->zone = talloc_strdup(person, person->zone);
    bool by_mail = strcmp(people->config->rbac.user_name, "email") == 0;
    /* Without an address nobody is anybody's mail address, nor with one that they only typed. */
    bool confirmed = person->mail && !cJSON_IsFalse(json_at(user, "is_email_confirmed"));
    person->rbac_user = !by_mail    ? talloc_asprintf(person, "slack:%s", id)
                        : confirmed ? person->mail
                                    : "";
    bool restricted = !says_no(user, "is_restricted") || !says_no(user, "is_ultra_restricted");
    person->named_only = restricted && people->config->rbac.allow_guests;
    person->guest = (restricted && !person->named_only) || json_true(user, "is_invited_user");
    person->bot = !says_no(user, "is_bot") || json_true(user, "is_workflow_bot") ||
                  json_true(user, "is_connector_bot") || strcmp(id, "USLACKBOT") == 0;
    person->deleted = !says_no(user, "deleted");
    bool same_grid = *people->enterprise && strcmp(grid, people->enterprise) == 0;
    bool same_home = home && strcmp(home, people->workspace) == 0;
    person->stranger = json_true(user, "is_stranger") || (!same_home && !same_grid);
    /* Within a grid ids are unique, and envelopes name now one of its workspaces, now another:
       whatever they were in when they typed or clicked, they are one person. */
    if (same_grid && home && !person->stranger)
        person->workspace = talloc_strdup(person, home);
    return person;
}

/* The person from what is known, when Slack was asked for all of it since then; NULL otherwise.
   whole: nothing was taken away since.
   Most envelopes go this way: nothing is copied but what the person consists of. */
static struct person *known_person(const void *ctx, struct people *people, const char *workspace,
                                   const char *id, int64_t not_before, bool whole)
{
    struct person *person = NULL;
    struct copy *copy = people->copy;
    struct known_user *user;
    pthread_mutex_lock(&copy->lock);
    HASH_FIND_STR(copy->users, id, user);
    if (user && user->user && user->asked_at >= not_before && copy->groups &&
        copy->groups_asked_at >= not_before && (!whole || copy_groups_whole(copy))) {
        person = to_person(ctx, people, user->user, workspace, id);
        person->groups = groups_of(person, people, copy->groups, id);
    }
    pthread_mutex_unlock(&copy->lock);
    return person;
}

/* The person as Slack tells them in these terms; looks: groups may be missing. */
static bool ask_person(const void *ctx, struct people *people, struct slack_web *web,
                       const char *workspace, const char *user, const struct terms *terms,
                       bool looks, struct person **out, struct error *err)
{
    cJSON *found = read_user(ctx, people, web, user, terms, err), *groups = NULL;
    if (!found)
        return false;
    struct person *person = *out = to_person(ctx, people, found, workspace, user);
    /* No group makes up for that, and Slack may not be asked for the groups too often. */
    bool never = person->guest || person->bot || person->deleted || person->stranger;
    if (!never && !(groups = read_groups(ctx, people, web, terms, err)) && !looks)
        return false;
    person->groups = groups_of(person, people, groups, user);
    person->groups_unknown = !never && !groups;
    return true;
}

static bool find(const void *ctx, struct people *people, struct slack_web *web,
                 const char *workspace, const char *user, enum people_freshness freshness,
                 struct terms terms, struct person **out, struct error *err)
{
    bool ours = strcmp(workspace, people->workspace) == 0;
    if (!ours && !*people->enterprise) {
        *out = stranger(ctx, workspace, user);
        return true;
    }
    *out = known_person(ctx, people, workspace, user, terms.not_before, true);
    if (*out)
        return true;
    bool decides = freshness == PEOPLE_NOW;
    int64_t age = people->config->rbac.copy_seconds * 1000;
    if (decides &&
        known_person(ctx, people, workspace, user, copy_serves_since(people->copy, age), false))
        terms.deadline -= people->config->slack.ack_ms * 3 / 10; /* to half of it */
    if (ask_person(ctx, people, web, workspace, user, &terms, freshness == PEOPLE_LOOK, out, err))
        return true;
    if (!decides || err->code != ERROR_UNAVAILABLE)
        return false;
    *out = known_person(ctx, people, workspace, user, copy_serves_since(people->copy, age), false);
    if (*out)
        log_warn("Slack cannot tell who decides; what it told within the last minute serves",
                 "user", user);
    return *out != NULL;
}

bool people_find(const void *ctx, struct people *people, struct slack_web *web,
                 const char *workspace, const char *user, enum people_freshness freshness,
                 struct person **out, struct error *err)
{
    return find(ctx, people, web, workspace, user, freshness,
                terms_of(people, freshness, copy_now()), out, err);
}

int64_t people_now(void)
{
    return copy_now();
}

bool people_find_besides(const void *ctx, struct people *people, struct slack_web *web,
                         const char *workspace, const char *user, int64_t began,
                         struct person **out, struct error *err)
{
    struct terms terms = terms_of(people, PEOPLE_NOW, began);
    return find(ctx, people, web, workspace, user, PEOPLE_NOW, terms, out, err);
}

const char *people_change_of(const void *ctx, const char *event_type, const cJSON *event)
{
    /* NOTIFY carries at most 8,000 bytes: of more the group as a whole is forgotten. */
    enum { MOST = 7000 };
    cJSON *change = json_object(ctx);
    const cJSON *part = NULL;
    if (strcmp(event_type, "user_change") == 0) {
        json_set_string(change, "user", json_string(event, "user.id"));
        return json_string(event, "user.id") ? json_text(ctx, change) : NULL;
    }
    if (strcmp(event_type, "subteam_members_changed") == 0) {
        json_set_string(change, "group", json_string(event, "subteam_id"));
        if ((part = json_at(event, "removed_users")))
            json_set(change, "removed", cJSON_Duplicate(part, true));
    } else if (strcmp(event_type, "subteam_updated") == 0) {
        json_set_string(change, "group", json_string(event, "subteam.id"));
        if (json_string(event, "subteam.handle"))
            json_set_string(change, "handle", json_string(event, "subteam.handle"));
        if ((part = json_at(event, "subteam.users")))
            json_set(change, "users", cJSON_Duplicate(part, true));
        json_set_bool(change, "gone", json_number(event, "subteam.date_delete", 0) != 0);
    }
    if (!json_string(change, "group"))
        return NULL;
    if (strlen(json_text(ctx, change)) > MOST) {
        cJSON_DeleteItemFromObject(change, "users");
        cJSON_DeleteItemFromObject(change, "removed");
        json_set_bool(change, "gone", true);
    }
    return json_text(ctx, change);
}

void people_change(struct people *people, const char *change)
{
    void *tmp = talloc_new(NULL);
    copy_change(people->copy, json_parse(tmp, change));
    talloc_free(tmp);
}

void people_heard(struct people *people, bool heard)
{
    copy_heard(people->copy, heard);
}

bool people_of_group(const void *ctx, struct people *people, struct slack_web *web,
                     const char *group, const char ***out, struct error *err)
{
    const char **list = talloc_zero_array(ctx, const char *, 1);
    if (strncmp(group, "team:", 5) == 0) {
        const struct config_team *team = config_team(people->config, group + 5);
        for (const char **each = team ? team->members : NULL; each && *each; each++)
            add_group(&list, ctx, *each);
    } else if (strncmp(group, "slack:", 6) == 0) {
        struct terms terms = terms_of(people, PEOPLE_RECENT, copy_now());
        cJSON *groups = read_groups(ctx, people, web, &terms, err);
        if (!groups)
            return false;
        const cJSON *each, *user;
        cJSON_ArrayForEach (each, groups) {
            if (strcmp(json_string_or_empty(each, "handle"), group + 6) != 0 ||
                json_number(each, "date_delete", 0) != 0)
                continue;
            cJSON_ArrayForEach (user, json_at(each, "users"))
                add_group(&list, ctx, talloc_strdup(ctx, json_string_or_empty(user, "")));
        }
    }
    *out = list;
    return true;
}

const char **people_teams(const void *ctx, const struct people *people, const struct person *person)
{
    const char **list = talloc_zero_array(ctx, const char *, 1);
    for (int i = 0; i < people->config->team_count; i++) {
        const struct config_team *team = &people->config->teams[i];
        bool member = is_member(team, person->id);
        for (const char **group = person->groups; *team->slack_group && *group; group++)
            member = member || (strncmp(*group, "slack:", 6) == 0 &&
                                strcmp(*group + 6, team->slack_group) == 0);
        if (member)
            add_group(&list, ctx, team->name);
    }
    return list;
}

bool people_same(const struct person *person, const char *workspace, const char *id,
                 const char *mail)
{
    bool same_id = strcmp(id, person->id) == 0 && strcmp(workspace, person->workspace) == 0;
    return same_id || text_same_mailbox(mail, person->mail);
}

bool people_may(const struct rbac *rules, const struct person *person, const char *verb,
                const char *resource, const char *team, const char *template,
                struct rbac_reason *why)
{
    if (why)
        snprintf(why->text, sizeof why->text, "not a full member of this workspace");
    if (person->guest || person->bot || person->deleted || person->stranger || !*person->rbac_user)
        return false;
    struct rbac_question question = {.user = person->rbac_user,
                                     .groups = person->groups,
                                     .named_only = person->named_only,
                                     .namespace = team,
                                     .verb = verb,
                                     .api_group = "envbot.dev",
                                     .resource = resource,
                                     .subresource = "",
                                     .name = template};
    return rbac_allows(rules, &question, why);
}
