"""Sends the message of a run whose target is a topic or a queue."""

from watchbot.moment import to_text
from watchbot.schedule.job.target import QueueTarget, TopicTarget
from watchbot.schedule.start.clients import Clients
from watchbot.schedule.store.run import LeasedRun, RunEnd
from watchbot.sqs.destination import Destination, QueueDestination, TopicDestination
from watchbot.sqs.message import Attribute
from watchbot.sqs.outgoing import Outgoing, Unsent


class Refused(Exception):
    """The topic or queue refused the message. `passing`: a retry may succeed."""

    def __init__(self, unsent: Unsent) -> None:
        super().__init__(f"{unsent.code}: {unsent.text}")
        self.passing = unsent.passing


async def send(clients: Clients, run: LeasedRun, target: TopicTarget | QueueTarget) -> RunEnd:
    """Sends the message of a run. Raises `AwsError` or `Refused`."""
    destination = await destination_of(clients, target)
    (result,) = await destination.send([outgoing(run, target, fifo=destination.fifo)])
    if isinstance(result, Unsent):
        raise Refused(result)
    return RunEnd(status="started", reason=f"message {result}")


async def destination_of(clients: Clients, target: TopicTarget | QueueTarget) -> Destination:
    """The destination of the message."""
    if isinstance(target, TopicTarget):
        return TopicDestination(await clients.near("sns", target.topic_arn), target.topic_arn)
    return QueueDestination(await clients.near("sqs", target.queue_url), target.queue_url)


def outgoing(run: LeasedRun, target: TopicTarget | QueueTarget, *, fifo: bool) -> Outgoing:
    """The message to send; its attributes name the job and the time of the run."""
    told = {"Job": run.job.id, "DueAt": to_text(run.due_at), "Cause": run.cause, **run.told}
    attributes = {name: Attribute(type="String", value=value) for name, value in told.items()}
    attributes |= {
        name: Attribute(type=each.type, value=each.value)
        for name, each in target.attributes.items()
    }
    return Outgoing(
        body=target.message,
        subject=target.subject if isinstance(target, TopicTarget) else None,
        attributes=attributes,
        group_id=target.group_id or (run.job.id[:128] if fifo else None),
        # A FIFO queue drops duplicates within five minutes.
        dedup_id=run.token(0) if fifo else None,
    )
