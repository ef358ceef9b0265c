"""Reports a failed run to the job's dead-letter queue and to a topic."""

import hashlib
import json
import logging
from collections.abc import Mapping, Sequence
from typing import Any

import anyio

from watchbot.errors import AwsError
from watchbot.moment import to_text
from watchbot.schedule.job.target import QueueTarget, TopicTarget
from watchbot.schedule.start.clients import Clients
from watchbot.schedule.start.message import destination_of
from watchbot.schedule.store.run import LeasedRun, RunEnd
from watchbot.sqs.outgoing import Outgoing, Unsent
from watchbot.sqs.publish import Publisher

_SUBJECT = 100  # SNS's limit in characters

log = logging.getLogger(__name__)


async def notify(clients: Clients, topic: str | None, run: LeasedRun, ending: RunEnd) -> None:
    """Reports a failed run, and retries passing errors. Logs a report that fails for good."""
    facts = {
        "job": run.job.id,
        "dueAt": to_text(run.due_at),
        "cause": run.cause,
        "status": ending.status,
        "reason": ending.reason,
        "attempts": run.attempts + 1,
        "tasks": list(ending.tasks),
        "failures": list(run.failures),
    }
    text = json.dumps(facts, indent=2)
    queue, told = run.job.retry.dead_letter_queue, _Told(clients, run.job.id, run.token(0))
    async with anyio.create_task_group() as telling:
        if queue:
            telling.start_soon(
                told.send, QueueTarget.model_construct(type="sqs", queue_url=queue, message=text)
            )
        if topic:
            target = TopicTarget.model_construct(type="sns", topic_arn=topic, message=text)
            telling.start_soon(told.send, target, ending.status)


async def notify_of_tasks(
    clients: Clients,
    topic: str | None,
    run: Mapping[str, str],
    outcome: str,
    tasks: Sequence[Mapping[str, Any]],
) -> None:
    """Reports a run whose tasks have failed to the topic, as `notify` does."""
    facts = {
        "job": run["job"],
        "dueAt": run["due_at"],
        "cause": run["cause"],
        "status": "started",
        "outcome": outcome,
        "tasks": list(tasks),
    }
    if topic:
        told = _Told(clients, run["job"], f"{run['job']}|{run['due_at']}|{run['cause']}")
        target = TopicTarget.model_construct(
            type="sns", topic_arn=topic, message=json.dumps(facts, indent=2)
        )
        await told.send(target, outcome)


class _Told:
    """A report about one run. All reports about a run have one `token`."""

    def __init__(self, clients: Clients, job: str, token: str) -> None:
        self._clients, self._job = clients, job
        self._token = hashlib.sha256(token.encode()).hexdigest()

    async def send(self, target: QueueTarget | TopicTarget, status: str = "") -> None:
        """Sends the report to a queue; or to a topic, with the status in the subject."""
        reason: str | None = None
        try:
            destination = await destination_of(self._clients, target)
            message = self._outgoing(target, status, fifo=destination.fifo)
            async for result in Publisher(destination).publish([message]):
                if isinstance(result, Unsent):
                    reason = f"{result.code}: {result.text}"
        except AwsError as error:
            reason = str(error)
        if reason is not None:
            address = target.topic_arn if isinstance(target, TopicTarget) else target.queue_url
            log.warning("failure not told", extra={"to": address, "reason": reason})

    def _outgoing(self, target: QueueTarget | TopicTarget, status: str, *, fifo: bool) -> Outgoing:
        subject = f"watchbot schedule: {self._job} {status}"[:_SUBJECT] if status else None
        return Outgoing(
            body=target.message,
            subject=subject,
            group_id=self._job[:128] if fifo else None,
            dedup_id=self._token if fifo else None,
        )
