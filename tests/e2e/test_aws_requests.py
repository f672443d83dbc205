# SPDX-License-Identifier: Apache-2.0
"""What our AWS clients send, against what botocore sends for the same operation: method, path, query, headers, body."""

import json
import xml.etree.ElementTree as ElementTree
from collections.abc import Callable, Iterator
from pathlib import Path
from urllib.parse import parse_qsl, unquote

import pytest

from tests.support.aws_probe import KEYS, Probe, Recorder, build

boto3 = pytest.importorskip("boto3", reason="boto3 is not installed; tests/run.sh puts it into a venv where a Python package index answers")
from botocore.config import Config  # noqa: E402

REGION = "eu-west-1"
ARN = "arn:aws:lambda:eu-west-1:123456789012:function:f"
ROLE = "arn:aws:iam::123456789012:role/r"
ZIP = b"PK\x05\x06" + bytes(18)
ZIP64 = "UEsFBgAAAAAAAAAAAAAAAAAAAAAAAA=="
S3XML = b'<?xml version="1.0"?><%s xmlns="http://s3.amazonaws.com/doc/2006-03-01/">%s</%s>'
# Headers that say who asks and when, or that a client may add as it likes.
OWN = ("host", "authorization", "x-amz-date", "user-agent", "accept-encoding", "connection", "content-length", "expect", "accept")
OWN_PREFIXES = ("amz-sdk-", "x-amz-user-agent", "x-amz-checksum", "x-amz-sdk-", "x-amz-content-sha256", "x-amzn-trace-id", "content-md5", "x-amzn-query-mode")


def xml(name: str, inside: str = "") -> tuple:
    return (200, {"Content-Type": "application/xml"}, S3XML % (name.encode(), inside.encode(), name.encode()))


def js(document: dict, status: int = 200) -> tuple:
    return (status, {"Content-Type": "application/json"}, json.dumps(document).encode())


def fail(status: int, code: str, message: str = "") -> tuple:
    return (status, {"x-amzn-ErrorType": code}, json.dumps({"message": message}).encode())


def query_answer(operation: str, inside: str = "") -> tuple:
    return (200, {"Content-Type": "text/xml"}, f"<{operation}Response><{operation}Result>{inside}</{operation}Result><ResponseMetadata><RequestId>1</RequestId></ResponseMetadata></{operation}Response>".encode())


ROLE_XML = f"<Role><Arn>{ROLE}</Arn><RoleName>r</RoleName><RoleId>x</RoleId><Path>/</Path><CreateDate>2026-01-01T00:00:00Z</CreateDate></Role>"
NO_ROLE = (404, {"Content-Type": "text/xml"}, b"<ErrorResponse><Error><Type>Sender</Type><Code>NoSuchEntity</Code><Message>no</Message></Error><RequestId>1</RequestId></ErrorResponse>")
IDENTITY = query_answer("GetCallerIdentity", "<Arn>arn:aws:iam::123456789012:user/u</Arn><UserId>u</UserId><Account>123456789012</Account>")
VALID = {"status": "VALID", "state": "ENABLED"}


class Case:
    """An operation of ours with the answers it needs, and the operations of botocore that make the same requests."""

    def __init__(self, op: str, arguments: dict, calls: list[tuple[str, str, dict]], answers: list | None = None) -> None:
        self.op, self.arguments, self.calls, self.answers = op, arguments, calls, answers or []

    def __str__(self) -> str:
        return f"{self.op}-{'-'.join(call[1] for call in self.calls)}"


FUNCTION = {
    "name": "f", "role": ROLE, "runtime": "provided.al2023", "handler": "h", "description": "d \"q\" ä", "timeout": 30, "memory": 512, "storage": 1024,
    "architecture": "arm64", "layers": ["arn:l:1", "arn:l:2"], "environment": {"A": "b=c", "É": ""}, "tags": {"createdby": "scar"}, "subnets": ["s-1"], "groups": ["g-1"],
    "access_point": "arn:aws:efs:ap", "mount": "/mnt/x", "log_format": "JSON", "log_group": "/x",
}
SETTINGS = {
    "Role": ROLE, "Runtime": "provided.al2023", "Handler": "h", "Description": "d \"q\" ä", "Timeout": 30, "MemorySize": 512, "EphemeralStorage": {"Size": 1024},
    "Layers": ["arn:l:1", "arn:l:2"], "Environment": {"Variables": {"A": "b=c", "É": ""}}, "VpcConfig": {"SubnetIds": ["s-1"], "SecurityGroupIds": ["g-1"]},
    "FileSystemConfigs": [{"Arn": "arn:aws:efs:ap", "LocalMountPath": "/mnt/x"}], "LoggingConfig": {"LogFormat": "JSON", "LogGroup": "/x"},
}
ODD_KEY = "in/a b+c%d/é~'(1)*!&=?#.txt"
TRIGGER = {"bucket": "bkt", "id": "scar-f", "function": ARN, "prefix": "in/a b/", "suffix": ".jpg"}
TRIGGER_CONFIG = {"LambdaFunctionConfigurations": [{"Id": "scar-f", "LambdaFunctionArn": ARN, "Events": ["s3:ObjectCreated:*"], "Filter": {"Key": {"FilterRules": [{"Name": "prefix", "Value": "in/a b/"}, {"Name": "suffix", "Value": ".jpg"}]}}}]}
TRIGGER_XML = f"<CloudFunctionConfiguration><Id>scar-f</Id><CloudFunction>{ARN}</CloudFunction><Event>s3:ObjectCreated:*</Event><Filter><S3Key><FilterRule><Name>Prefix</Name><Value>in/a b/</Value></FilterRule><FilterRule><Name>Suffix</Name><Value>.jpg</Value></FilterRule></S3Key></Filter></CloudFunctionConfiguration>"
ENVIRONMENT = {"name": "env1", "type": "EC2", "min": 0, "max": 2, "desired": 0, "instance_types": ["m5.large"], "instance_role": "arn:i", "launch_template": "lt", "service_role": "arn:s", "subnets": ["s-1"], "groups": ["g-1"], "tags": {"a": "b"}}
THERE = {"type": "EC2", "minvCpus": 0, "maxvCpus": 2, "instanceTypes": ["m5.large"], "instanceRole": "arn:i", "launchTemplate": {"launchTemplateName": "lt"}, "subnets": ["s-1"], "securityGroupIds": ["g-1"]}
TRUST = json.dumps({"Version": "2012-10-17", "Statement": [{"Effect": "Allow", "Principal": {"Service": ["lambda.amazonaws.com", "ecs-tasks.amazonaws.com"]}, "Action": "sts:AssumeRole"}]}, separators=(",", ":"))
JOB = {"name": "j", "image": "busybox", "command": ["a", "b"], "vcpus": "0.25", "memory": 512, "environment": {"A": "b"}, "attempts": 2, "timeout": 60, "tags": {"a": "b"}, "job_role": "arn:j", "execution_role": "arn:e"}
JOB_NEEDS = [{"type": "VCPU", "value": "0.25"}, {"type": "MEMORY", "value": "512"}]
JOB_CONTAINER = {"image": "busybox", "command": ["a", "b"], "jobRoleArn": "arn:j", "executionRoleArn": "arn:e", "environment": [{"name": "A", "value": "b"}]}
JOB_REST = {"jobDefinitionName": "j", "retryStrategy": {"attempts": 2}, "timeout": {"attemptDurationSeconds": 60}, "tags": {"a": "b"}}

CASES = [
    Case("sts.identity", {}, [("sts", "get_caller_identity", {})], [IDENTITY]),
    Case("lambda.create", FUNCTION | {"zip": ZIP64}, [("lambda", "create_function", {"FunctionName": "f", "Code": {"ZipFile": ZIP}, "Architectures": ["arm64"], "Tags": {"createdby": "scar"}, **SETTINGS})]),
    Case("lambda.create", {"name": "f", "role": ROLE, "image_uri": "x.dkr.ecr/y:1"}, [("lambda", "create_function", {"FunctionName": "f", "Role": ROLE, "PackageType": "Image", "Code": {"ImageUri": "x.dkr.ecr/y:1"}})]),
    Case("lambda.configure", FUNCTION, [("lambda", "update_function_configuration", {"FunctionName": "f", **SETTINGS})]),
    Case("lambda.configure", {"name": ARN, "layers": [], "environment": {}}, [("lambda", "update_function_configuration", {"FunctionName": ARN, "Layers": [], "Environment": {"Variables": {}}})]),
    Case("lambda.code", {"name": "f", "s3_bucket": "b", "s3_key": "k", "s3_version": "v", "architecture": "x86_64"}, [("lambda", "update_function_code", {"FunctionName": "f", "S3Bucket": "b", "S3Key": "k", "S3ObjectVersion": "v", "Architectures": ["x86_64"]})]),
    Case("lambda.get", {"name": ARN}, [("lambda", "get_function", {"FunctionName": ARN})]),
    Case("lambda.delete", {"name": "f"}, [("lambda", "delete_function", {"FunctionName": "f"})], [(204, {}, b"")]),
    Case("lambda.list", {}, [("lambda", "list_functions", {}), ("lambda", "list_functions", {"Marker": "m/+="})], [js({"Functions": [], "NextMarker": "m/+="}), js({"Functions": []})]),
    Case("lambda.wait", {"name": "f"}, [("lambda", "get_function_configuration", {"FunctionName": "f"})]),
    Case("lambda.tag", {"arn": ARN, "tags": {"a": "b"}}, [("lambda", "tag_resource", {"Resource": ARN, "Tags": {"a": "b"}})], [(204, {}, b"")]),
    Case("lambda.untag", {"arn": ARN, "names": ["a", "b c"]}, [("lambda", "untag_resource", {"Resource": ARN, "TagKeys": ["a", "b c"]})], [(204, {}, b"")]),
    Case("lambda.tags", {"arn": ARN}, [("lambda", "list_tags", {"Resource": ARN})]),
    Case("layer.publish", {"name": "l", "zip": ZIP64, "description": "d", "license": "Apache-2.0", "runtimes": ["provided.al2023"], "architectures": ["x86_64"]}, [("lambda", "publish_layer_version", {"LayerName": "l", "Content": {"ZipFile": ZIP}, "Description": "d", "LicenseInfo": "Apache-2.0", "CompatibleRuntimes": ["provided.al2023"], "CompatibleArchitectures": ["x86_64"]})]),
    Case("layer.list", {}, [("lambda", "list_layers", {})]),
    Case("layer.list", {"name": "l"}, [("lambda", "list_layer_versions", {"LayerName": "l"})]),
    Case("layer.get", {"name": "l", "version": 3}, [("lambda", "get_layer_version", {"LayerName": "l", "VersionNumber": 3})]),
    Case("layer.delete", {"name": "l", "version": 3}, [("lambda", "delete_layer_version", {"LayerName": "l", "VersionNumber": 3})], [(204, {}, b"")]),
    Case("layer.share", {"name": "l", "version": 3, "id": "all", "principal": "*"}, [("lambda", "add_layer_version_permission", {"LayerName": "l", "VersionNumber": 3, "StatementId": "all", "Action": "lambda:GetLayerVersion", "Principal": "*"})]),
    Case("permission.add", {"name": "f", "id": "s3", "principal": "s3.amazonaws.com", "source_arn": "arn:aws:s3:::b", "source_account": "123456789012"}, [("lambda", "add_permission", {"FunctionName": "f", "StatementId": "s3", "Action": "lambda:InvokeFunction", "Principal": "s3.amazonaws.com", "SourceArn": "arn:aws:s3:::b", "SourceAccount": "123456789012"})]),
    Case("permission.remove", {"name": "f", "id": "s3"}, [("lambda", "remove_permission", {"FunctionName": "f", "StatementId": "s3"})], [(204, {}, b"")]),
    Case("policy.get", {"name": "f"}, [("lambda", "get_policy", {"FunctionName": "f"})], [js({"Policy": "{}"})]),
    Case("url.put", {"name": "f", "stream": True}, [
        ("lambda", "get_function_url_config", {"FunctionName": "f"}),
        ("lambda", "create_function_url_config", {"FunctionName": "f", "AuthType": "NONE", "InvokeMode": "RESPONSE_STREAM"}),
        ("lambda", "add_permission", {"FunctionName": "f", "StatementId": "scar-function-url", "Action": "lambda:InvokeFunctionUrl", "Principal": "*", "FunctionUrlAuthType": "NONE"}),
        ("lambda", "add_permission", {"FunctionName": "f", "StatementId": "scar-function-url-invoke", "Action": "lambda:InvokeFunction", "Principal": "*", "InvokedViaFunctionUrl": True}),
    ], [fail(404, "ResourceNotFoundException"), js({"FunctionUrl": "https://x"}), js({}), fail(409, "ResourceConflictException", "The statement id already exists")]),
    Case("url.put", {"name": "f", "iam": True}, [
        ("lambda", "get_function_url_config", {"FunctionName": "f"}),
        ("lambda", "update_function_url_config", {"FunctionName": "f", "AuthType": "AWS_IAM", "InvokeMode": "BUFFERED"}),
        ("lambda", "remove_permission", {"FunctionName": "f", "StatementId": "scar-function-url"}),
        ("lambda", "remove_permission", {"FunctionName": "f", "StatementId": "scar-function-url-invoke"}),
    ], [js({"FunctionUrl": "https://x"}), js({"FunctionUrl": "https://x"}), (204, {}, b""), fail(404, "ResourceNotFoundException")]),
    Case("concurrency.put", {"name": "f", "reserved": 0}, [("lambda", "put_function_concurrency", {"FunctionName": "f", "ReservedConcurrentExecutions": 0})]),
    Case("concurrency.delete", {"name": "f"}, [("lambda", "delete_function_concurrency", {"FunctionName": "f"})], [(204, {}, b"")]),
    Case("retries.put", {"name": "f", "retries": 0, "age": 60}, [("lambda", "put_function_event_invoke_config", {"FunctionName": "f", "MaximumRetryAttempts": 0, "MaximumEventAgeInSeconds": 60})]),
    Case("account", {}, [("lambda", "get_account_settings", {})]),
    Case("invoke", {"name": ARN, "payload": "{\"a\": 1}", "log": True, "qualifier": "v 1", "context": "{\"c\": 1}"}, [("lambda", "invoke", {"FunctionName": ARN, "Qualifier": "v 1", "InvocationType": "RequestResponse", "LogType": "Tail", "ClientContext": "eyJjIjogMX0=", "Payload": b"{\"a\": 1}"})]),
    Case("invoke", {"name": "f", "payload": "{}", "type": "async"}, [("lambda", "invoke", {"FunctionName": "f", "InvocationType": "Event", "Payload": b"{}"})], [(202, {}, b"")]),
    Case("bucket.create", {"bucket": "bkt"}, [("s3", "head_bucket", {"Bucket": "bkt"}), ("s3", "create_bucket", {"Bucket": "bkt", "CreateBucketConfiguration": {"LocationConstraint": REGION}})], [(404, {}, b""), (200, {}, b"")]),
    Case("bucket.delete", {"bucket": "bkt"}, [("s3", "delete_bucket", {"Bucket": "bkt"})], [(204, {}, b"")]),
    Case("bucket.list", {}, [("s3", "list_buckets", {})], [xml("ListAllMyBucketsResult")]),
    Case("object.list", {"bucket": "bkt", "prefix": "a b/+"}, [("s3", "list_objects_v2", {"Bucket": "bkt", "Prefix": "a b/+"}), ("s3", "list_objects_v2", {"Bucket": "bkt", "Prefix": "a b/+", "ContinuationToken": "t/=="})], [xml("ListBucketResult", "<IsTruncated>true</IsTruncated><NextContinuationToken>t/==</NextContinuationToken>"), xml("ListBucketResult", "<IsTruncated>false</IsTruncated>")]),
    Case("object.put", {"bucket": "bkt", "key": "k", "data": "hello", "content_type": "text/x", "owner": "123456789012"}, [("s3", "put_object", {"Bucket": "bkt", "Key": "k", "Body": b"hello", "ContentType": "text/x", "ExpectedBucketOwner": "123456789012"})], [(200, {"ETag": '"x"'}, b"")]),
    Case("object.put", {"bucket": "bkt", "key": ODD_KEY, "data": "hello", "content_type": "text/x"}, [("s3", "put_object", {"Bucket": "bkt", "Key": ODD_KEY, "Body": b"hello", "ContentType": "text/x"})], [(200, {"ETag": '"x"'}, b"")]),
    Case("object.get", {"bucket": "bkt", "key": ODD_KEY}, [("s3", "get_object", {"Bucket": "bkt", "Key": ODD_KEY})], [(200, {"ETag": '"x"'}, b"hello")]),
    Case("object.head", {"bucket": "bkt", "key": "k"}, [("s3", "head_object", {"Bucket": "bkt", "Key": "k"})], [(200, {"Content-Length": "5"}, b"")]),
    Case("object.delete", {"bucket": "bkt", "key": "k"}, [("s3", "delete_object", {"Bucket": "bkt", "Key": "k"})], [(204, {}, b"")]),
    Case("trigger.put", TRIGGER, [
        ("s3", "get_bucket_notification_configuration", {"Bucket": "bkt"}),
        ("s3", "put_bucket_notification_configuration", {"Bucket": "bkt", "NotificationConfiguration": TRIGGER_CONFIG}),
        ("s3", "get_bucket_notification_configuration", {"Bucket": "bkt"}),
    ], [xml("NotificationConfiguration"), (200, {}, b""), xml("NotificationConfiguration", TRIGGER_XML)]),
    Case("role.put", {"name": "r", "description": "d", "managed": ["arn:aws:iam::aws:policy/p"], "policy_name": "pn", "policy": "{\"a\": \"b+c&d\"}", "tags": {"a": "b"}}, [
        ("iam", "get_role", {"RoleName": "r"}),
        ("iam", "create_role", {"RoleName": "r", "Description": "d", "AssumeRolePolicyDocument": '{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Principal":{"Service":"lambda.amazonaws.com"},"Action":"sts:AssumeRole"}]}', "Tags": [{"Key": "a", "Value": "b"}]}),
        ("iam", "attach_role_policy", {"RoleName": "r", "PolicyArn": "arn:aws:iam::aws:policy/p"}),
        ("iam", "put_role_policy", {"RoleName": "r", "PolicyName": "pn", "PolicyDocument": "{\"a\": \"b+c&d\"}"}),
    ], [NO_ROLE, query_answer("CreateRole", ROLE_XML), query_answer("AttachRolePolicy"), query_answer("PutRolePolicy")]),
    Case("role.delete", {"name": "r"}, [
        ("iam", "list_attached_role_policies", {"RoleName": "r"}),
        ("iam", "detach_role_policy", {"RoleName": "r", "PolicyArn": "arn:p"}),
        ("iam", "list_role_policies", {"RoleName": "r"}),
        ("iam", "delete_role_policy", {"RoleName": "r", "PolicyName": "pn"}),
        ("iam", "delete_role", {"RoleName": "r"}),
    ], [query_answer("ListAttachedRolePolicies", "<AttachedPolicies><member><PolicyArn>arn:p</PolicyArn><PolicyName>p</PolicyName></member></AttachedPolicies>"), query_answer("DetachRolePolicy"), query_answer("ListRolePolicies", "<PolicyNames><member>pn</member></PolicyNames>"), query_answer("DeleteRolePolicy"), query_answer("DeleteRole")]),
    Case("group.create", {"group": "/aws/lambda/f", "tags": {"a": "b"}}, [("logs", "create_log_group", {"logGroupName": "/aws/lambda/f", "tags": {"a": "b"}})], [(200, {}, b"")]),
    Case("group.retention", {"group": "/g", "days": 30}, [("logs", "put_retention_policy", {"logGroupName": "/g", "retentionInDays": 30})], [(200, {}, b"")]),
    Case("group.retention", {"group": "/g", "days": 0}, [("logs", "delete_retention_policy", {"logGroupName": "/g"})], [(200, {}, b"")]),
    Case("group.delete", {"group": "/g"}, [("logs", "delete_log_group", {"logGroupName": "/g"})], [(200, {}, b"")]),
    Case("logs.read", {"group": "/g", "stream": "s", "pattern": "ERROR", "since": 1700000000123}, [("logs", "filter_log_events", {"logGroupName": "/g", "logStreamNames": ["s"], "startTime": 1700000000123, "filterPattern": "ERROR"}), ("logs", "filter_log_events", {"logGroupName": "/g", "logStreamNames": ["s"], "startTime": 1700000000123, "filterPattern": "ERROR", "nextToken": "t"})], [js({"events": [], "nextToken": "t"}), js({"events": []})]),
    Case("logs.stream", {"group": "/g", "stream": "s"}, [("logs", "get_log_events", {"logGroupName": "/g", "logStreamName": "s", "startFromHead": True}), ("logs", "get_log_events", {"logGroupName": "/g", "logStreamName": "s", "startFromHead": True, "nextToken": "f/1"})], [js({"events": [], "nextForwardToken": "f/1"}), js({"events": [], "nextForwardToken": "f/1"})]),
    Case("rest.create", {"name": "api", "function": ARN, "tags": {"a": "b"}, "stream": True}, [
        ("apigateway", "create_rest_api", {"name": "api", "description": "API created automatically with SCAR", "endpointConfiguration": {"types": ["REGIONAL"]}, "tags": {"a": "b"}}),
        ("apigateway", "get_resources", {"restApiId": "id1"}),
        ("apigateway", "create_resource", {"restApiId": "id1", "parentId": "root", "pathPart": "{proxy+}"}),
        ("apigateway", "put_method", {"restApiId": "id1", "resourceId": "res", "httpMethod": "ANY", "authorizationType": "NONE", "requestParameters": {"method.request.header.X-Amz-Invocation-Type": False}}),
        ("apigateway", "put_integration", {"restApiId": "id1", "resourceId": "res", "httpMethod": "ANY", "type": "AWS_PROXY", "integrationHttpMethod": "POST", "responseTransferMode": "STREAM", "uri": f"arn:aws:apigateway:{REGION}:lambda:path/2021-11-15/functions/{ARN}/response-streaming-invocations", "requestParameters": {"integration.request.header.X-Amz-Invocation-Type": "method.request.header.X-Amz-Invocation-Type"}}),
        ("apigateway", "create_deployment", {"restApiId": "id1", "stageName": "scar"}),
    ], [js({"id": "id1"}, 201), js({"item": [{"id": "root", "path": "/"}]}), js({"id": "res"}, 201), js({}, 201), js({}, 201), js({}, 201)]),
    Case("rest.list", {}, [("apigateway", "get_rest_apis", {"limit": 500})]),
    Case("rest.delete", {"id": "i"}, [("apigateway", "delete_rest_api", {"restApiId": "i"})], [(202, {}, b"")]),
    Case("http.create", {"name": "api", "function": ARN, "tags": {"a": "b"}}, [("apigatewayv2", "create_api", {"Name": "api", "ProtocolType": "HTTP", "Target": ARN, "Tags": {"a": "b"}})], [js({"apiId": "i", "apiEndpoint": "https://x"}, 201)]),
    Case("http.list", {}, [("apigatewayv2", "get_apis", {})]),
    Case("http.get", {"id": "i"}, [("apigatewayv2", "get_api", {"ApiId": "i"})]),
    Case("http.delete", {"id": "i"}, [("apigatewayv2", "delete_api", {"ApiId": "i"})], [(204, {}, b"")]),
    Case("tagging", {"type": "lambda:function", "tags": {"createdby": "scar"}}, [("resourcegroupstaggingapi", "get_resources", {"TagFilters": [{"Key": "createdby", "Values": ["scar"]}], "ResourceTypeFilters": ["lambda:function"]})]),
    Case("repository.create", {"name": "a/b"}, [("ecr", "create_repository", {"repositoryName": "a/b"})], [js({"repository": {"repositoryUri": "u"}})]),
    Case("repository.delete", {"name": "a/b"}, [("ecr", "delete_repository", {"repositoryName": "a/b", "force": True})]),
    Case("repository.list", {}, [("ecr", "describe_repositories", {})]),
    Case("registry.password", {}, [("ecr", "get_authorization_token", {})], [js({"authorizationData": [{"authorizationToken": "QVdTOnB3"}]})]),
    Case("batch.environment", ENVIRONMENT, [
        ("batch", "describe_compute_environments", {"computeEnvironments": ["env1"]}),
        ("batch", "create_compute_environment", {"computeEnvironmentName": "env1", "type": "MANAGED", "state": "ENABLED", "serviceRole": "arn:s", "tags": {"a": "b"}, "computeResources": {"type": "EC2", "minvCpus": 0, "maxvCpus": 2, "desiredvCpus": 0, "instanceTypes": ["m5.large"], "instanceRole": "arn:i", "subnets": ["s-1"], "securityGroupIds": ["g-1"], "launchTemplate": {"launchTemplateName": "lt", "version": "$Latest"}}}),
        ("batch", "describe_compute_environments", {"computeEnvironments": ["env1"]}),
    ], [js({"computeEnvironments": []}), js({}), js({"computeEnvironments": [VALID]})]),
    Case("batch.environment", {"name": "env1", "type": "FARGATE", "max": 4}, [
        ("batch", "describe_compute_environments", {"computeEnvironments": ["env1"]}),
        ("ec2", "describe_subnets", {"Filters": [{"Name": "default-for-az", "Values": ["true"]}]}),
        ("ec2", "describe_security_groups", {"Filters": [{"Name": "group-name", "Values": ["default"]}, {"Name": "vpc-id", "Values": ["vpc-1"]}]}),
        ("batch", "create_compute_environment", {"computeEnvironmentName": "env1", "type": "MANAGED", "state": "ENABLED", "computeResources": {"type": "FARGATE", "maxvCpus": 4, "subnets": ["s-1", "s-2"], "securityGroupIds": ["sg-1"]}}),
        ("batch", "describe_compute_environments", {"computeEnvironments": ["env1"]}),
    ], [js({"computeEnvironments": []}),
        (200, {}, b"<DescribeSubnetsResponse><subnetSet><item><subnetId>s-1</subnetId><vpcId>vpc-1</vpcId></item><item><subnetId>s-2</subnetId><vpcId>vpc-1</vpcId></item></subnetSet></DescribeSubnetsResponse>"),
        (200, {}, b"<DescribeSecurityGroupsResponse><securityGroupInfo><item><groupId>sg-1</groupId></item></securityGroupInfo></DescribeSecurityGroupsResponse>"),
        js({}), js({"computeEnvironments": [VALID]})]),
    Case("batch.environment", ENVIRONMENT | {"max": 8, "state": "DISABLED"}, [
        ("batch", "describe_compute_environments", {"computeEnvironments": ["env1"]}),
        ("batch", "update_compute_environment", {"computeEnvironment": "env1", "state": "DISABLED", "computeResources": {"minvCpus": 0, "maxvCpus": 8}}),
        ("batch", "describe_compute_environments", {"computeEnvironments": ["env1"]}),
    ], [js({"computeEnvironments": [VALID | {"computeResources": THERE}]}), js({}), js({"computeEnvironments": [VALID]})]),
    Case("batch.find", {"name": "n"}, [
        ("batch", "describe_compute_environments", {"computeEnvironments": ["n"]}),
        ("batch", "describe_job_queues", {"jobQueues": ["n"]}),
        ("batch", "describe_job_definitions", {"jobDefinitionName": "n", "status": "ACTIVE"}),
    ]),
    Case("role.put", {"name": "r", "service": "lambda.amazonaws.com", "also": "ecs-tasks.amazonaws.com"}, [
        ("iam", "get_role", {"RoleName": "r"}),
        ("iam", "update_assume_role_policy", {"RoleName": "r", "PolicyDocument": TRUST}),
    ], [(200, {}, b"<GetRoleResponse><GetRoleResult><Role><Arn>arn:r</Arn></Role></GetRoleResult></GetRoleResponse>"), (200, {}, b"<UpdateAssumeRolePolicyResponse/>")]),
    Case("profile.put", {"name": "p", "role": "r"}, [
        ("iam", "create_instance_profile", {"InstanceProfileName": "p"}),
        ("iam", "add_role_to_instance_profile", {"InstanceProfileName": "p", "RoleName": "r"}),
    ], [(200, {}, b"<R><CreateInstanceProfileResult><InstanceProfile><Arn>arn:p</Arn><Roles/></InstanceProfile></CreateInstanceProfileResult></R>"), (200, {}, b"<R/>")]),
    Case("profile.put", {"name": "p", "role": "r"}, [
        ("iam", "create_instance_profile", {"InstanceProfileName": "p"}),
        ("iam", "get_instance_profile", {"InstanceProfileName": "p"}),
    ], [(409, {}, b"<ErrorResponse><Error><Code>EntityAlreadyExists</Code></Error></ErrorResponse>"), (200, {}, b"<R><GetInstanceProfileResult><InstanceProfile><Arn>arn:p</Arn><Roles><member><RoleName>r</RoleName></member></Roles></InstanceProfile></GetInstanceProfileResult></R>")]),
    Case("profile.delete", {"name": "p", "role": "r"}, [
        ("iam", "remove_role_from_instance_profile", {"InstanceProfileName": "p", "RoleName": "r"}),
        ("iam", "delete_instance_profile", {"InstanceProfileName": "p"}),
    ], [(200, {}, b"<R/>"), (200, {}, b"<R/>")]),
    Case("template.put", {"name": "t", "user_data": "eA==", "tags": {"a": "b"}}, [("ec2", "create_launch_template", {"LaunchTemplateName": "t", "LaunchTemplateData": {"UserData": "eA==", "MetadataOptions": {"HttpTokens": "required"}}, "TagSpecifications": [{"ResourceType": "launch-template", "Tags": [{"Key": "a", "Value": "b"}]}]})], [(200, {}, b"<R/>")]),
    Case("template.put", {"name": "t", "user_data": "eA=="}, [
        ("ec2", "create_launch_template", {"LaunchTemplateName": "t", "LaunchTemplateData": {"UserData": "eA==", "MetadataOptions": {"HttpTokens": "required"}}}),
        ("ec2", "describe_launch_template_versions", {"LaunchTemplateName": "t", "Versions": ["$Latest"]}),
    ], [(400, {}, b"<Response><Errors><Error><Code>InvalidLaunchTemplateName.AlreadyExistsException</Code></Error></Errors></Response>"), (200, {}, b"<R><launchTemplateVersionSet><item><launchTemplateData><userData>eA==</userData></launchTemplateData></item></launchTemplateVersionSet></R>")]),
    Case("template.delete", {"name": "t"}, [
        ("ec2", "describe_launch_templates", {"Filters": [{"Name": "launch-template-name", "Values": ["t"]}]}),
        ("ec2", "delete_launch_template", {"LaunchTemplateName": "t"}),
    ], [(200, {}, b"<R><launchTemplates><item><launchTemplateName>t</launchTemplateName></item></launchTemplates></R>"), (200, {}, b"<R/>")]),
    Case("template.delete", {"name": "none"}, [("ec2", "describe_launch_templates", {"Filters": [{"Name": "launch-template-name", "Values": ["none"]}]})], [(200, {}, b"<R><launchTemplates/></R>")]),
    Case("batch.queue", {"name": "q", "environment": "env1"}, [
        ("batch", "describe_job_queues", {"jobQueues": ["q"]}),
        ("batch", "create_job_queue", {"jobQueueName": "q", "state": "ENABLED", "priority": 1, "computeEnvironmentOrder": [{"order": 1, "computeEnvironment": "env1"}]}),
        ("batch", "describe_job_queues", {"jobQueues": ["q"]}),
    ], [js({"jobQueues": []}), js({}), js({"jobQueues": [VALID]})]),
    Case("batch.register", JOB | {"fargate": True, "storage": 30, "architecture": "ARM64", "credentials": "arn:c"}, [("batch", "register_job_definition", {**JOB_REST, "type": "container", "platformCapabilities": ["FARGATE"], "containerProperties": {**JOB_CONTAINER, "resourceRequirements": JOB_NEEDS, "networkConfiguration": {"assignPublicIp": "ENABLED"}, "ephemeralStorage": {"sizeInGiB": 30}, "runtimePlatform": {"operatingSystemFamily": "LINUX", "cpuArchitecture": "ARM64"}, "repositoryCredentials": {"credentialsParameter": "arn:c"}}})]),
    Case("batch.register", JOB | {"nodes": 3, "main_node": 1, "gpus": 1, "host_path": "/opt/h", "container_path": "/opt/c"}, [("batch", "register_job_definition", {**JOB_REST, "type": "multinode", "platformCapabilities": ["EC2"], "nodeProperties": {"numNodes": 3, "mainNode": 1, "nodeRangeProperties": [{"targetNodes": "0:", "container": {**JOB_CONTAINER, "resourceRequirements": [*JOB_NEEDS, {"type": "GPU", "value": "1"}], "volumes": [{"host": {"sourcePath": "/opt/h"}, "name": "scar"}], "mountPoints": [{"containerPath": "/opt/c", "readOnly": True, "sourceVolume": "scar"}]}}]}})]),
    Case("batch.submit", {"name": "j", "queue": "q", "definition": "d", "environment": {"A": "b"}, "command": ["x"], "array": 5}, [("batch", "submit_job", {"jobName": "j", "jobQueue": "q", "jobDefinition": "d", "arrayProperties": {"size": 5}, "containerOverrides": {"command": ["x"], "environment": [{"name": "A", "value": "b"}]}})], [js({"jobId": "i"})]),
    Case("batch.job", {"id": "i"}, [("batch", "describe_jobs", {"jobs": ["i"]})], [js({"jobs": [{"jobId": "i"}]})]),
    Case("batch.jobs", {"queue": "q", "status": "RUNNING"}, [("batch", "list_jobs", {"jobQueue": "q", "jobStatus": "RUNNING"})]),
    Case("batch.end", {"id": "i", "reason": "no more"}, [("batch", "terminate_job", {"jobId": "i", "reason": "no more"})]),
    Case("batch.delete", {"name": "n"}, [
        ("batch", "describe_job_queues", {"jobQueues": ["n"]}),
        ("batch", "update_job_queue", {"jobQueue": "n", "state": "DISABLED"}),
        ("batch", "describe_job_queues", {"jobQueues": ["n"]}),
        ("batch", "delete_job_queue", {"jobQueue": "n"}),
        ("batch", "describe_job_queues", {"jobQueues": ["n"]}),
        ("batch", "describe_compute_environments", {"computeEnvironments": ["n"]}),
        ("batch", "describe_compute_environments", {"computeEnvironments": ["n"]}),
        ("batch", "delete_compute_environment", {"computeEnvironment": "n"}),
        ("batch", "describe_compute_environments", {"computeEnvironments": ["n"]}),
        ("batch", "describe_job_definitions", {"jobDefinitionName": "n", "status": "ACTIVE"}),
        ("batch", "deregister_job_definition", {"jobDefinition": "arn:d:1"}),
    ], [js({"jobQueues": [VALID]}), js({}), js({"jobQueues": [VALID | {"state": "DISABLED"}]}), js({}), js({"jobQueues": [{"status": "DELETED"}]}),
        js({"computeEnvironments": [{"status": "INVALID", "state": "DISABLED"}]}), js({"computeEnvironments": [{"status": "INVALID", "state": "DISABLED"}]}), js({}), js({"computeEnvironments": []}), js({"jobDefinitions": [{"jobDefinitionArn": "arn:d:1", "status": "ACTIVE"}]}), js({})]),
]


@pytest.fixture(scope="module")
def program(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return build(tmp_path_factory.mktemp("probe"))


@pytest.fixture(scope="module")
def recorder() -> Iterator[Recorder]:
    with Recorder() as running:
        yield running


@pytest.fixture(scope="module")
def probe(program: Path, recorder: Recorder) -> Iterator[Probe]:
    with Probe(program, "--region", REGION, "--endpoint-url", recorder.url) as running:
        yield running


@pytest.fixture(scope="module")
def clients(recorder: Recorder) -> Callable:
    config = Config(s3={"addressing_style": "path"}, retries={"max_attempts": 0}, parameter_validation=False)
    made: dict = {}

    def client(service: str):
        if service not in made:
            made[service] = boto3.client(service, endpoint_url=recorder.url, region_name=REGION, config=config, aws_access_key_id=KEYS["AWS_ACCESS_KEY_ID"], aws_secret_access_key=KEYS["AWS_SECRET_ACCESS_KEY"])
        return made[service]

    return client


def tree(node: ElementTree.Element) -> tuple:
    """Elements of one name keep their order; those of different names have none that matters."""
    children = sorted((tree(child) for child in node), key=lambda child: child[0])
    return (node.tag, (node.text or "").strip() if not children else "", children)


def body_of(request: dict):
    body, kind = request["body"], request["headers"].get("content-type", "")
    if not body:
        return None
    if "form" in kind:
        return sorted(parse_qsl(body.decode(), keep_blank_values=True))
    if "json" in kind or body[:1] == b"{":
        return json.loads(body)
    if body[:1] == b"<":
        return tree(ElementTree.fromstring(body))
    return body


def shape(request: dict, is_s3: bool) -> dict:
    headers = {name: value for name, value in request["headers"].items() if name not in OWN and not name.startswith(OWN_PREFIXES)}
    if is_s3 or request["body"] in (b"", b"{}"):
        # botocore names no type for XML, nor for objects without one, and one for the lack of a body now and then.
        headers = {name: value for name, value in headers.items() if name != "content-type" or value.startswith("text/x")}
    headers.pop("x-amz-api-version", None)
    body = body_of(request)
    return {
        "method": request["method"],
        "path": request["path"],
        "query": sorted(parse_qsl(request["query"], keep_blank_values=True)),
        "headers": headers,
        # botocore makes up a token where an operation has one; names make ours safe to repeat.
        "body": [pair for pair in body if pair[0] != "ClientToken"] if isinstance(body, list) else body,
    }


@pytest.mark.parametrize("case", CASES, ids=str)
def test_our_requests_are_those_of_botocore(case: Case, probe: Probe, recorder: Recorder, clients: Callable) -> None:
    answers = case.answers
    recorder.take()
    recorder.answers = list(answers)
    probe(case.op, **case.arguments)
    ours = recorder.take()
    theirs = []
    for number, (service, operation, arguments) in enumerate(case.calls):
        recorder.answers = [answers[number]] if number < len(answers) else []
        client = clients(service)
        try:
            getattr(client, operation)(**arguments)
        except client.exceptions.ClientError:
            pass
        theirs += recorder.take()[:1]
    services = [call[0] for call in case.calls]
    assert [request["method"] + " " + unquote(request["path"]) for request in ours] == [request["method"] + " " + unquote(request["path"]) for request in theirs]
    for mine, yours, service in zip(ours, theirs, services, strict=True):
        assert shape(mine, service == "s3") == shape(yours, service == "s3")
