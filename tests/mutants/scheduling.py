"""Mutants of the scheduler: of turns, of calls of RunTask, and of what is known of their tasks."""

from functools import partial

from tests.mutants.mutant import Mutant

STARTER, TURN = "schedule/start/starter.py", "schedule/start/turn.py"
CLAIMS, LEDGER = "schedule/store/sql/claims.py", "schedule/store/sql/ledger.py"
_Mutant = partial(Mutant, of="schedule")

OF_SCHEDULING = (
    _Mutant(
        "decides two runs of a job at once",
        CLAIMS,
        "    if busy and not mine:\n",
        "    if False:\n",
    ),
    _Mutant(
        "has two runs wait for each other",
        TURN,
        "return other.begun and (not other.sure or other.key < run.order)",
        "return other.begun",
    ),
    _Mutant(
        "takes a new task that ECS does not describe for done",
        TURN,
        "told.get(arn, None if arn in new else _OVER)",
        "told.get(arn, _OVER)",
    ),
    _Mutant(
        "takes the call of a replica that died for one never made",
        LEDGER,
        '"doubtful": true\') ELSE call END',
        '"doubtful": false\') ELSE call END',
    ),
    _Mutant(
        "makes each call of a run under one token",
        STARTER,
        "number = run.call.number + 1 if run.call else 0",
        "number = 0",
    ),
    _Mutant(
        "forgets tasks that it knew when it looks for others",
        STARTER,
        "_together(self.run.tasks, await cluster.started(self.run))",
        "tuple(await cluster.started(self.run))",
    ),
    _Mutant(
        "starts all tasks again where some were not placed",
        STARTER,
        "missing = (run.wanted or 0) - len(run.tasks)",
        "missing = (run.wanted or 0) if run.failures else (run.wanted or 0) - len(run.tasks)",
    ),
)
