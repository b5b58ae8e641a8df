#include "base/duration.h"
#include "lifecycle/template_reading.h"
#include "lifecycle/waiting.h"

/* The length of time that a node says; 0, and a problem, where it says none. */
static int64_t waits(struct template_reading *r, const cJSON *node, const char *what)
{
    int64_t seconds;
    struct error err;
    if (cJSON_IsString(node) && duration_parse(node->valuestring, &seconds, &err))
        return seconds;
    template_problem(r, node, "%s is a length of time, like 24h", what);
    return 0;
}

static void check_waiting(struct template_reading *r, const cJSON *approval)
{
    static const char *const keys[] = {"after", "channel"};
    const cJSON *lapse = json_at(approval, "lapse"), *remind = json_at(approval, "remind"), *each;
    const cJSON *escalate = json_at(approval, "escalate"), *after = json_at(escalate, "after");
    int64_t most = lapse ? waits(r, lapse, "approval.lapse") : 0, before = 0;
    if (remind && (!cJSON_IsArray(remind) || cJSON_GetArraySize(remind) > WAITING_REMINDERS_MOST))
        template_problem(r, remind,
                         "approval.remind is a list of at most %d lengths of time, like [1h, 4h]",
                         WAITING_REMINDERS_MOST);
    cJSON_ArrayForEach (each, remind) {
        int64_t at = waits(r, each, "each of approval.remind");
        if (at && (at <= before || (most && at >= most)))
            template_problem(r, each,
                             "each of approval.remind comes later than the one before it, and all "
                             "before approval.lapse");
        before = at;
    }
    if (!escalate)
        return;
    template_known_keys(r, escalate, keys, sizeof keys / sizeof *keys);
    if (!after || !*json_string_or_empty(escalate, "channel"))
        template_problem(r, escalate,
                         "approval.escalate wants both, after and channel: {after: 4h, "
                         "channel: C0…}");
    else if (waits(r, after, "approval.escalate.after") >= most && most)
        template_problem(r, after, "approval.escalate.after comes before approval.lapse");
}

void template_check_approval(struct template_reading *r, const cJSON *approval)
{
    static const char *const keys[] = {"count",  "groups",   "self", "lapse",
                                       "remind", "escalate", "code", "automatic"};
    template_known_keys(r, approval, keys, sizeof keys / sizeof *keys);
    const cJSON *count = cJSON_GetObjectItemCaseSensitive(approval, "count");
    if (count && (!cJSON_IsNumber(count) || count->valuedouble < 1 || count->valuedouble > 20))
        template_problem(r, count, "approval.count goes from 1 to 20");
    check_waiting(r, approval);
    const cJSON *code = json_at(approval, "code");
    if (code && !cJSON_IsBool(code))
        template_problem(r, code, "approval.code is true or false");
}
