"""The construct: the resources of `watchbot template`, in a stack of CDK."""

from collections.abc import Callable, Mapping
from typing import Any, Unpack

from aws_cdk import CfnOutput, CfnParameter, CfnResource, Stack, Token
from aws_cdk.aws_cloudwatch import Alarm, IAlarm
from aws_cdk.aws_iam import Grant, IGrantable, IRole, Role
from aws_cdk.aws_logs import ILogGroup, LogGroup
from aws_cdk.aws_sns import ITopic, Topic
from aws_cdk.aws_sqs import IQueue, Queue
from constructs import Construct

import watchbot
from watchbot.cdk.given import Tokens, options_of
from watchbot.cdk.props import ServiceProps
from watchbot.errors import SettingError
from watchbot.template.names import snake

_AROUND = ("DependsOn", "DeletionPolicy", "UpdateReplacePolicy")  # beside type and properties
_OF_SCALING = {"Backlog", "Empty"}  # alarms that tell nobody


class Service(Construct):
    """A queue, and ECS tasks that run a command for every message of it.

    Takes the options of `watchbot template` as properties; values may be tokens and constructs of
    CDK. `service` is the construct's id if it is left out. A second service in a stack needs a
    `prefix` of its own. Raises `SettingError` for the first property that does not fit.
    """

    def __init__(self, scope: Construct, construct_id: str, **props: Unpack[ServiceProps]) -> None:
        super().__init__(scope, construct_id)
        tokens = Tokens()
        options = {"service": construct_id, **tokens.take_out(options_of(props))}
        self._options = options
        self._imported: dict[str, Any] = {}
        self._prefix = str(options.get("prefix") or "Watchbot")
        self._refuse_twice()
        made = tokens.put_back(dict(watchbot.template(options)))
        self._add_parameters(made.get("Parameters", {}))
        self._resources = {
            name: self._added(name, about) for name, about in made["Resources"].items()
        }
        self._add_outputs(made["Outputs"])

    @property
    def queue(self) -> IQueue:
        """The queue. Raises `SettingError` for a schedule, and where there are several `queues`."""
        return self._queue("Queue")

    @property
    def dead_letter_queue(self) -> IQueue:
        """The queue of messages that failed too often. Raises `SettingError` as `queue` does."""
        return self._queue("DeadLetterQueue")

    @property
    def topic(self) -> ITopic:
        """The topic before the queue. Raises `SettingError` where there is none: FIFO has none."""
        return self._topic("Topic")

    @property
    def queues(self) -> Mapping[str, IQueue]:
        """The queues of the option `queues` by name, in snake case; the only one is `queue`."""
        return {name: self._queue(what) for name, what in self._several("Queue").items()}

    @property
    def dead_letter_queues(self) -> Mapping[str, IQueue]:
        """Their dead-letter queues, by the names of the queues."""
        several = self._several("DeadLetterQueue")
        return {name: self._queue(what) for name, what in several.items()}

    @property
    def topics(self) -> Mapping[str, ITopic]:
        """The topics before them, by the names of the queues."""
        return {name: self._topic(what) for name, what in self._several("Topic").items()}

    @property
    def notification_topic(self) -> ITopic:
        """The topic of failures and alarms. Raises `SettingError` if you gave one of yours."""
        return self._topic("NotificationTopic")

    @property
    def task_role(self) -> IRole:
        """The role of the tasks: grant it what the command needs."""
        return self._once(
            "TaskRole", lambda: Role.from_role_name(self, "TaskRole", self._ref("TaskRole"))
        )

    @property
    def log_group(self) -> ILogGroup:
        """The log of watcher and workers."""
        return self._once(
            "LogGroup",
            lambda: LogGroup.from_log_group_name(self, "LogGroup", self._ref("LogGroup")),
        )

    @property
    def alarms(self) -> Mapping[str, IAlarm]:
        """The alarms that tell somebody, by name: `queue_size`, `dead_letters`..."""
        found = {}
        for name, resource in self._resources.items():
            what = name.removeprefix(self._prefix).removesuffix("Alarm")
            if resource.cfn_resource_type == "AWS::CloudWatch::Alarm" and what not in _OF_SCALING:
                found[snake(what)] = self._alarm(what)
        return found

    def grant_send(self, grantee: IGrantable) -> Grant:
        """Lets somebody send messages: to the topic, or to the queue where there is no topic.

        Raises `SettingError` where there is neither.
        """
        if self._has("Topic"):
            return self.topic.grant_publish(grantee)
        return self.queue.grant_send_messages(grantee)

    def resource(self, name: str) -> CfnResource:
        """A resource by its name in the template, without the prefix: `Service`, `Cluster`...

        Raises `SettingError` if the options make no such resource.
        """
        if not self._has(name):
            there = ", ".join(each.removeprefix(self._prefix) for each in self._resources)
            raise SettingError(name, f"is not made by these options; there are {there}")
        return self._resources[self._prefix + name]

    def _refuse_twice(self) -> None:
        for other in Stack.of(self).node.find_all():
            if isinstance(other, Service) and other is not self and other._prefix == self._prefix:
                raise SettingError(
                    "prefix",
                    f"is {self._prefix} for {other.node.id} and {self.node.id}; "
                    "give each service of the stack a prefix of its own",
                )

    def _added(self, name: str, about: Mapping[str, Any]) -> CfnResource:
        properties = about.get("Properties")
        resource = CfnResource(self, name, type=about["Type"], properties=properties)
        resource.override_logical_id(name)
        for word in _AROUND:
            if word in about:
                resource.add_override(word, about[word])
        return resource

    def _add_parameters(self, parameters: Mapping[str, Mapping[str, Any]]) -> None:
        for name, about in parameters.items():
            CfnParameter(
                self, name, type=about["Type"], description=about["Description"]
            ).override_logical_id(name)

    def _add_outputs(self, outputs: Mapping[str, Mapping[str, Any]]) -> None:
        for name, about in outputs.items():
            CfnOutput(
                self,
                f"{name}Output",
                value=Token.as_string(about["Value"]),
                description=about["Description"],
                export_name=Token.as_string(about["Export"]["Name"]),
            ).override_logical_id(name)

    def _queue(self, what: str) -> IQueue:
        arn, url, fifo = self._arn(what), self._ref(what), bool(self._options.get("fifo"))
        return self._once(
            what,
            lambda: Queue.from_queue_attributes(
                self, what, queue_arn=arn, queue_url=url, fifo=fifo
            ),
        )

    def _several(self, kind: str) -> dict[str, str]:
        """The names in the template of the queues' own resources, by the names of the queues."""
        ends = ("DeadLetterQueue", "Queue", "Topic")
        found = {}
        for name in self._resources:
            what = name.removeprefix(self._prefix)
            end = next((end for end in ends if what.endswith(end)), "")
            owner = what.removesuffix(end)
            if end == kind and owner not in {"", "Notification"}:
                found[snake(owner)] = what
        return found

    def _topic(self, what: str) -> ITopic:
        arn = self._ref(what)
        return self._once(what, lambda: Topic.from_topic_arn(self, what, arn))

    def _alarm(self, what: str) -> IAlarm:
        arn = self._arn(f"{what}Alarm")
        return self._once(f"{what}Alarm", lambda: Alarm.from_alarm_arn(self, f"{what}Alarm", arn))

    def _once(self, what: str, make: Callable[[], Any]) -> Any:
        """What was made for `what`: a construct's id can be taken once."""
        if what not in self._imported:
            self._imported[what] = make()
        return self._imported[what]

    def _has(self, what: str) -> bool:
        return self._prefix + what in self._resources

    def _ref(self, name: str) -> str:
        return str(self.resource(name).ref)

    def _arn(self, name: str) -> str:
        return str(self.resource(name).get_att("Arn").to_string())
