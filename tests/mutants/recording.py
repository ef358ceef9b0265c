"""Mutants of the recorder: of what it writes, in which order, and what it forgets."""

from functools import partial

from tests.mutants.mutant import Mutant

WRITER, SERVICE, RETENTION = "record/writer.py", "record/service.py", "record/retention.py"
_Mutant = partial(Mutant, of="record")

OF_RECORDING = (
    _Mutant(
        "deletes before it writes",
        SERVICE,
        "        await self._insist(batch)\n        await self._leases.delete_all(batch.leases)\n",
        "        await self._leases.delete_all(batch.leases)\n        await self._insist(batch)\n",
    ),
    _Mutant(
        "rejects all of a batch of which the database refuses a part",
        SERVICE,
        "        if len(batch.leases) == 1:\n",
        "        if batch.leases:\n",
    ),
    _Mutant(
        "gives back nothing of what it was about to write",
        SERVICE,
        "                self._line.extend(leases)\n",
        "",
    ),
    _Mutant(
        "gives up a batch while the database is down",
        SERVICE,
        "                await anyio.sleep(pause_s)\n",
        "                return\n",
    ),
    _Mutant(
        "has an older version of a task win",
        WRITER,
        "excluded.version > ecs_task.version OR",
        "excluded.version <> ecs_task.version OR",
    ),
    _Mutant(
        "keeps the containers of an older version",
        WRITER,
        '"WHERE excluded.version > ecs_task_container.version"',
        '"WHERE excluded.version < ecs_task_container.version"',
    ),
    _Mutant(
        "keeps the last version in which a container had stopped",
        WRITER,
        "WHERE excluded.version < ecs_container_stop.version",
        "WHERE excluded.version > ecs_container_stop.version",
    ),
    _Mutant(
        "judges no task anew once its definition is known",
        WRITER,
        'await writer.judge([row["task_arn"] for row in tasks[start : start + JUDGED_AT_ONCE]])',
        "pass",
    ),
    _Mutant(
        "forgets new history, and keeps the old",
        RETENTION,
        "WHERE received_at < :before",
        "WHERE received_at >= :before",
    ),
    _Mutant(
        "forgets the newest states of tasks, too",
        RETENTION,
        '    "ecs_task_event": "task_arn, version",\n',
        '    "ecs_task_event": "task_arn, version",\n    "ecs_task": "task_arn",\n',
    ),
)
