#include "approvals/people.h"

#include "base/text.h"

#include <pthread.h>
#include <stdio.h>
#include <string.h>
#include <talloc.h>
#include <uthash.h>

/* Milliseconds: how old a copy may be for ordinary questions, and how long Slack is asked before
   the person is told that it cannot tell. Slack waits 3 s for an ack. */
enum { RECENT_MS = 60000, PATIENCE_MS = 2400, LEAST_MS = 200 };

struct known_user {
    char *id;
    cJSON *user;      /* users.info's "user" */
    int64_t asked_at; /* when Slack was asked for it */
    UT_hash_handle hh;
};

struct people {
    const struct config *config;
    const char *workspace, *enterprise;
    pthread_mutex_t lock; /* over what is below; never held during a call */
    pthread_mutex_t
        reading; /* held by the one who reads the groups; the others wait for its copy */
    struct known_user *users;
    cJSON *groups; /* usergroups.list's "usergroups"; NULL: not read yet */
    int64_t groups_asked_at, groups_failed_at;
};

/* What an answer of Slack must not be older than, and until when it is waited for. */
struct terms {
    int64_t not_before, deadline;
};

/* Milliseconds, never 0. */
static int64_t now(void)
{
    struct timespec at;
    clock_gettime(CLOCK_MONOTONIC, &at);
    return at.tv_sec * 1000LL + at.tv_nsec / 1000000 + RECENT_MS;
}

static struct terms terms_of(enum people_freshness freshness)
{
    int64_t at = now();
    return (struct terms){freshness == PEOPLE_NOW ? at : at - RECENT_MS, at + PATIENCE_MS};
}

static bool ask(const void *ctx, struct slack_web *web, const char *method, const cJSON *arguments,
                const struct terms *terms, struct slack_answer *answer, struct error *err)
{
    int64_t left = terms->deadline - now();
    long before = slack_web_patience(web, (long)(left > LEAST_MS ? left : LEAST_MS));
    bool ok = slack_call(ctx, web, method, arguments, answer, err);
    slack_web_patience(web, before);
    return ok;
}

static int free_people(struct people *people)
{
    struct known_user *each, *next;
    HASH_ITER (hh, people->users, each, next) {
        HASH_DEL(people->users, each);
        cJSON_Delete(each->user);
    }
    cJSON_Delete(people->groups);
    pthread_mutex_destroy(&people->lock);
    pthread_mutex_destroy(&people->reading);
    return 0;
}

struct people *people_new(const void *ctx, const struct config *config, const char *workspace,
                          const char *enterprise)
{
    struct people *people = talloc_zero(ctx, struct people);
    people->config = config;
    people->workspace = talloc_strdup(people, workspace);
    people->enterprise = talloc_strdup(people, enterprise);
    pthread_mutex_init(&people->lock, NULL);
    pthread_mutex_init(&people->reading, NULL);
    talloc_set_destructor(people, free_people);
    return people;
}

static bool cannot_tell(struct error *err)
{
    return error_set(err, ERROR_UNAVAILABLE,
                     "Slack cannot tell at the moment who you are, so nothing was done. Please try "
                     "again in a minute.");
}

/* A copy of what is known of the user, when Slack was asked for it since then; NULL otherwise. */
static cJSON *known(const void *ctx, struct people *people, const char *id, int64_t not_before)
{
    cJSON *copy = NULL;
    struct known_user *user;
    pthread_mutex_lock(&people->lock);
    HASH_FIND_STR(people->users, id, user);
    if (user && user->asked_at >= not_before)
        copy = json_own(ctx, cJSON_Duplicate(user->user, true));
    pthread_mutex_unlock(&people->lock);
    return copy;
}

static void remember(struct people *people, const char *id, const cJSON *answer, int64_t asked_at)
{
    struct known_user *user;
    pthread_mutex_lock(&people->lock);
    HASH_FIND_STR(people->users, id, user);
    if (!user) {
        user = talloc_zero(people, struct known_user);
        user->id = talloc_strdup(user, id);
        HASH_ADD_KEYPTR(hh, people->users, user->id, strlen(user->id), user);
    }
    if (asked_at >= user->asked_at) {
        cJSON_Delete(user->user);
        user->user = cJSON_Duplicate(answer, true);
        user->asked_at = asked_at;
    }
    pthread_mutex_unlock(&people->lock);
}

static cJSON *read_user(const void *ctx, struct people *people, struct slack_web *web,
                        const char *id, const struct terms *terms, struct error *err)
{
    cJSON *user = known(ctx, people, id, terms->not_before);
    if (user)
        return user;
    cJSON *arguments = json_object(ctx);
    json_set_string(arguments, "user", id);
    struct slack_answer answer;
    int64_t asked_at = now();
    if (ask(ctx, web, "users.info", arguments, terms, &answer, err) &&
        cJSON_IsObject(json_at(answer.body, "user"))) {
        const cJSON *found = json_at(answer.body, "user");
        remember(people, id, found, asked_at);
        return json_own(ctx, cJSON_Duplicate(found, true));
    }
    if (answer.class == SLACK_DESTINATION)
        error_set(err, ERROR_DENIED, "Slack does not know you here, so nothing was done.");
    else
        cannot_tell(err);
    return NULL;
}

static cJSON *known_groups(const void *ctx, struct people *people, int64_t not_before)
{
    cJSON *copy = NULL;
    pthread_mutex_lock(&people->lock);
    if (people->groups && people->groups_asked_at >= not_before)
        copy = json_own(ctx, cJSON_Duplicate(people->groups, true));
    pthread_mutex_unlock(&people->lock);
    return copy;
}

/* Asks Slack for the groups; the caller holds people->reading. */
static cJSON *ask_groups(const void *ctx, struct people *people, struct slack_web *web,
                         const struct terms *terms, struct error *err)
{
    cJSON *arguments = json_object(ctx);
    json_set_bool(arguments, "include_users", true);
    json_set_bool(arguments, "include_disabled", false);
    struct slack_answer answer = {0};
    int64_t asked_at = now();
    bool ok = ask(ctx, web, "usergroups.list", arguments, terms, &answer, err);
    const cJSON *list = json_at(answer.body, "usergroups");
    /* A workspace on the free plan has no user groups: nobody is in any. */
    if (!ok && strcmp(answer.error, "plan_upgrade_required") == 0)
        list = json_array(ctx);
    pthread_mutex_lock(&people->lock);
    if (cJSON_IsArray(list)) {
        cJSON_Delete(people->groups);
        people->groups = cJSON_Duplicate(list, true);
        people->groups_asked_at = asked_at;
    } else {
        people->groups_failed_at = asked_at;
    }
    pthread_mutex_unlock(&people->lock);
    return cJSON_IsArray(list) ? json_own(ctx, cJSON_Duplicate(list, true)) : NULL;
}

static bool failed_since(struct people *people, int64_t since)
{
    pthread_mutex_lock(&people->lock);
    bool failed = people->groups_failed_at >= since;
    pthread_mutex_unlock(&people->lock);
    return failed;
}

/* A mutex' time-out is a moment of the wall clock. */
static bool lock_until(pthread_mutex_t *mutex, int64_t deadline)
{
    struct timespec at;
    clock_gettime(CLOCK_REALTIME, &at);
    int64_t left = deadline - now(), ns = at.tv_nsec + (left > 0 ? left % 1000 * 1000000 : 0);
    at.tv_sec += (left > 0 ? left / 1000 : 0) + ns / 1000000000;
    at.tv_nsec = ns % 1000000000;
    return pthread_mutex_timedlock(mutex, &at) == 0;
}

static cJSON *read_groups(const void *ctx, struct people *people, struct slack_web *web,
                          const struct terms *terms, struct error *err)
{
    cJSON *groups = known_groups(ctx, people, terms->not_before);
    if (groups)
        return groups;
    int64_t began = now();
    if (lock_until(&people->reading, terms->deadline)) {
        /* Who waited here shares the answer, or the failure, of the one before, when that one asked
           late enough. */
        groups = known_groups(ctx, people, terms->not_before);
        if (!groups && !failed_since(people, began))
            groups = ask_groups(ctx, people, web, terms, err);
        pthread_mutex_unlock(&people->reading);
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

static struct person *to_person(const void *ctx, const struct people *people, const cJSON *user,
                                const char *workspace, const char *id)
{
    static const char *const names[] = {"profile.display_name", "profile.real_name", "real_name",
                                        "name", NULL};
    struct person *person = talloc_zero(ctx, struct person);
    const char *name = first_text(user, names), *mail = json_string(user, "profile.email");
    const char *home = json_string(user, "team_id");
    const char *grid = json_string_or_empty(user, "enterprise_user.enterprise_id");
    person->workspace = talloc_strdup(person, workspace);
    person->id = talloc_strdup(person, id);
    person->name = text_cut(person, text_clean(person, name ? name : id), 80);
    person->mail = mail && *mail ? talloc_strdup(person, mail) : NULL;
    person->zone = json_string(user, "tz");
    if (person->zone)
        person->zone = talloc_strdup(person, person->zone);
    bool by_mail = strcmp(people->config->rbac.user_name, "email") == 0;
    /* Without an address nobody is anybody's mail address. */
    person->rbac_user =
        by_mail ? (person->mail ? person->mail : "") : talloc_asprintf(person, "slack:%s", id);
    person->guest = !says_no(user, "is_restricted") || !says_no(user, "is_ultra_restricted") ||
                    json_true(user, "is_invited_user");
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

/* A person of another workspace may carry the user id of one of ours: they are not looked up. */
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

/* The person from what is known, when Slack was asked for all of it since then; NULL otherwise.
   Most envelopes go this way: nothing is copied but what the person consists of. */
static struct person *known_person(const void *ctx, struct people *people, const char *workspace,
                                   const char *id, int64_t not_before)
{
    struct person *person = NULL;
    struct known_user *user;
    pthread_mutex_lock(&people->lock);
    HASH_FIND_STR(people->users, id, user);
    if (user && user->asked_at >= not_before && people->groups &&
        people->groups_asked_at >= not_before) {
        person = to_person(ctx, people, user->user, workspace, id);
        person->groups = groups_of(person, people, people->groups, id);
    }
    pthread_mutex_unlock(&people->lock);
    return person;
}

bool people_find(const void *ctx, struct people *people, struct slack_web *web,
                 const char *workspace, const char *user, enum people_freshness freshness,
                 struct person **out, struct error *err)
{
    struct terms terms = terms_of(freshness);
    bool ours = strcmp(workspace, people->workspace) == 0;
    if (!ours && !*people->enterprise) {
        *out = stranger(ctx, workspace, user);
        return true;
    }
    *out = known_person(ctx, people, workspace, user, terms.not_before);
    if (*out)
        return true;
    cJSON *found = read_user(ctx, people, web, user, &terms, err), *groups = NULL;
    if (!found)
        return false;
    struct person *person = *out = to_person(ctx, people, found, workspace, user);
    /* No group makes up for that, and Slack may not be asked for the groups too often. */
    bool never = person->guest || person->bot || person->deleted || person->stranger;
    if (!never && !(groups = read_groups(ctx, people, web, &terms, err)))
        return false;
    person->groups = groups_of(person, people, groups, user);
    return true;
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
        struct terms terms = terms_of(PEOPLE_RECENT);
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
    bool same_mail = mail && person->mail && strcasecmp(mail, person->mail) == 0;
    return same_id || same_mail;
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
                                     .namespace = team,
                                     .verb = verb,
                                     .api_group = "envbot.dev",
                                     .resource = resource,
                                     .subresource = "",
                                     .name = template};
    return rbac_allows(rules, &question, why);
}
