#include "lifecycle/template.h"

#include <math.h>
#include <string.h>

enum { HOURS_A_MONTH = 730 }; /* as AWS counts them in its calculator */

static bool add_group(const cJSON *prices, const cJSON *group, double factor,
                      struct template_resources *out, struct error *err)
{
    const char *type = json_string(group, "instanceType");
    if (!type)
        type = json_string(group, "instanceTypes.0");
    /* eksctl's own defaults: two nodes of m5.large */
    int nodes = (int)json_integer(group, "desiredCapacity", 2);
    if (!type)
        type = "m5.large";
    int least = (int)json_integer(group, "minSize", nodes);
    int most = (int)json_integer(group, "maxSize", nodes);
    if (nodes < least || nodes > most)
        return error_set(err, ERROR_USAGE,
                         "The node group %s would begin with %d nodes, but it has at least %d and "
                         "at most %d.",
                         json_string_or_empty(group, "name"), nodes, least, most);
    const cJSON *price = cJSON_GetObjectItemCaseSensitive(json_at(prices, "instance_types"), type);
    if (!price)
        return error_set(err, ERROR_CONFIG,
                         "prices.yaml does not know the instance type %s; add it there", type);
    double hourly = json_number(price, "usd_hour", 0);
    if (json_true(group, "spot"))
        hourly *= json_number(prices, "spot_factor", 0.4);
    double disk = json_number(group, "volumeSize", 80) *
                  json_number(prices, "gp3_usd_gb_month", 0.08) / HOURS_A_MONTH;
    out->nodes += nodes;
    out->vcpus += nodes * (int)json_integer(price, "vcpu", 0);
    out->gpus += nodes * (int)json_integer(price, "gpu", 0);
    out->hourly_usd += nodes * (hourly * factor + disk);
    return true;
}

bool template_resources(const struct template_set *set, const cJSON *config, const char *region,
                        struct template_resources *out, struct error *err)
{
    static const char *const kinds[] = {"managedNodeGroups", "nodeGroups"};
    const cJSON *prices = set->prices, *group;
    const cJSON *regional =
        cJSON_GetObjectItemCaseSensitive(json_at(prices, "region_factors"), region);
    double factor = cJSON_IsNumber(regional) ? regional->valuedouble
                                             : json_number(prices, "other_regions_factor", 1.2);
    memset(out, 0, sizeof *out);
    out->hourly_usd = json_number(prices, "control_plane_usd_hour", 0.10);
    for (int i = 0; i < 2; i++)
        cJSON_ArrayForEach (group, json_at(config, kinds[i]))
            if (!add_group(prices, group, factor, out, err))
                return false;
    if (strcmp(json_string_or_empty(config, "vpc.nat.gateway"), "Disable") != 0)
        out->hourly_usd += json_number(prices, "nat_gateway_usd_hour", 0.045) * factor;
    if (json_at(config, "fargateProfiles"))
        out->hourly_usd += json_number(prices, "fargate_allowance_usd_hour", 0.10) * factor;
    if (json_true(config, "autoModeConfig.enabled"))
        out->hourly_usd += json_number(prices, "auto_mode_allowance_usd_hour", 0.25) * factor;
    out->hourly_usd = round(out->hourly_usd * 10000) / 10000;
    out->monthly_usd = round(out->hourly_usd * HOURS_A_MONTH * 100) / 100;
    return true;
}
