#include "jobs/sweep_look.h"

#include "base/duration.h"
#include "base/text.h"
#include "jobs/eksctl_log.h"
#include "lifecycle/template.h"

#include <inttypes.h>
#include <string.h>
#include <sys/wait.h>
#include <talloc.h>
#include <time.h>

enum { OLD_SECONDS = 86400 };

static cJSON *add(struct sweep *s, const char *kind, const char *region, const char *line)
{
    cJSON *finding = cJSON_CreateObject();
    json_set_string(finding, "kind", kind);
    json_set_string(finding, "region", region);
    json_set_string(finding, "line", line);
    cJSON_AddItemToArray(s->findings, finding);
    return finding;
}

/* The last line of what eksctl said, without what stands before it. */
static char *last_line(void *ctx, const char *said)
{
    char *copy = talloc_strdup(ctx, said ? said : ""), *state = NULL, *last = "no answer";
    for (char *line = strtok_r(copy, "\n", &state); line; line = strtok_r(NULL, "\n", &state))
        last = line;
    return text_cut(ctx, text_line(ctx, eksctl_line_read(last).text), 200);
}

static void could_not_read(void *ctx, struct sweep *s, const char *region, const char *why)
{
    s->unread = true;
    add(s, "unread", region,
        talloc_asprintf(ctx, "%s could not be read (%s), so nothing was deleted anywhere.", region,
                        last_line(ctx, why)));
}

/* NULL: cannot be told, *why says it. */
static const cJSON *ask(void *ctx, struct sweep *s, char **arguments, char **why)
{
    char *output = NULL, *errors = NULL;
    int status = 0;
    struct error err = {0};
    bool asked =
        eksctl_ask(ctx, arguments, s->environment, &s->patience, &output, &errors, &status, &err);
    bool well = asked && WIFEXITED(status) && WEXITSTATUS(status) == 0;
    *why = talloc_strdup(ctx, asked ? errors : err.text);
    if (asked && !well && strstr(errors, "ResourceNotFoundException"))
        return json_array(ctx);
    cJSON *list = well ? json_parse(ctx, output) : NULL;
    if (cJSON_IsNull(list)) /* an empty list of Go */
        return json_array(ctx);
    return cJSON_IsArray(list) ? list : NULL;
}

const cJSON *sweep_cluster(void *ctx, struct sweep *s, const char *cluster, const char *region,
                           bool *known)
{
    char *why;
    const cJSON *list = ask(ctx, s, eksctl_get(ctx, s->config, cluster, region), &why);
    *known = list != NULL;
    if (!list)
        could_not_read(ctx, s, region, why);
    return list ? list->child : NULL;
}

/* ---- one way: what AWS has ---- */

/* RFC 3339, in UTC as AWS writes it; 0 when it is none. */
static time_t moment(const char *text)
{
    struct tm tm = {0};
    return strptime(text, "%Y-%m-%dT%H:%M:%S", &tm) ? timegm(&tm) : 0;
}

static const char *tag(const cJSON *cluster, const char *name)
{
    const cJSON *tags = cJSON_GetObjectItemCaseSensitive(cluster, "Tags");
    const cJSON *value = cJSON_GetObjectItemCaseSensitive(tags, name);
    return cJSON_IsString(value) ? value->valuestring : "";
}

static void add_orphan(void *ctx, struct sweep *s, const char *name, const char *region,
                       const cJSON *cluster)
{
    time_t made = moment(json_string_or_empty(cluster, "CreatedAt")), now = time(NULL);
    bool old = made && now - made > OLD_SECONDS;
    const char *age = made && now > made ? duration_text(ctx, now - made) : "of unknown age";
    cJSON *finding =
        add(s, "orphan", region,
            talloc_asprintf(
                ctx,
                "%s in %s is in AWS with envbot's tags (team %s, owner %s, environment %s), "
                "and no environment has it. It is %s%s and costs money.",
                name, region, tag(cluster, "envbot:team"), tag(cluster, "envbot:owner"),
                tag(cluster, "envbot:environment"), age, made && now > made ? " old" : ""));
    json_set_string(finding, "cluster", name);
    json_set_string(finding, "key", talloc_asprintf(ctx, "orphan %s %s", region, name));
    json_set_bool(finding, "old", old);
}

static bool listed(const cJSON *list, const char *name)
{
    const cJSON *each;
    cJSON_ArrayForEach (each, list)
        if (strcmp(json_string_or_empty(each, "Name"), name) == 0)
            return true;
    return false;
}

static bool stands_here(const struct rows *living, const char *cluster, const char *region)
{
    for (int i = 0; i < rows_count(living); i++)
        if (strcmp(rows_text(living, i, "cluster"), cluster) == 0 &&
            strcmp(rows_text(living, i, "region"), region) == 0)
            return true;
    return false;
}

static void look_for_orphans(void *ctx, struct sweep *s, const struct rows *living,
                             const char *region, const cJSON *list)
{
    const cJSON *each;
    cJSON_ArrayForEach (each, list) {
        const char *name = json_string_or_empty(each, "Name");
        bool known;
        s->clusters++;
        if (stands_here(living, name, region))
            continue;
        const cJSON *cluster = sweep_cluster(ctx, s, name, region, &known);
        if (cluster && strcmp(tag(cluster, "envbot:managed"), "true") == 0)
            add_orphan(ctx, s, name, region, cluster);
    }
}

/* ---- the other way: what stands here ---- */

static void look_for_ghosts(void *ctx, struct sweep *s, const struct rows *living,
                            const char *region, const cJSON *list)
{
    for (int i = 0; i < rows_count(living); i++) {
        const char *cluster = rows_text(living, i, "cluster");
        bool known;
        if (strcmp(rows_text(living, i, "region"), region) != 0 ||
            !rows_true(living, i, "settled") || listed(list, cluster) ||
            sweep_cluster(ctx, s, cluster, region, &known) || !known)
            continue;
        cJSON *finding =
            add(s, "ghost", region,
                talloc_asprintf(ctx,
                                "%s/%s is %s here, but there is no cluster %s in %s. "
                                "Deleting it clears it away.",
                                rows_text(living, i, "team"), rows_text(living, i, "name"),
                                rows_text(living, i, "state"), cluster, region));
        json_set_string(finding, "key", talloc_asprintf(ctx, "ghost %s %s", region, cluster));
    }
}

/* ---- both ---- */

static void add_region(cJSON *regions, const char *region)
{
    const cJSON *each;
    cJSON_ArrayForEach (each, regions)
        if (strcmp(each->valuestring, region) == 0)
            return;
    cJSON_AddItemToArray(regions, cJSON_CreateString(region));
}

/* Where anything ever was, and where the templates let it be. */
static cJSON *read_regions(void *ctx, struct sweep *s, struct error *err)
{
    cJSON *regions = json_array(ctx);
    struct template_set *set;
    char *problems;
    struct rows *rows =
        db_query(ctx, s->db, err, "SELECT DISTINCT region FROM environments ORDER BY region", P0);
    for (int i = 0; rows && i < rows_count(rows); i++)
        add_region(regions, rows_text(rows, i, "region"));
    if (rows && templates_read(ctx, s->config->templates, &set, &problems))
        for (int i = 0; i < set->count; i++)
            for (const char **region = set->items[i].regions; *region; region++)
                add_region(regions, *region);
    return rows ? regions : NULL;
}

/* Settled: its cluster was there when the sweep began, and nothing is done with it. */
static struct rows *read_living(void *ctx, struct sweep *s, const char *began, struct error *err)
{
    return db_query(ctx, s->db, err,
                    "SELECT e.team, e.name, e.cluster, e.region, e.state,"
                    " e.state IN ('ready', 'asleep') AND e.ready_at < $1::timestamptz"
                    "  AND NOT EXISTS (SELECT FROM jobs j WHERE j.environment = e.id"
                    "   AND (j.state IN ('queued', 'running') OR j.finished_at > $1::timestamptz))"
                    "  AS settled"
                    " FROM environments e WHERE e.ended_at IS NULL ORDER BY e.id",
                    P(began));
}

bool sweep_look(void *ctx, struct sweep *s, struct error *err)
{
    struct rows *now = db_query(ctx, s->db, err, "SELECT clock_timestamp() AS now", P0);
    cJSON *regions = now ? read_regions(ctx, s, err) : NULL;
    if (!regions)
        return false;
    s->findings = json_array(ctx);
    s->regions = cJSON_GetArraySize(regions);
    const cJSON **lists = talloc_zero_array(ctx, const cJSON *, (unsigned)s->regions + 1);
    const cJSON *region;
    int i = 0;
    cJSON_ArrayForEach (region, regions) {
        char *why;
        lists[i] = ask(ctx, s, eksctl_list(ctx, s->config, region->valuestring), &why);
        if (!lists[i++])
            could_not_read(ctx, s, region->valuestring, why);
    }
    /* What was begun meanwhile stands in the table by now. */
    struct rows *living = read_living(ctx, s, rows_text(now, 0, "now"), err);
    if (!living)
        return false;
    i = 0;
    cJSON_ArrayForEach (region, regions) {
        if (lists[i]) {
            look_for_orphans(ctx, s, living, region->valuestring, lists[i]);
            look_for_ghosts(ctx, s, living, region->valuestring, lists[i]);
        }
        i++;
    }
    return true;
}
