"""Adds the queue, the dead-letter queue, and the topics and rules that feed the queue."""

from typing import Any

from troposphere import Sub, events, sns, sqs

from watchbot.settings.template import TWO_WEEKS_S
from watchbot.template.stack import Stack, given

ECS_EVENTS = (  # named, because CloudTrail's events of ECS calls also have the source aws.ecs
    "ECS Task State Change",
    "ECS Container Instance State Change",
    "ECS Service Action",
    "ECS Deployment State Change",
)


def add_queues(stack: Stack) -> None:
    """Adds the queue and the dead-letter queue."""
    options = stack.options
    common = {
        "KmsMasterKeyId": given(options.kms_key),
        "SqsManagedSseEnabled": None if options.kms_key else True,
        "FifoQueue": options.fifo or None,
    }
    stack.add(
        "DeadLetterQueue",
        sqs.Queue,
        QueueName=_fifo_name(stack, "DeadLetterQueue"),
        MessageRetentionPeriod=TWO_WEEKS_S,
        **common,
    )
    stack.add(
        "Queue",
        sqs.Queue,
        QueueName=_fifo_name(stack, "Queue"),
        VisibilityTimeout=given(options.visibility_timeout),
        MessageRetentionPeriod=given(options.message_retention),
        ContentBasedDeduplication=options.deduplicates or None,
        RedrivePolicy=sqs.RedrivePolicy(
            deadLetterTargetArn=stack.arn("DeadLetterQueue"),
            maxReceiveCount=given(options.dead_letter_threshold),
        ),
        **common,
    )
    stack.output("QueueUrl", stack.of("Queue"), "The queue of the service", ref="queue_url")
    stack.output("QueueArn", stack.arn("Queue"), "Its ARN", ref="queue_arn")
    stack.ref["queue_name"] = stack.attribute("Queue", "QueueName").to_dict()
    stack.output(
        "DeadLetterQueueUrl",
        stack.of("DeadLetterQueue"),
        "The queue of messages that failed too often",
        ref="dead_letter_queue_url",
    )


def _fifo_name(stack: Stack, what: str) -> Any:
    # SQS requires a name that ends in .fifo, and CloudFormation's own names do not.
    return Sub(f"${{AWS::StackName}}-{stack.name(what)}.fifo") if stack.options.fifo else None


def add_topic(stack: Stack) -> None:
    """Adds the topic that feeds the queue."""
    options = stack.options
    stack.add(
        "Topic",
        sns.Topic,
        TopicName=_fifo_name(stack, "Topic"),
        FifoTopic=options.fifo or None,
        ContentBasedDeduplication=options.deduplicates or None,
        KmsMasterKeyId=given(options.kms_key),
    )
    stack.add(
        "Subscription",
        sns.SubscriptionResource,
        TopicArn=stack.of("Topic"),
        Protocol="sqs",
        Endpoint=stack.arn("Queue"),
        # A function of Lambda reads the body as its sender wrote it.
        RawMessageDelivery=options.warm == "lambda" or None,
    )
    stack.output(
        "TopicArn", stack.of("Topic"), "Messages published here are worked on", ref="topic"
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
    """Adds policies: the topic and the rule may send to the queues, and nobody without TLS."""
    for what in ("Queue", "DeadLetterQueue"):
        statements = [_tls_only(stack.arn(what))]
        if what == "Queue" and stack.has("Topic"):
            statements.append(_let_send("sns", stack.arn(what), stack.of("Topic")))
        if stack.has("EventsRule"):
            statements.append(_let_send("events", stack.arn(what), stack.arn("EventsRule")))
        document = {"Version": "2012-10-17", "Statement": statements}
        stack.add(
            f"{what}Policy", sqs.QueuePolicy, Queues=[stack.of(what)], PolicyDocument=document
        )


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
