/* Why jobs fail: each cause by a line as eksctl, CloudFormation or EKS write it, its class, and
   words for it. */
#include "jobs/causes.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>
#include <talloc.h>
/* cmocka wants the headers above first */
#include <cmocka.h>

#define ERROR_LINE "2026-11-20 09:00:00 [✖]  "

static const struct {
    const char *id;
    enum cause_class class;
    const char *line;
} lines[] = {
    {"vpc-quota", CAUSE_QUOTA,
     ERROR_LINE "AWS::EC2::VPC/VPC: CREATE_FAILED – \"Resource handler returned message: \\\"The "
                "maximum number of VPCs has been reached. (Service: Ec2, Status Code: 400, Request "
                "ID: 1) (RequestToken: 1, HandlerErrorCode: ServiceLimitExceeded)\\\"\""},
    {"vpc-quota", CAUSE_QUOTA, "Error: VpcLimitExceeded: The maximum number of VPCs"},
    {"address-quota", CAUSE_QUOTA,
     ERROR_LINE "AWS::EC2::EIP/NATIP: CREATE_FAILED – \"The maximum number of addresses has been "
                "reached. (Service: AmazonEC2; Status Code: 400; Error Code: "
                "AddressLimitExceeded)\""},
    {"gateway-quota", CAUSE_QUOTA,
     ERROR_LINE "AWS::EC2::InternetGateway/InternetGateway: CREATE_FAILED – \"The maximum number "
                "of internet gateways has been reached. (Error Code: "
                "InternetGatewayLimitExceeded)\""},
    {"vcpu-quota", CAUSE_QUOTA,
     ERROR_LINE "AWS::EKS::Nodegroup/ManagedNodeGroup: CREATE_FAILED – \"You have requested more "
                "vCPU capacity than your current vCPU limit of 32 allows for the instance bucket "
                "that the specified instance type belongs to.\""},
    {"vcpu-quota", CAUSE_QUOTA,
     ERROR_LINE "AWS::EKS::Nodegroup/ManagedNodeGroup: CREATE_FAILED – \"Nodegroup main failed to "
                "stabilize: [{Code: AsgInstanceLaunchFailures,Message: VcpuLimitExceeded,}]\""},
    {"spot-quota", CAUSE_QUOTA,
     ERROR_LINE "AWS::EKS::Nodegroup/ManagedNodeGroup: CREATE_FAILED – \"Could not launch Spot "
                "Instances. MaxSpotInstanceCountExceeded - Max spot instance count exceeded.\""},
    {"role-quota", CAUSE_QUOTA,
     ERROR_LINE "AWS::IAM::Role/ServiceRole: CREATE_FAILED – \"Cannot exceed quota for "
                "RolesPerAccount: 1000 (Service: Iam, Status Code: 409)\""},
    {"oidc-quota", CAUSE_QUOTA,
     "Error: creating OIDC provider: operation error IAM: CreateOpenIDConnectProvider, "
     "LimitExceeded: Cannot exceed quota for OpenIdConnectProvidersPerAccount: 100"},
    {"cluster-quota", CAUSE_QUOTA,
     ERROR_LINE "AWS::EKS::Cluster/ControlPlane: CREATE_FAILED – \"Resource handler returned "
                "message: \\\"Cluster limit exceeded for account. (Service: Eks, Error Code: "
                "ResourceLimitExceededException)\\\"\""},
    {"zone-capacity", CAUSE_CAPACITY,
     ERROR_LINE "AWS::EKS::Cluster/ControlPlane: CREATE_FAILED – \"Cannot create cluster "
                "'payments-demo' because us-east-1e, the targeted availability zone, does not "
                "currently have sufficient capacity to support the cluster. Retry and choose from "
                "these availability zones: us-east-1a, us-east-1b, us-east-1c (Service: AmazonEKS; "
                "Status Code: 400; Error Code: UnsupportedAvailabilityZoneException)\""},
    {"instance-zone", CAUSE_CAPACITY,
     ERROR_LINE "AWS::EKS::Nodegroup/ManagedNodeGroup: CREATE_FAILED – \"Your requested instance "
                "type (g5.xlarge) is not supported in your requested Availability Zone "
                "(eu-west-1b).\""},
    {"instance-capacity", CAUSE_CAPACITY,
     ERROR_LINE "AWS::EKS::Nodegroup/ManagedNodeGroup: CREATE_FAILED – \"Could not launch "
                "On-Demand Instances. InsufficientInstanceCapacity - We currently do not have "
                "sufficient g5.xlarge capacity in the Availability Zone you requested.\""},
    {"instance-capacity", CAUSE_CAPACITY,
     ERROR_LINE "AWS::EKS::Nodegroup/ManagedNodeGroup: CREATE_FAILED – \"UnfulfillableCapacity - "
                "Unable to fulfill capacity due to your request configuration.\""},
    {"subnet-addresses", CAUSE_REQUEST,
     ERROR_LINE "AWS::EKS::Nodegroup/ManagedNodeGroup: CREATE_FAILED – "
                "\"InsufficientFreeAddresses: Amazon Autoscaling was unable to launch instances "
                "because there are not enough free addresses in the subnet.\""},
    {"deny-by-organisation", CAUSE_PERMISSION,
     ERROR_LINE
     "AWS::EC2::VPC/VPC: CREATE_FAILED – \"User: arn:aws:sts::1:assumed-role/envbot/1 is "
     "not authorized to perform: ec2:CreateVpc with an explicit deny in a service "
     "control policy\""},
    {"no-boundary", CAUSE_PERMISSION,
     ERROR_LINE "AWS::IAM::Role/ServiceRole: CREATE_FAILED – \"User: arn:aws:sts::1:x is not "
                "authorized to perform: iam:CreateRole because no permissions boundary allows the "
                "iam:CreateRole action\""},
    {"token-expired", CAUSE_PERMISSION,
     ERROR_LINE "ExpiredToken: The security token included in the request is expired"},
    {"no-credentials", CAUSE_PERMISSION,
     "Error: checking AWS STS access – cannot get role ARN for current session: operation error "
     "STS: GetCallerIdentity, get identity: get credentials: failed to refresh cached credentials, "
     "no EC2 IMDS role found"},
    {"bad-credentials", CAUSE_PERMISSION,
     "Error: operation error STS: GetCallerIdentity, api error InvalidClientTokenId: The security "
     "token included in the request is invalid."},
    {"region-off", CAUSE_PERMISSION,
     "Error: operation error EKS: DescribeClusterVersions, api error UnrecognizedClientException: "
     "The security token included in the request is not for this region"},
    {"account-blocked", CAUSE_PERMISSION,
     ERROR_LINE "AWS::EKS::Nodegroup/ManagedNodeGroup: CREATE_FAILED – \"PendingVerification: Your "
                "request for accessing resources in this region is being validated\""},
    {"no-service-role", CAUSE_PERMISSION,
     ERROR_LINE "AWS::EKS::Nodegroup/ManagedNodeGroup: CREATE_FAILED – \"Access denied while "
                "creating the service-linked role AWSServiceRoleForAmazonEKSNodegroup\""},
    {"denied", CAUSE_PERMISSION,
     "Error: api error AccessDenied: User: arn:aws:sts::1:assumed-role/x is not authorized to "
     "perform: cloudformation:CreateStack"},
    {"denied", CAUSE_PERMISSION,
     ERROR_LINE "AWS::EC2::VPC/VPC: CREATE_FAILED – \"You are not authorized to perform this "
                "operation. (Error Code: UnauthorizedOperation)\""},
    {"kms-key", CAUSE_REQUEST,
     ERROR_LINE
     "AWS::EKS::Nodegroup/ManagedNodeGroup: CREATE_FAILED – \"Instances failed to start: "
     "Client.InvalidKMSKey.InvalidState: The KMS key provided is in an incorrect "
     "state\""},
    {"stack-exists", CAUSE_PASSING,
     "Error: creating CloudFormation stack \"eksctl-a-b-cluster\": operation error "
     "CloudFormation: CreateStack, AlreadyExistsException: Stack [eksctl-a-b-cluster] already "
     "exists"},
    {"throttled", CAUSE_THROTTLING,
     "Error: operation error CloudFormation: DescribeStacks, api error Throttling: Rate exceeded"},
    {"network-in-use", CAUSE_PASSING,
     ERROR_LINE "AWS::EC2::VPC/VPC: DELETE_FAILED – \"The vpc 'vpc-1' has dependencies and cannot "
                "be deleted. (Service: AmazonEC2; Error Code: DependencyViolation)\""},
    {"balancer-in-use", CAUSE_PASSING,
     ERROR_LINE "AWS::EC2::VPCGatewayAttachment/VPCGatewayAttachment: DELETE_FAILED – \"Network "
                "vpc-1 has some mapped public address(es). Please unmap those before detaching\""},
    {"eviction", CAUSE_REQUEST,
     ERROR_LINE "AWS::EKS::Nodegroup/ManagedNodeGroup: UPDATE_FAILED – \"Resource handler returned "
                "message: \\\"[ErrorDetail(ErrorCode=PodEvictionFailure, ErrorMessage=Reached max "
                "retries while trying to evict pods from nodes in node group main)]\\\"\""},
    {"disruption-budget", CAUSE_PASSING,
     "2026-11-20 09:00:00 [!]  pod eviction error (\"error evicting pod: kube-system/coredns-1: "
     "Cannot evict pod as it would violate the pod's disruption budget.\") on node ip-1"},
    {"disruption-budget", CAUSE_PASSING,
     "2026-11-20 09:00:00 [!]  1 pods are unevictable from node ip-192-168-1-1.ec2.internal"},
    {"nodes-unhealthy", CAUSE_PASSING,
     "Error: timed out waiting for at least 2 nodes to join the cluster and become ready in "
     "\"main\""},
    {"nodes-unhealthy", CAUSE_PASSING,
     ERROR_LINE "AWS::EKS::Nodegroup/ManagedNodeGroup: CREATE_FAILED – \"NodeCreationFailure: "
                "Instances failed to join the kubernetes cluster\""},
    {"api-unreachable", CAUSE_PASSING,
     "Error: getting Kubernetes version on EKS cluster: Get \"https://X.gr7.eks.amazonaws.com/"
     "version?timeout=32s\": dial tcp 192.168.1.2:443: i/o timeout"},
    {"slow", CAUSE_PASSING,
     "Error: waiting for CloudFormation stack \"eksctl-a-b-cluster\": exceeded max wait time for "
     "StackCreateComplete waiter"},
    {"slow", CAUSE_PASSING,
     "Error: ResourceNotReady: failed waiting for successful resource state"},
    {"slow", CAUSE_PASSING, "Error: waiting for addon \"coredns\": context deadline exceeded"},
    {"stack-failed", CAUSE_PASSING, "Error: waiter state transitioned to Failure"},
    {"no-identity", CAUSE_PASSING,
     "Error: checking AWS STS access – cannot get role ARN for current session: operation error "
     "STS: GetCallerIdentity, exceeded maximum number of attempts, 1"},
    {"region", CAUSE_REQUEST,
     "Error: --region=eu-nowhere-1 is not supported - use one of: us-west-1, us-west-2"},
    {"version", CAUSE_REQUEST,
     "Error: invalid version, 1.19 is no longer supported, supported values: 1.31, 1.32"},
    {"instance-type", CAUSE_REQUEST,
     ERROR_LINE "AWS::EKS::Nodegroup/ManagedNodeGroup: CREATE_FAILED – \"The following supplied "
                "instance types do not exist: [m5.huge] (Error Code: InvalidInstanceType)\""},
    {"config", CAUSE_OURS,
     "Error: loading config file \"-\": error unmarshaling JSON: while decoding JSON: json: "
     "unknown field \"nodez\""},
    {"aws-away", CAUSE_PASSING,
     "Error: dial tcp: lookup cloudformation.eu-central-1.amazonaws.com: no such host"},
    {"aws-fault", CAUSE_PASSING,
     ERROR_LINE "AWS::EKS::Cluster/ControlPlane: CREATE_FAILED – \"Internal Failure (Service: Eks, "
                "Status Code: 500, Error Code: InternalFailure)\""},
    {"exists", CAUSE_PASSING,
     ERROR_LINE "AWS::EKS::Cluster/ControlPlane: CREATE_FAILED – \"Cluster already exists with "
                "name: payments-demo\""},
};
enum { LINES = sizeof lines / sizeof *lines };

static void test_each_line_tells_its_cause_and_class(void **state)
{
    (void)state;
    for (size_t i = 0; i < LINES; i++) {
        const struct cause *cause = cause_of(lines[i].line);
        if (!cause)
            fail_msg("no cause in: %s", lines[i].line);
        assert_string_equal(cause->id, lines[i].id);
        assert_string_equal(treatments[cause->class].name, treatments[lines[i].class].name);
    }
}

static void test_each_cause_with_a_pattern_has_a_line_here(void **state)
{
    (void)state;
    int known = 0;
    for (const struct cause *each = causes; each->id; each++) {
        bool met = !each->patterns[0];
        known += !met;
        for (size_t i = 0; i < LINES; i++)
            met = met || strcmp(lines[i].id, each->id) == 0;
        if (!met)
            fail_msg("no line for: %s", each->id);
        assert_ptr_equal(cause_by_id(each->id), each); /* an id is there once */
    }
    assert_true(known >= 20);
}

static void test_what_is_no_cause_is_not_taken_for_one(void **state)
{
    (void)state;
    static const char *const table[] = {
        ERROR_LINE
        "AWS::EC2::Subnet/SubnetPublicA: CREATE_FAILED – \"Resource creation cancelled\"",
        ERROR_LINE "kubectl not found, v1.10.0 or newer is required",
        "2026-11-20 09:00:00 [ℹ]  nodegroup \"main\" has 2 node(s)",
        ERROR_LINE "unexpected status \"ROLLBACK_IN_PROGRESS\" while waiting for CloudFormation "
                   "stack \"eksctl-a-b-cluster\"",
        "Error: failed to create cluster \"a-b\"",
        "",
    };
    for (size_t i = 0; i < sizeof table / sizeof *table; i++)
        assert_null(cause_of(table[i]));
}

static void test_each_class_has_its_treatment(void **state)
{
    (void)state;
    for (int i = 0; i < CAUSE_CLASSES; i++) {
        assert_true(*treatments[i].name != '\0');
        assert_true(treatments[i].tries >= 1);
    }
    assert_true(treatments[CAUSE_CAPACITY].zones && treatments[CAUSE_CAPACITY].tries > 1);
    assert_true(treatments[CAUSE_THROTTLING].tries > 1 && treatments[CAUSE_PASSING].tries > 1);
    /* what the next try meets as well is not tried again, and somebody hears of it */
    assert_true(treatments[CAUSE_QUOTA].tries == 1 && treatments[CAUSE_PERMISSION].tries == 1);
    assert_true(treatments[CAUSE_PERMISSION].operators && treatments[CAUSE_OURS].operators);
    assert_true(treatments[CAUSE_REQUEST].tries == 1 && !treatments[CAUSE_REQUEST].operators);
}

static void test_every_cause_has_words_in_the_templates(void **state)
{
    char *problems;
    if (!causes_check(*state, "templates", &problems))
        fail_msg("%s", problems);
    cJSON *values = json_object(*state);
    struct error err = {0};
    json_set_string(values, "region", "eu-central-1");
    json_set_string(values, "cluster", "payments-demo");
    json_set_string(values, "name", "demo");
    json_set_string(values, "command", "/env");
    char *words = cause_words(*state, "templates", cause_by_id("vpc-quota"), values, &err);
    assert_string_equal(words,
                        "The AWS account has no room for another VPC in eu-central-1. Delete "
                        "an environment there that nobody needs, or have the quota “VPCs per "
                        "Region” raised; then retry.");
    /* without the file it is still said which */
    words = cause_words(*state, "/nowhere", cause_by_id("vpc-quota"), values, &err);
    assert_string_equal(words, "It failed (vpc-quota).");
    assert_non_null(strstr(err.text, "causes.yaml"));
    assert_false(causes_check(*state, "/nowhere", &problems));
}

static void test_the_zones_that_a_line_offers_are_read(void **state)
{
    char *zones = json_text(*state, cause_zones(*state, lines[10].line));
    assert_string_equal(zones, "[\"us-east-1a\",\"us-east-1b\",\"us-east-1c\"]");
    static const char *const none[] = {
        NULL,
        "",
        "choose from these availability zones: ",
        "choose from these availability zones: us-east-1a.", /* one is too few for a cluster */
        "choose from these availability zones: somewhere, else",
        "choose from these availability zones: us-east-1, us-east-2",
    };
    for (size_t i = 0; i < sizeof none / sizeof *none; i++)
        assert_null(cause_zones(*state, none[i]));
    cJSON *most =
        cause_zones(*state, "these availability zones: us-west-2a, us-west-2b, us-west-2c, "
                            "us-west-2d");
    assert_int_equal(cJSON_GetArraySize(most), 3);
}

static int set_up(void **state)
{
    *state = talloc_new(NULL);
    return 0;
}

static int tear_down(void **state)
{
    return talloc_free(*state);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_each_line_tells_its_cause_and_class),
        cmocka_unit_test(test_each_cause_with_a_pattern_has_a_line_here),
        cmocka_unit_test(test_what_is_no_cause_is_not_taken_for_one),
        cmocka_unit_test(test_each_class_has_its_treatment),
        cmocka_unit_test_setup_teardown(test_every_cause_has_words_in_the_templates, set_up,
                                        tear_down),
        cmocka_unit_test_setup_teardown(test_the_zones_that_a_line_offers_are_read, set_up,
                                        tear_down),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
