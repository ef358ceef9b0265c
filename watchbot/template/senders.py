"""Adds ways for other programs to send messages: a user with an access key, and a webhook."""

import hashlib
import json
from typing import Any

from troposphere import Sub, apigateway, iam, logs, secretsmanager

from watchbot.template.branches import arns, topics
from watchbot.template.permissions import allow, assumed_by, policy, use_of_key
from watchbot.template.stack import Stack, given

STAGE = "watchbot"
_ACCEPTED = """{"messageId": "$input.path('$.PublishResponse.PublishResult.MessageId')"}"""
LOGGED = {
    "requestId": "requestId",
    "time": "requestTime",
    "ip": "identity.sourceIp",
    "userAgent": "identity.userAgent",
    "method": "httpMethod",
    "path": "path",
    "status": "status",
    "length": "responseLength",
}
MOST_PER_S, MOST_AT_ONCE = 50, 100


def add_user(stack: Stack) -> None:
    """Adds a user that may send messages, and its key; the secret half is in Secrets Manager."""
    published = topics(stack)
    where = allow("sns:Publish", published) if published else None
    sends = where or allow("sqs:SendMessage", arns(stack, "Queue"))
    stack.add("User", iam.User, Policies=[policy("send", [sends, *use_of_key(stack)])])
    stack.add("UserKey", iam.AccessKey, UserName=stack.of("User"))
    stack.add(
        "UserSecret",
        secretsmanager.Secret,
        Description=Sub("The access key that may send messages to ${AWS::StackName}"),
        KmsKeyId=given(stack.options.kms_key),
        SecretString=Sub(
            json.dumps({"AccessKeyId": "${Key}", "SecretAccessKey": "${Secret}"}),
            Key=stack.of("UserKey"),
            Secret=stack.attribute("UserKey", "SecretAccessKey"),
        ),
    )
    stack.output(
        "AccessKeyId",
        stack.of("UserKey"),
        "The key id of a user that may send",
        ref="access_key_id",
    )
    stack.output("UserSecretArn", stack.of("UserSecret"), "The secret that holds the user's key")
    stack.ref["secret_access_key"] = stack.attribute("UserKey", "SecretAccessKey").to_dict()


def add_webhook(stack: Stack) -> None:
    """Adds an HTTPS address that publishes each posted JSON body unchanged to the topic."""
    stack.add("WebhookApi", apigateway.RestApi, Name=Sub("${AWS::StackName}-" + stack.name("")))
    stack.add(
        "WebhookResource",
        apigateway.Resource,
        RestApiId=stack.of("WebhookApi"),
        ParentId=stack.attribute("WebhookApi", "RootResourceId"),
        PathPart="webhooks",
    )
    stack.add(
        "WebhookRole",
        iam.Role,
        AssumeRolePolicyDocument=assumed_by("apigateway.amazonaws.com"),
        Policies=[policy("publish", [allow("sns:Publish", topics(stack)[0]), *use_of_key(stack)])],
    )
    _add_method(stack)
    _add_stage(stack)
    if stack.options.webhook_key:
        _add_key(stack)
    address = Sub(
        f"https://${{Api}}.execute-api.${{AWS::Region}}.${{AWS::URLSuffix}}/{STAGE}/webhooks",
        Api=stack.of("WebhookApi"),
    )
    stack.output("WebhookEndpoint", address, "POST JSON here", ref="webhook_endpoint")


def _add_method(stack: Stack) -> None:
    answers = {"200": _ACCEPTED, "500": "{}"}
    stack.add(
        "WebhookMethod",
        apigateway.Method,
        RestApiId=stack.of("WebhookApi"),
        ResourceId=stack.of("WebhookResource"),
        HttpMethod="POST",
        AuthorizationType="NONE",
        ApiKeyRequired=stack.options.webhook_key,
        Integration=apigateway.Integration(
            Type="AWS",
            IntegrationHttpMethod="POST",
            Uri=Sub("arn:${AWS::Partition}:apigateway:${AWS::Region}:sns:path//"),
            Credentials=stack.arn("WebhookRole"),
            PassthroughBehavior="NEVER",  # refuses a body that is not JSON, with 415
            RequestParameters={
                "integration.request.header.Content-Type": "'application/x-www-form-urlencoded'"
            },
            RequestTemplates={"application/json": _request(stack)},
            IntegrationResponses=[
                apigateway.IntegrationResponse(
                    StatusCode=code,
                    ResponseTemplates={"application/json": answer},
                    **({} if code == "200" else {"SelectionPattern": r"[45]\d\d"}),
                )
                for code, answer in answers.items()
            ],
        ),
        MethodResponses=[apigateway.MethodResponse(StatusCode=code) for code in answers],
    )


def _request(stack: Stack) -> Any:
    return Sub(
        "Action=Publish&Version=2010-03-31&Subject=webhook"
        "&TopicArn=$util.urlEncode('${Topic}')&Message=$util.urlEncode($input.body)",
        Topic=topics(stack)[0],  # of several queues, the first named one's
    )


def _add_stage(stack: Stack) -> None:
    # A deployment is a snapshot of the methods, so a changed method needs a deployment with a new
    # name. Else a webhook would stay open after --webhook-key.
    method = stack.document.resources[stack.name("WebhookMethod")].to_dict()
    digest = hashlib.sha256(json.dumps(method, sort_keys=True).encode()).hexdigest()[:8]
    deployment = f"WebhookDeployment{digest}"
    stack.add(
        deployment,
        apigateway.Deployment,
        DependsOn=[stack.name("WebhookMethod")],
        RestApiId=stack.of("WebhookApi"),
    )
    stack.add(
        "WebhookStage",
        apigateway.Stage,
        RestApiId=stack.of("WebhookApi"),
        DeploymentId=stack.of(deployment),
        StageName=STAGE,
        AccessLogSetting=_access_log(stack) if stack.options.webhook_access_log else None,
        MethodSettings=[
            apigateway.MethodSetting(
                HttpMethod="*",
                ResourcePath="/*",
                ThrottlingRateLimit=MOST_PER_S,
                ThrottlingBurstLimit=MOST_AT_ONCE,
            )
        ],
    )


def _access_log(stack: Stack) -> Any:
    """Settings that log each call as JSON. The account's API Gateway needs a role for that."""
    options = stack.options
    stack.add(
        "WebhookLogGroup",
        logs.LogGroup,
        RetentionInDays=given(options.log_retention_days),
        KmsKeyId=given(options.kms_key),
    )
    fields = {name: f"$context.{variable}" for name, variable in LOGGED.items()}
    return apigateway.AccessLogSetting(
        DestinationArn=stack.arn("WebhookLogGroup"), Format=json.dumps(fields)
    )


def _add_key(stack: Stack) -> None:
    stack.add("WebhookKey", apigateway.ApiKey, Enabled=True)
    stack.add(
        "WebhookUsagePlan",
        apigateway.UsagePlan,
        ApiStages=[
            apigateway.ApiStage(ApiId=stack.of("WebhookApi"), Stage=stack.of("WebhookStage"))
        ],
    )
    stack.add(
        "WebhookUsagePlanKey",
        apigateway.UsagePlanKey,
        KeyId=stack.of("WebhookKey"),
        KeyType="API_KEY",
        UsagePlanId=stack.of("WebhookUsagePlan"),
    )
    stack.output(
        "WebhookKeyId",
        stack.of("WebhookKey"),
        "The id of the API key; read it with: aws apigateway get-api-key --include-value",
        ref="webhook_key",
    )
