"""Collects the resources, outputs and parameters of a stack, under a prefix."""

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
    """An option's value in troposphere's form."""
    if is_intrinsic(value):
        return GenericHelperFn(value)
    if isinstance(value, list | tuple):
        return [given(each) for each in value]
    return value


def as_text(value: Any) -> Any:
    """An option's value in troposphere's form, with a number as text."""
    return str(value) if isinstance(value, int) else given(value)


@dataclass(frozen=True, kw_only=True)
class Stack:
    """A template under construction. `ref` becomes the `ref` of the finished template."""

    options: TemplateSettings
    document: Template = field(default_factory=Template)
    ref: dict[str, Any] = field(default_factory=dict)

    def name(self, what: str) -> str:
        """The logical name of our resource `what`."""
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
        """Whether the stack has our resource `what`."""
        return self.name(what) in self.document.resources

    def of(self, what: str) -> Any:
        """The value of CloudFormation's Ref for our resource `what`."""
        return Ref(self.name(what))

    def arn(self, what: str) -> Any:
        """The ARN of our resource `what`, if its Ref is not the ARN."""
        return GetAtt(self.name(what), "Arn")

    def attribute(self, what: str, attribute: str) -> Any:
        """An attribute of our resource `what`."""
        return GetAtt(self.name(what), attribute)

    def output(
        self, what: str, value: Any, text: str, *, ref: str | None = None, bare: bool = False
    ) -> None:
        """Adds an output, exported as STACK-WHAT; `ref` is its name in Python, if it has one.

        A `bare` output has no prefix, because other stacks use its name from before watchbot.
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
        # The second word of "name/name" and "...:cluster/name/...:cluster/name" is the name.
        twice = Join("/", [given(chosen), given(chosen)])
        return Select(1, Split("/", twice))

    @property
    def notified(self) -> Any:
        """The topic for failures and alarms."""
        return given(self.options.notification_topic) or self.of("NotificationTopic")
