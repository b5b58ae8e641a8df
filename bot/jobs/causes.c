#include "jobs/causes.h"

#include "base/text.h"
#include "base/tree.h"

#include <assert.h>
#include <ctype.h>
#include <string.h>
#include <talloc.h>

const struct treatment treatments[CAUSE_CLASSES] = {
    [CAUSE_OURS] = {"ours", 1, false, true},
    [CAUSE_REQUEST] = {"request", 1, false, false},
    [CAUSE_QUOTA] = {"quota", 1, false, true},
    [CAUSE_CAPACITY] = {"capacity", 3, true, false},
    [CAUSE_PERMISSION] = {"permission", 1, false, true},
    [CAUSE_THROTTLING] = {"throttling", 5, false, false},
    [CAUSE_PASSING] = {"passing", 3, false, false},
    [CAUSE_UNKNOWN] = {"unknown", 1, false, false},
};

/* Patterns from eksctl's, CloudFormation's and EKS' messages. */
/* clang-format off */
const struct cause causes[] = {
    {"vpc-quota", CAUSE_QUOTA, {"maximum number of VPCs has been reached", "VpcLimitExceeded"}},
    {"address-quota", CAUSE_QUOTA,
     {"maximum number of addresses has been reached", "AddressLimitExceeded"}},
    {"gateway-quota", CAUSE_QUOTA,
     {"maximum number of internet gateways has been reached", "InternetGatewayLimitExceeded",
      "NatGatewayLimitExceeded"}},
    {"vcpu-quota", CAUSE_QUOTA,
     {"vCPU limit", "vCPU capacity than your current", "VcpuLimitExceeded"}},
    {"spot-quota", CAUSE_QUOTA, {"MaxSpotInstanceCountExceeded"}},
    {"role-quota", CAUSE_QUOTA, {"quota for RolesPerAccount", "quota for InstanceProfilesPerAccount"}},
    {"oidc-quota", CAUSE_QUOTA, {"quota for OpenIdConnectProvidersPerAccount"}},
    {"cluster-quota", CAUSE_QUOTA, {"ResourceLimitExceededException", "Cluster limit exceeded"}},
    {"zone-capacity", CAUSE_CAPACITY,
     {"UnsupportedAvailabilityZoneException",
      "targeted availability zone, does not currently have sufficient capacity"}},
    {"instance-zone", CAUSE_CAPACITY, {"is not supported in your requested Availability Zone"}},
    {"instance-capacity", CAUSE_CAPACITY,
     {"InsufficientInstanceCapacity", "UnfulfillableCapacity",
      "does not currently have sufficient capacity", "Could not launch On-Demand Instances"}},
    {"subnet-addresses", CAUSE_REQUEST,
     {"InsufficientFreeAddressesInSubnet", "InsufficientFreeAddresses"}},
    {"deny-by-organisation", CAUSE_PERMISSION, {"with an explicit deny in a service control policy"}},
    {"no-boundary", CAUSE_PERMISSION, {"because no permissions boundary allows"}},
    {"token-expired", CAUSE_PERMISSION, {"ExpiredToken", "security token included in the request is expired"}},
    {"no-credentials", CAUSE_PERMISSION,
     {"no EC2 IMDS role found", "failed to refresh cached credentials", "NoCredentialProviders"}},
    {"bad-credentials", CAUSE_PERMISSION,
     {"InvalidClientTokenId", "SignatureDoesNotMatch", "security token included in the request is invalid"}},
    {"region-off", CAUSE_PERMISSION, {"OptInRequired", "UnrecognizedClientException"}},
    {"account-blocked", CAUSE_PERMISSION, {"PendingVerification", "account is currently blocked"}},
    {"no-service-role", CAUSE_PERMISSION, {"service-linked role", "service linked role"}},
    {"denied", CAUSE_PERMISSION,
     {"AccessDenied", "UnauthorizedOperation", "not authorized to perform"}},
    {"kms-key", CAUSE_REQUEST, {"InvalidKMSKey", "KMSKeyDisabledException", "KMSInvalidStateException"}},
    {"stack-exists", CAUSE_PASSING, {"AlreadyExistsException", "ResourceInUseException"}},
    {"throttled", CAUSE_THROTTLING,
     {"Rate exceeded", "Throttling", "TooManyRequestsException", "RequestLimitExceeded"}},
    {"network-in-use", CAUSE_PASSING, {"DependencyViolation", "has dependencies and cannot be deleted"}},
    {"balancer-in-use", CAUSE_PASSING, {"has some mapped public address"}},
    {"disruption-budget", CAUSE_PASSING,
     {"would violate the pod's disruption budget", "pods are unevictable from node"}},
    {"eviction", CAUSE_REQUEST, {"PodEvictionFailure", "Reached max retries while trying to evict pods"}},
    {"nodes-unhealthy", CAUSE_PASSING,
     {"timed out waiting for at least", "NodeCreationFailure",
      "Instances failed to join the kubernetes cluster"}},
    {"api-unreachable", CAUSE_PASSING, {"i/o timeout", "getting Kubernetes version on EKS cluster"}},
    {"slow", CAUSE_PASSING,
     {"exceeded max wait time", "failed waiting for successful resource state",
      "context deadline exceeded"}},
    {"stack-failed", CAUSE_PASSING, {"waiter state transitioned to Failure"}},
    {"no-identity", CAUSE_PASSING, {"GetCallerIdentity"}},
    {"region", CAUSE_REQUEST, {"is not supported - use one of"}},
    {"version", CAUSE_REQUEST,
     {"invalid version", "unsupported Kubernetes version", "is not a supported Kubernetes version"}},
    {"instance-type", CAUSE_REQUEST,
     {"instance types do not exist", "invalid instance type", "InvalidInstanceType"}},
    {"config", CAUSE_OURS, {"unknown field", "error unmarshaling JSON", "loading config file"}},
    {"aws-away", CAUSE_PASSING,
     {"no such host", "connection refused", "connection reset by peer", "TLS handshake timeout"}},
    {"aws-fault", CAUSE_PASSING,
     {"InternalFailure", "ServiceUnavailable", "InternalServerError", "ServerException"}},
    {"exists", CAUSE_PASSING, {"already exists"}},
    /* What envbot knows by itself. */
    {"deadline", CAUSE_UNKNOWN, {NULL}},
    {"phase", CAUSE_PASSING, {NULL}},
    {"eksctl", CAUSE_OURS, {NULL}},
    {"folder", CAUSE_OURS, {NULL}},
    {"template", CAUSE_OURS, {NULL}},
    {"foreign", CAUSE_REQUEST, {NULL}},
    {"foreign-left", CAUSE_OURS, {NULL}},
    {"cluster-missing", CAUSE_OURS, {NULL}},
    {"group-missing", CAUSE_REQUEST, {NULL}},
    {"no-answer", CAUSE_PASSING, {NULL}},
    {"unknown", CAUSE_UNKNOWN, {NULL}},
    {NULL, CAUSE_UNKNOWN, {NULL}},
};
/* clang-format on */

enum { PATTERNS = sizeof causes->patterns / sizeof *causes->patterns };

const struct cause *cause_of(const char *line)
{
    if (strstr(line, "Resource creation cancelled"))
        return NULL;
    for (const struct cause *each = causes; each->id; each++)
        for (int i = 0; i < PATTERNS && each->patterns[i]; i++)
            if (strstr(line, each->patterns[i]))
                return each;
    return NULL;
}

const struct cause *cause_by_id(const char *id)
{
    const struct cause *each = causes;
    while (each->id && strcmp(each->id, id) != 0)
        each++;
    assert(each->id);
    return each;
}

static const cJSON *read_words(const void *ctx, const char *directory, const char **path,
                               struct error *err)
{
    struct tree *trees;
    int count = 0;
    *path = talloc_asprintf(ctx, "%s/causes.yaml", directory);
    if (!tree_read_file(ctx, *path, &trees, &count, err))
        return NULL;
    if (count == 1 && cJSON_IsObject(trees[0].root))
        return trees[0].root;
    error_set(err, ERROR_CONFIG, "%s:1: one mapping is wanted here", *path);
    return NULL;
}

char *cause_words(const void *ctx, const char *directory, const struct cause *cause,
                  const cJSON *values, struct error *err)
{
    void *tmp = talloc_new(NULL);
    const char *path;
    const cJSON *all = read_words(tmp, directory, &path, err), *filled = NULL;
    const cJSON *words = cJSON_GetObjectItemCaseSensitive(all, cause->id);
    if (words)
        filled = tree_fill(tmp, words, values, TREE_PLAIN, true, err);
    else if (all)
        error_set(err, ERROR_CONFIG, "%s has no words for %s", path, cause->id);
    char *text = filled ? talloc_asprintf(ctx, "%s %s", json_string_or_empty(filled, "what"),
                                          json_string_or_empty(filled, "do"))
                        : talloc_asprintf(ctx, "It failed (%s).", cause->id);
    talloc_free(tmp);
    return text;
}

static void check_one(const char *path, const cJSON *all, const struct cause *cause,
                      char **problems)
{
    const cJSON *words = cJSON_GetObjectItemCaseSensitive(all, cause->id);
    struct error err = {0};
    void *tmp = talloc_new(NULL);
    cJSON *values = json_object(tmp);
    static const char *const given[] = {"region", "cluster", "name", "command"};
    for (size_t i = 0; i < sizeof given / sizeof *given; i++)
        json_set_string(values, given[i], "x");
    if (!json_string(words, "what") || !json_string(words, "do"))
        *problems =
            talloc_asprintf_append(*problems, "%s: %s needs `what` and `do`\n", path, cause->id);
    else if (!tree_fill(tmp, words, values, TREE_PLAIN, true, &err))
        *problems = talloc_asprintf_append(*problems, "%s: %s: %s\n", path, cause->id, err.text);
    talloc_free(tmp);
}

static bool is_cause(const char *id)
{
    for (const struct cause *each = causes; each->id; each++)
        if (strcmp(each->id, id) == 0)
            return true;
    return false;
}

bool causes_check(const void *ctx, const char *directory, char **problems)
{
    void *tmp = talloc_new(NULL);
    struct error err = {0};
    const char *path;
    const cJSON *all = read_words(tmp, directory, &path, &err), *each;
    *problems = talloc_strdup(ctx, "");
    if (!all)
        *problems = talloc_asprintf_append(*problems, "%s\n", err.text);
    for (const struct cause *cause = causes; all && cause->id; cause++)
        check_one(path, all, cause, problems);
    cJSON_ArrayForEach (each, all)
        if (!is_cause(each->string))
            *problems = talloc_asprintf_append(*problems, "%s: %s is no cause that envbot knows\n",
                                               path, each->string);
    talloc_free(tmp);
    return !**problems;
}

/* Names like us-east-1a: a region, and a letter. */
static size_t zone_length(const char *at)
{
    size_t length = strcspn(at, ", ()\"\\.");
    bool zone = length > 4 && islower((unsigned char)at[length - 1]) &&
                isdigit((unsigned char)at[length - 2]) && memchr(at, '-', length);
    return zone ? length : 0;
}

cJSON *cause_zones(const void *ctx, const char *line)
{
    static const char offer[] = "these availability zones: ";
    const char *at = line ? strstr(line, offer) : NULL;
    cJSON *zones = json_array(ctx);
    size_t length;
    for (at = at ? at + strlen(offer) : ""; (length = zone_length(at));
         at += length + strspn(at + length, ", ")) {
        char *name = talloc_strndup(NULL, at, length);
        if (cJSON_GetArraySize(zones) < 3)
            cJSON_AddItemToArray(zones, cJSON_CreateString(name));
        talloc_free(name);
    }
    return cJSON_GetArraySize(zones) >= 2 ? zones : NULL;
}
