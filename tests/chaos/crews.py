"""The workers of the chaos suite: a process for each message, batches, and workers that stay."""

import sys
from dataclasses import dataclass
from pathlib import Path

HERE = Path(__file__).parent
_PYTHON = (sys.executable, str(HERE / "worker.py"))
_BATCH = ("--batch-size", "5")


@dataclass(frozen=True, slots=True, kw_only=True)
class Crew:
    """How watchers run a message: options of `listen`, and the command."""

    options: tuple[str, ...] = ()
    command: tuple[str, ...]

    @property
    def takes_batches(self) -> bool:
        """Whether a message may spend a receive because of another one in its batch."""
        return "--batch-size" in self.options


PROCESS = Crew(command=(str(HERE / "worker.sh"),))
BATCH = Crew(options=_BATCH, command=_PYTHON)
LINES = Crew(options=(*_BATCH, "--warm", "lines"), command=_PYTHON)
LAMBDA = Crew(
    options=(*_BATCH, "--warm", "lambda", "--handler", "tests.chaos.worker.handler"),
    command=(sys.executable, "-m", "awslambdaric", "tests.chaos.worker.handler"),
)
