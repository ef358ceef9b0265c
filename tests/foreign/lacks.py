"""What the foreign servers lack: by server, the cases that must fail there, each with its reason.

A case is a test of `test_servers.py`, by its name without `test_`. One that is mended fails the
tests until it is taken out here and in docs/explanation/servers.md.
"""

from collections.abc import Mapping

LACKS: Mapping[str, Mapping[str, str]] = {
    "ministack": {
        "move_task_moves_all_dead_letters": "it has no StartMessageMoveTask (InvalidAction)",
    },
    "localstack": {},
    "dynalite": {
        "schedulers_on_one_table_start_each_run_once": "it has no TransactWriteItems",
    },
}
