"""Names the queues of a stack: one, or several with weights, each with what belongs to it."""

from dataclasses import dataclass
from typing import Any

from watchbot.settings.template import TemplateSettings
from watchbot.template.stack import Stack


@dataclass(frozen=True, slots=True, kw_only=True)
class Branch:
    """A queue with its dead-letter queue, topic and alarms.

    `name` is empty for the only queue of a stack, whose resources have plain names.
    """

    name: str = ""
    weight: int = 1

    def what(self, plain: str) -> str:
        """The name of a resource of this branch, whose plain name is `plain`: `HighQueue`."""
        return self.name[:1].upper() + self.name[1:] + plain

    def ref(self, plain: str) -> str:
        """The name in Python of a value of this branch: `high_queue_url`."""
        return f"{self.name}_{plain}" if self.name else plain

    def about(self, text: str) -> str:
        """A description of an output of this branch."""
        return f"{text} ({self.name})" if self.name else text


ONLY = Branch()


def branches(options: TemplateSettings) -> list[Branch]:
    """The branches in the order of the options; the first is that of the webhook."""
    named = [Branch(name=name, weight=weight) for name, weight in options.queues.items()]
    return named or [ONLY]


def arns(stack: Stack, plain: str) -> Any:
    """The ARN of the stack's queue or dead-letter queue (`plain`); of several, a list."""
    return _one_or_all([stack.arn(branch.what(plain)) for branch in branches(stack.options)])


def topics(stack: Stack) -> list[Any]:
    """The topics that feed the queues; a FIFO queue may have none."""
    named = (branch.what("Topic") for branch in branches(stack.options))
    return [stack.of(topic) for topic in named if stack.has(topic)]


def _one_or_all(values: list[Any]) -> Any:
    return values[0] if len(values) == 1 else values
