"""Who is told of a run that failed: the job's dead-letter queue, and a topic."""

import json
import logging
from collections.abc import Mapping, Sequence
from typing import Any

from watchbot.errors import AwsError
from watchbot.moment import to_text
from watchbot.schedule.start.clients import Clients
from watchbot.schedule.store.run import Ending, Run
from watchbot.settings.whereabouts import is_fifo

_SUBJECT = 100  # characters that SNS takes

log = logging.getLogger(__name__)


async def tell(clients: Clients, topic: str | None, run: Run, ending: Ending) -> None:
    """Tells of a run that failed. That this fails is logged, and changes nothing."""
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
    queue = run.job.retry.dead_letter_queue
    if queue:
        group = {"MessageGroupId": run.job.id[:128]} if is_fifo(queue) else {}
        token = {"MessageDeduplicationId": run.token(0)} if group else {}
        await _call(clients, "sqs", queue, QueueUrl=queue, MessageBody=text, **group, **token)
    await _publish(clients, topic, f"{run.job.id} {ending.status}", text)


async def tell_of_tasks(
    clients: Clients,
    topic: str | None,
    run: Mapping[str, str],
    outcome: str,
    tasks: Sequence[Mapping[str, Any]],
) -> None:
    """Tells the topic of a run whose tasks were started, and failed. That this fails is logged."""
    facts = {
        "job": run["job"],
        "dueAt": run["due_at"],
        "cause": run["cause"],
        "status": "started",
        "outcome": outcome,
        "tasks": list(tasks),
    }
    await _publish(clients, topic, f"{run['job']} {outcome}", json.dumps(facts, indent=2))


async def _publish(clients: Clients, topic: str | None, what: str, text: str) -> None:
    if topic:
        subject = f"watchbot schedule: {what}"[:_SUBJECT]
        await _call(clients, "sns", topic, TopicArn=topic, Subject=subject, Message=text)


async def _call(clients: Clients, service: str, place: str, **parameters: str) -> None:
    operation = "send_message" if service == "sqs" else "publish"
    try:
        client = await clients.near(service, place)
        await client.call(operation, **parameters)
    except AwsError as error:
        log.warning("failure not told", extra={"to": place, "reason": str(error)})
