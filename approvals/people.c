#include "approvals/people.h"

#include "base/text.h"

#include <pthread.h>
#include <stdio.h>
#include <string.h>
#include <talloc.h>
#include <uthash.h>

/* Seconds that a copy serves: for decisions, for ordinary questions, and at most when Slack cannot
   be asked. */
enum { FRESH = 5, RECENT = 60 };

struct known_user {
    char *id;
    cJSON *user; /* users.info's "user" */
    time_t read_at;
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
    time_t groups_read_at;
};

static time_t now(void)
{
    struct timespec at;
    clock_gettime(CLOCK_MONOTONIC, &at);
    return at.tv_sec + 1000; /* 0 means never */
}

static int free_people(struct people *people)
{
    struct known_user *each, *next;
    HASH_ITER(hh, people->users, each, next)
    {
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

/* A copy of what is known of the user, when it is not older than that; NULL otherwise. */
static cJSON *known(const void *ctx, struct people *people, const char *id, time_t age)
{
    cJSON *copy = NULL;
    struct known_user *user;
    pthread_mutex_lock(&people->lock);
    HASH_FIND_STR(people->users, id, user);
    if (user && now() - user->read_at <= age)
        copy = json_own(ctx, cJSON_Duplicate(user->user, true));
    pthread_mutex_unlock(&people->lock);
    return copy;
}

static void remember(struct people *people, const char *id, const cJSON *answer)
{
    struct known_user *user;
    pthread_mutex_lock(&people->lock);
    HASH_FIND_STR(people->users, id, user);
    if (!user) {
        user = talloc_zero(people, struct known_user);
        user->id = talloc_strdup(user, id);
        HASH_ADD_KEYPTR(hh, people->users, user->id, strlen(user->id), user);
    }
    cJSON_Delete(user->user);
    user->user = cJSON_Duplicate(answer, true);
    user->read_at = now();
    pthread_mutex_unlock(&people->lock);
}

static cJSON *read_user(const void *ctx, struct people *people, struct slack_web *web,
                        const char *id, time_t age, struct error *err)
{
    cJSON *user = known(ctx, people, id, age);
    if (user)
        return user;
    cJSON *arguments = json_object(ctx);
    json_set_string(arguments, "user", id);
    struct slack_answer answer;
    if (slack_call(ctx, web, "users.info", arguments, &answer, err)) {
        const cJSON *found = json_at(answer.body, "user");
        remember(people, id, found);
        return json_own(ctx, cJSON_Duplicate(found, true));
    }
    if (answer.class == SLACK_DESTINATION) {
        error_set(err, ERROR_DENIED, "Slack does not know you here, so nothing was done.");
        return NULL;
    }
    user = known(ctx, people, id, RECENT);
    if (!user)
        cannot_tell(err);
    return user;
}

static cJSON *known_groups(const void *ctx, struct people *people, time_t age)
{
    cJSON *copy = NULL;
    pthread_mutex_lock(&people->lock);
    if (people->groups && now() - people->groups_read_at <= age)
        copy = json_own(ctx, cJSON_Duplicate(people->groups, true));
    pthread_mutex_unlock(&people->lock);
    return copy;
}

static cJSON *read_groups(const void *ctx, struct people *people, struct slack_web *web, time_t age,
                          struct error *err)
{
    cJSON *groups = known_groups(ctx, people, age);
    if (groups)
        return groups;
    time_t asked = now();
    pthread_mutex_lock(&people->reading);
    /* Who waited here finds the copy that the one before has read. */
    groups = known_groups(ctx, people, now() - asked);
    struct slack_answer answer = {0};
    bool read = groups != NULL;
    if (!read) {
        cJSON *arguments = json_object(ctx);
        json_set_bool(arguments, "include_users", true);
        json_set_bool(arguments, "include_disabled", false);
        read = slack_call(ctx, web, "usergroups.list", arguments, &answer, err);
        const cJSON *list = json_at(answer.body, "usergroups");
        if (read && cJSON_IsArray(list)) {
            pthread_mutex_lock(&people->lock);
            cJSON_Delete(people->groups);
            people->groups = cJSON_Duplicate(list, true);
            people->groups_read_at = now();
            pthread_mutex_unlock(&people->lock);
            groups = json_own(ctx, cJSON_Duplicate(list, true));
        }
    }
    pthread_mutex_unlock(&people->reading);
    if (!groups)
        groups = known_groups(ctx, people, RECENT);
    if (!groups)
        cannot_tell(err);
    return groups;
}

static bool lists(const cJSON *users, const char *id)
{
    const cJSON *each;
    cJSON_ArrayForEach(each, users) if (cJSON_IsString(each) &&
                                        strcmp(each->valuestring, id) == 0) return true;
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
    cJSON_ArrayForEach(each, groups) if (json_number(each, "date_delete", 0) == 0 &&
                                         lists(json_at(each, "users"), id))
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

static struct person *to_person(const void *ctx, const struct people *people, const cJSON *user,
                                const cJSON *groups, const char *workspace, const char *id)
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
    person->groups = groups_of(person, people, groups, id);
    person->guest = json_true(user, "is_restricted") || json_true(user, "is_ultra_restricted") ||
                    json_true(user, "is_invited_user");
    person->bot = json_true(user, "is_bot") || json_true(user, "is_workflow_bot") ||
                  json_true(user, "is_connector_bot") || strcmp(id, "USLACKBOT") == 0;
    person->deleted = json_true(user, "deleted");
    bool same_grid = *people->enterprise && strcmp(grid, people->enterprise) == 0;
    bool same_home = home && strcmp(home, people->workspace) == 0;
    person->stranger = json_true(user, "is_stranger") || (!same_home && !same_grid);
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

bool people_find(const void *ctx, struct people *people, struct slack_web *web,
                 const char *workspace, const char *user, enum people_freshness freshness,
                 struct person **out, struct error *err)
{
    time_t age = freshness == PEOPLE_NOW ? FRESH : RECENT;
    bool ours = strcmp(workspace, people->workspace) == 0;
    if (!ours && !*people->enterprise) {
        *out = stranger(ctx, workspace, user);
        return true;
    }
    cJSON *found = read_user(ctx, people, web, user, age, err);
    cJSON *groups = found ? read_groups(ctx, people, web, age, err) : NULL;
    if (!groups)
        return false;
    *out = to_person(ctx, people, found, groups, workspace, user);
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
        cJSON *groups = read_groups(ctx, people, web, RECENT, err);
        if (!groups)
            return false;
        const cJSON *each, *user;
        cJSON_ArrayForEach(each, groups)
        {
            if (strcmp(json_string_or_empty(each, "handle"), group + 6) != 0 ||
                json_number(each, "date_delete", 0) != 0)
                continue;
            cJSON_ArrayForEach(user, json_at(each, "users"))
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
