"""The laws: each is a promise of the record. They hold under all faults that the simulation has."""

from collections.abc import Callable, Mapping
from typing import Any

from tests.simulation.judging import Judge
from tests.simulation.record.history import Sent

Rows = Callable[[str], list[tuple[Any, ...]]]  # what a query finds

LAWS: Mapping[str, str] = {
    "written, then deleted": "a message is deleted only after its transaction is committed",
    "nothing stored is lost": "what was committed stays, in every later commit",
    "newest": "the state of each task is that of the greatest version that was committed",
    "once": "the history has each version of a task once, and each other event once",
    "good is not rejected": "only what cannot be read, or what the database refuses, is a reject",
    "nothing lost": "once the faults are over, each event is stored, or kept as a reject",
    "queue empty": "once the faults are over, each message is deleted",
    "as if calm": "the tables are in the end as if each event had come once, in order, unharmed",
    "first stops": "of each container is kept the lowest version in which it had stopped",
    "given back": "a recorder that drains while the queue is well leaves no message hidden",
    "ready again": "once the faults are over, a recorder says that it is ready",
    "no crash": "a recorder ends when it is told to, and never by itself",
    "no livelock": "the loop's steps are bounded",
}

_STORED = """
SELECT replace(task_arn, 'arn:aws:ecs:us-east-1:123456789012:task/c/', '') || ' v' || version
FROM ecs_task_event
UNION ALL SELECT event_id FROM ecs_event
"""
_STALE = """
SELECT task_arn, version FROM ecs_task t WHERE version <>
  (SELECT max(version) FROM ecs_task_event e WHERE e.task_arn = t.task_arn)
"""
_TABLES = {
    "ecs_task": "task_arn, version, last_status, stop_code, ended_outcome, detail",
    "ecs_task_event": "task_arn, version, last_status, event_id, detail",
    "ecs_task_container": "task_arn, name, version, last_status, exit_code",
    "ecs_container_stop": "task_arn, name, version",
    "ecs_event": "event_id, detail_type, event",
    "ecs_event_reject": "body",
    "ecs_task_missed": "task_arn, missed",
    "(SELECT day, family, sum(ended) AS ended, sum(failed) AS failed "
    "FROM ecs_task_day GROUP BY day, family)": "day, family, ended, failed",
}
REJECTED = {"junk", "poison"}


class Laws(Judge):
    """Watches each commit and each delete. Keeps the first law that was broken."""

    def __init__(self, now: Callable[[], float]) -> None:
        super().__init__(LAWS, now)
        self.sent: dict[str, Sent] = {}  # by message id
        self.stored: set[str] = set()  # keys of what is committed; of rejects, message ids

    def committed(self, who: str, rows: Rows) -> None:
        """Hears of a commit."""
        kept = [key for (key,) in rows(_STORED)]
        rejects = [key for (key,) in rows("SELECT message_id FROM ecs_event_reject")]
        now = {*kept, *rejects}
        self.say(who, f"commits: {', '.join(map(self._shown, sorted(now - self.stored))) or '-'}")
        self.check(len(kept) == len(set(kept)), "once", f"twice among {kept}")
        self.check(now >= self.stored, "nothing stored is lost", str(self.stored - now))
        stale = rows(_STALE)
        self.check(not stale, "newest", str(stale))
        for message_id in rejects:
            sent = self.sent[message_id]
            self.check(sent.what in REJECTED, "good is not rejected", sent.key)
        self.stored = now

    def deleted(self, who: str, message_id: str) -> None:
        """Hears that a message was deleted from the queue."""
        self.say(who, f"deletes {self._shown(message_id)}")
        key = self.key_of(message_id)
        self.check(key in self.stored, "written, then deleted", f"{key} is not written")

    def key_of(self, message_id: str) -> str:
        """What is to be stored of a message: its event, or itself as a reject."""
        sent = self.sent[message_id]
        return message_id if sent.what in REJECTED else sent.key

    def over(self, waiting: int, rows: Rows, calm: Rows) -> None:
        """Checks what must hold once all is well and the queue had its time."""
        lost = {self.key_of(message_id) for message_id in self.sent} - self.stored
        self.check(not lost, "nothing lost", ", ".join(map(self._shown, sorted(lost))))
        self.check(not waiting, "queue empty", f"{waiting} messages are left")
        for table, columns in _TABLES.items():
            query = f"SELECT {columns} FROM {table} ORDER BY {columns}"
            found, wanted = rows(query), calm(query)
            text = f"{table} has {_apart(found, wanted)}, and not {_apart(wanted, found)}"
            self.check(found == wanted, "as if calm", text)

        self._check_stops(rows)

    def _check_stops(self, rows: Rows) -> None:
        first: dict[tuple[str, str], int] = {}
        for sent in sorted(self.sent.values(), key=lambda sent: sent.version):
            if sent.what == "task" and sent.containers > 1:
                for name in sent.stopped:
                    first.setdefault((sent.name, name), sent.version)
        kept = rows("SELECT task_arn, name, version FROM ecs_container_stop")
        found = {(arn.rpartition("/")[2], name[0]): version for arn, name, version in kept}
        self.check(found == first, "first stops", f"{found}, and not {first}")

    def drained(self, who: str, hidden: int) -> None:
        """Hears how many messages are hidden after the end of the only recorder."""
        self.check(not hidden, "given back", f"{who} has left {hidden} hidden")

    def _shown(self, key: str) -> str:
        return self.sent[key].key if key in self.sent else key


def _apart(some: list[tuple[Any, ...]], others: list[tuple[Any, ...]]) -> str:
    return str([row for row in some if row not in others])
