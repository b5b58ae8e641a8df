/* rbac_batch PATH < questions.jsonl: asks the rules of a manifest file or a folder. Each line of
   the input is a question, a JSON object:
     {"user": "u", "groups": ["g", …], "verb": "get", "apiGroup": "envbot.dev",
      "resource": "environments", "subresource": "", "namespace": "payments", "name": "small"}
   What is missing or null is "" (groups: none); system:authenticated is added to the groups, as
   envbot does for everybody whom it knows. Each line of the output answers the same line of the
   input: yes or no. Problems of the manifests go to stderr. With --why after PATH the reason
   follows after a space. Exit codes: 0 all answered, 1 the rules cannot be read, 2 a line is no
   question. */
#include "approvals/rbac.h"
#include "base/json.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <talloc.h>

static const char **groups_of(const void *ctx, const cJSON *list)
{
    const char **groups =
        talloc_zero_array(ctx, const char *, (unsigned)cJSON_GetArraySize(list) + 1);
    const cJSON *each;
    int count = 0;
    cJSON_ArrayForEach (each, list)
        groups[count++] = json_string_or_empty(each, "");
    return groups;
}

static bool answer(const struct rbac *rules, const char *line, size_t length, bool reasons)
{
    void *ctx = talloc_new(NULL);
    const cJSON *asked = json_parse_length(ctx, line, length);
    struct rbac_reason why;
    struct rbac_question q = {.user = json_string_or_empty(asked, "user"),
                              .groups = groups_of(ctx, json_at(asked, "groups")),
                              .namespace = json_string_or_empty(asked, "namespace"),
                              .verb = json_string_or_empty(asked, "verb"),
                              .api_group = json_string_or_empty(asked, "apiGroup"),
                              .resource = json_string_or_empty(asked, "resource"),
                              .subresource = json_string_or_empty(asked, "subresource"),
                              .name = json_string_or_empty(asked, "name")};
    bool fine = cJSON_IsObject(asked);
    bool yes = fine && rbac_allows(rules, &q, reasons ? &why : NULL);
    if (fine)
        printf("%s%s%s\n", yes ? "yes" : "no", reasons ? " " : "", reasons ? why.text : "");
    talloc_free(ctx);
    return fine;
}

int main(int argc, char **argv)
{
    bool reasons = argc == 3 && strcmp(argv[2], "--why") == 0;
    if (argc != 2 && !reasons) {
        fprintf(stderr, "usage: rbac_batch PATH [--why] < questions.jsonl\n");
        return 2;
    }
    void *ctx = talloc_new(NULL);
    struct rbac *rules;
    char *problems, *line = NULL;
    struct error err;
    if (!rbac_read(ctx, argv[1], &rules, &problems, &err)) {
        fprintf(stderr, "%s\n", err.text);
        return 1;
    }
    fputs(problems, stderr);
    size_t room = 0;
    ssize_t length;
    int code = 0;
    for (long number = 1; (length = getline(&line, &room, stdin)) > 0; number++) {
        if (answer(rules, line, (size_t)length, reasons))
            continue;
        fprintf(stderr, "line %ld is no JSON object\n", number);
        code = 2;
        break;
    }
    free(line);
    talloc_free(ctx);
    return code;
}
