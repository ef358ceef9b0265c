"""Lists of runs for people, here and in the console: the choices, and the colour of a run."""

from collections.abc import Mapping
from typing import Any

CHOICES: Mapping[str, Mapping[str, Any]] = {  # the filters of `GET /v1/runs`, by choice
    "all": {},
    "failed": {"failed": True},
    "running": {"outcome": "active"},
    "waiting": {"status": "due"},
    "succeeded": {"outcome": "success"},
}


def pill(run: Mapping[str, Any]) -> str:
    """The outcome or status that names the colour of a run's pill.

    A start is no success: how its tasks end is another question.
    """
    well = {"started": "active", "skipped": "stopped", "due": "stopped"}
    return str(run["outcome"] or well.get(run["status"], "failed"))
