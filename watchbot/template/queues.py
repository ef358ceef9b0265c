"""Adds queues and their dead-letter queues, and the topics and rules that feed the queues."""

from typing import Any

from troposphere import Sub, events, sns, sqs

from watchbot.settings.template import TWO_WEEKS_S
from watchbot.template.branches import Branch, branches
from watchbot.template.stack import Stack, given

ECS_EVENTS = (  # named, because CloudTrail's events of ECS calls also have the source aws.ecs
    "ECS Task State Change",
    "ECS Container Instance State Change",
    "ECS Service Action",
    "ECS Deployment State Change",
)


def add_queues(stack: Stack) -> None:
    """Adds the queues, each with its dead-letter queue."""
    for branch in branches(stack.options):
        _add_queue(stack, branch)


def _add_queue(stack: Stack, branch: Branch) -> None:
    options = stack.options
    queue, dead = branch.what("Queue"), branch.what("DeadLetterQueue")
    common = {
        "KmsMasterKeyId": given(options.kms_key),
        "SqsManagedSseEnabled": None if options.kms_key else True,
        "FifoQueue": options.fifo or None,
    }
    stack.add(
        dead,
        sqs.Queue,
        QueueName=_fifo_name(stack, dead),
        MessageRetentionPeriod=TWO_WEEKS_S,
        **common,
    )
    stack.add(
        queue,
        sqs.Queue,
        QueueName=_fifo_name(stack, queue),
        VisibilityTimeout=given(options.visibility_timeout),
        MessageRetentionPeriod=given(options.message_retention),
        ContentBasedDeduplication=options.deduplicates or None,
        RedrivePolicy=sqs.RedrivePolicy(
            deadLetterTargetArn=stack.arn(dead),
            maxReceiveCount=given(options.dead_letter_threshold),
        ),
        **common,
    )
    _add_outputs(stack, branch)


def _add_outputs(stack: Stack, branch: Branch) -> None:
    queue, dead = branch.what("Queue"), branch.what("DeadLetterQueue")
    stack.output(
        branch.what("QueueUrl"),
        stack.of(queue),
        branch.about("The queue of the service"),
        ref=branch.ref("queue_url"),
    )
    stack.output(branch.what("QueueArn"), stack.arn(queue), "Its ARN", ref=branch.ref("queue_arn"))
    stack.ref[branch.ref("queue_name")] = stack.attribute(queue, "QueueName").to_dict()
    stack.output(
        branch.what("DeadLetterQueueUrl"),
        stack.of(dead),
        branch.about("The queue of messages that failed too often"),
        ref=branch.ref("dead_letter_queue_url"),
    )


def _fifo_name(stack: Stack, what: str) -> Any:
    # SQS requires a name that ends in .fifo, and CloudFormation's own names do not.
    return Sub(f"${{AWS::StackName}}-{stack.name(what)}.fifo") if stack.options.fifo else None


def add_topics(stack: Stack) -> None:
    """Adds the topic that feeds the queue; of several queues, one for each."""
    for branch in branches(stack.options):
        _add_topic(stack, branch)


def _add_topic(stack: Stack, branch: Branch) -> None:
    options = stack.options
    topic = branch.what("Topic")
    stack.add(
        topic,
        sns.Topic,
        TopicName=_fifo_name(stack, topic),
        FifoTopic=options.fifo or None,
        ContentBasedDeduplication=options.deduplicates or None,
        KmsMasterKeyId=given(options.kms_key),
    )
    stack.add(
        branch.what("Subscription"),
        sns.SubscriptionResource,
        TopicArn=stack.of(topic),
        Protocol="sqs",
        Endpoint=stack.arn(branch.what("Queue")),
        # A function of Lambda reads the body as its sender wrote it.
        RawMessageDelivery=options.warm == "lambda" or None,
    )
    stack.output(
        branch.what("TopicArn"),
        stack.of(topic),
        branch.about("Messages published here are worked on"),
        ref=branch.ref("topic"),
    )


def add_events(stack: Stack) -> None:
    """Adds the rule that sends the ECS events of all clusters to the queue."""
    stack.add(
        "EventsRule",
        events.Rule,
        Description="Sends the events of ECS tasks to watchbot record",
        EventPattern={"source": ["aws.ecs"], "detail-type": list(ECS_EVENTS)},
        Targets=[
            events.Target(
                Id="queue",
                Arn=stack.arn("Queue"),
                DeadLetterConfig=events.DeadLetterConfig(Arn=stack.arn("DeadLetterQueue")),
            )
        ],
    )


def add_queue_policies(stack: Stack) -> None:
    """Adds policies: the topics and the rule may send to the queues, and nobody without TLS."""
    for branch in branches(stack.options):
        topic = branch.what("Topic")
        _add_policy(stack, branch.what("Queue"), topic if stack.has(topic) else None)
        _add_policy(stack, branch.what("DeadLetterQueue"))


def _add_policy(stack: Stack, what: str, topic: str | None = None) -> None:
    statements = [_tls_only(stack.arn(what))]
    if topic is not None:
        statements.append(_let_send("sns", stack.arn(what), stack.of(topic)))
    if stack.has("EventsRule"):
        statements.append(_let_send("events", stack.arn(what), stack.arn("EventsRule")))
    document = {"Version": "2012-10-17", "Statement": statements}
    stack.add(f"{what}Policy", sqs.QueuePolicy, Queues=[stack.of(what)], PolicyDocument=document)


def _tls_only(arn: Any) -> dict[str, Any]:
    return {
        "Sid": "TlsOnly",
        "Effect": "Deny",
        "Principal": "*",
        "Action": "sqs:*",
        "Resource": arn,
        "Condition": {"Bool": {"aws:SecureTransport": "false"}},
    }


def _let_send(service: str, queue: Any, source: Any) -> dict[str, Any]:
    return {
        "Effect": "Allow",
        "Principal": {"Service": f"{service}.amazonaws.com"},
        "Action": "sqs:SendMessage",
        "Resource": queue,
        "Condition": {"ArnEquals": {"aws:SourceArn": source}},
    }


def add_notifications(stack: Stack) -> None:
    """Adds the topic for failures and alarms, unless the options name one."""
    options = stack.options
    if options.notification_topic is None:
        stack.add("NotificationTopic", sns.Topic, KmsMasterKeyId=given(options.kms_key))
    if options.notification_email is not None:
        stack.add(
            "NotificationEmail",
            sns.SubscriptionResource,
            TopicArn=stack.of("NotificationTopic"),
            Protocol="email",
            Endpoint=given(options.notification_email),
        )
    stack.output(
        "NotificationTopicArn",
        stack.notified,
        "The topic of failures and alarms",
        ref="notification_topic",
    )
