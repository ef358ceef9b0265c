"""A stack in the making: resources under a prefix, outputs, and values of CloudFormation."""

import functools
from dataclasses import dataclass, field
from typing import Any

from troposphere import (
    Export,
    GenericHelperFn,
    GetAtt,
    Join,
    Output,
    Ref,
    Select,
    Split,
    Sub,
    Tags,
    Template,
)

from watchbot.settings.template import TemplateSettings
from watchbot.settings.values import is_intrinsic


def given(value: Any) -> Any:
    """An option's value, as troposphere takes it."""
    if is_intrinsic(value):
        return GenericHelperFn(value)
    if isinstance(value, list | tuple):
        return [given(each) for each in value]
    return value


def as_text(value: Any) -> Any:
    """The same for a number that must be written as a text."""
    return str(value) if isinstance(value, int) else given(value)


@dataclass(frozen=True, kw_only=True)
class Stack:
    """What the parts of a template are added to. `ref` is what `watchbot.template()` tells."""

    options: TemplateSettings
    document: Template = field(default_factory=Template)
    ref: dict[str, Any] = field(default_factory=dict)

    def name(self, what: str) -> str:
        """The logical name of a resource of ours."""
        return self.options.prefix + what

    def add(self, what: str, kind: Any, **properties: Any) -> None:
        """Adds a resource; a property that is None is left out."""
        known = {name: value for name, value in properties.items() if value is not None}
        resource = kind(self.name(what), **known)
        if self.options.tags and "Tags" in resource.propnames:
            pairs = {name: given(value) for name, value in self.options.tags.items()}
            resource.Tags = Tags(pairs)
        if self.options.permissions_boundary and "PermissionsBoundary" in resource.propnames:
            resource.PermissionsBoundary = given(self.options.permissions_boundary)
        self.document.add_resource(resource)

    def has(self, what: str) -> bool:
        """Whether there is such a resource of ours."""
        return self.name(what) in self.document.resources

    def of(self, what: str) -> Any:
        """What CloudFormation's Ref says of a resource of ours."""
        return Ref(self.name(what))

    def arn(self, what: str) -> Any:
        """The ARN of a resource of ours whose Ref is something else."""
        return GetAtt(self.name(what), "Arn")

    def attribute(self, what: str, attribute: str) -> Any:
        """Another attribute of a resource of ours."""
        return GetAtt(self.name(what), attribute)

    def output(
        self, what: str, value: Any, text: str, *, ref: str | None = None, bare: bool = False
    ) -> None:
        """Adds an output, exported as STACK-WHAT; `ref` is its name in Python, if it has one.

        A `bare` one has no prefix: others know it by a name that it had before watchbot.
        """
        name = what if bare else self.name(what)
        export = Export(Sub(f"${{AWS::StackName}}-{name}"))
        self.document.add_output(Output(name, Description=text, Value=value, Export=export))
        if ref is not None:
            self.ref[ref] = value.to_dict() if hasattr(value, "to_dict") else value

    @functools.cached_property
    def cluster(self) -> Any:
        """The name of the cluster; the option may hold its ARN instead."""
        chosen = self.options.cluster
        if chosen is None:
            return self.of("Cluster")
        if isinstance(chosen, str):
            return chosen.rpartition("/")[2]
        # Of "name/name" and of "...:cluster/name/...:cluster/name", the second word is the name.
        twice = Join("/", [given(chosen), given(chosen)])
        return Select(1, Split("/", twice))

    @property
    def notified(self) -> Any:
        """The topic that is told of failures and alarms."""
        return given(self.options.notification_topic) or self.of("NotificationTopic")
