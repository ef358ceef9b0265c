"""Map-reduce: a job in many parts, and one message when all of them are done.

For workers in Python: `create_job` and `Part`; `Progress` for the single steps; `MemoryStore` for
tests of a worker.
"""

from watchbot.errors import (
    JobDiffers,
    JobFailed,
    MessagesUnsent,
    NoSuchJob,
    NoSuchPart,
    ReduceUnsent,
)
from watchbot.progress.memory import MemoryStore
from watchbot.progress.part import Part, create_job
from watchbot.progress.tracker import Progress

__all__ = [
    "JobDiffers",
    "JobFailed",
    "MemoryStore",
    "MessagesUnsent",
    "NoSuchJob",
    "NoSuchPart",
    "Part",
    "Progress",
    "ReduceUnsent",
    "create_job",
]
