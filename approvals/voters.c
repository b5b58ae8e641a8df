#include "approvals/voters.h"

#include <string.h>
#include <talloc.h>

struct voter {
    const char *workspace, *id;
    const struct person *person; /* NULL: noted, not asked for yet */
};

struct voters {
    struct voter *items;
    int count, open;
};

struct voters *voters_new(const void *ctx)
{
    return talloc_zero(ctx, struct voters);
}

static struct voter *look(const struct voters *voters, const char *workspace, const char *id)
{
    for (int i = 0; i < voters->count; i++)
        if (strcmp(voters->items[i].id, id) == 0 &&
            strcmp(voters->items[i].workspace, workspace) == 0)
            return &voters->items[i];
    return NULL;
}

static struct voter *add(struct voters *voters, const char *workspace, const char *id)
{
    voters->items =
        talloc_realloc(voters, voters->items, struct voter, (unsigned)voters->count + 1);
    struct voter *voter = &voters->items[voters->count++];
    *voter = (struct voter){talloc_strdup(voters, workspace), talloc_strdup(voters, id), NULL};
    voters->open++;
    return voter;
}

const struct person *voters_find(struct voters *voters, const char *workspace, const char *id)
{
    struct voter *voter = look(voters, workspace, id);
    return (voter ? voter : add(voters, workspace, id))->person;
}

void voters_know(struct voters *voters, const struct person *person)
{
    struct voter *voter = look(voters, person->workspace, person->id);
    voter = voter ? voter : add(voters, person->workspace, person->id);
    voters->open -= voter->person == NULL;
    voter->person = person;
}

int voters_open(const struct voters *voters)
{
    return voters->open;
}

/* Of whom Slack knows nothing any more. */
static struct person *nobody(const void *ctx, const struct voter *voter)
{
    struct person *person = talloc_zero(ctx, struct person);
    person->workspace = voter->workspace;
    person->id = person->name = voter->id;
    person->rbac_user = "";
    person->groups = talloc_zero_array(person, const char *, 1);
    person->deleted = true;
    return person;
}

bool voters_ask(struct voters *voters, struct people *people, struct slack_web *web, int64_t began,
                struct error *err)
{
    for (int i = 0; i < voters->count; i++) {
        struct voter *voter = &voters->items[i];
        struct person *person;
        if (voter->person)
            continue;
        bool found = began ? people_find_besides(voters, people, web, voter->workspace, voter->id,
                                                 began, &person, err)
                           : people_find(voters, people, web, voter->workspace, voter->id,
                                         PEOPLE_RECENT, &person, err);
        if (!found && err->code != ERROR_DENIED)
            return error_set(err, err->code,
                             "Slack cannot tell at the moment whether those who approved it before "
                             "still may, so nothing was decided. Please try again in a minute.");
        voter->person = found ? person : nobody(voters, voter);
        voters->open--;
    }
    return true;
}
