"""What a mutant is."""

from dataclasses import dataclass
from typing import Literal

Part = Literal["watcher", "schedule", "record"]


@dataclass(frozen=True, slots=True)
class Mutant:
    """A fault. `old` stands once in `file`, a path in `watchbot`, and becomes `new`.

    `of` names the part that it is in, which has a simulation and tests of its own.
    """

    name: str
    file: str
    old: str
    new: str
    of: Part = "watcher"

    def applied(self, text: str) -> str:
        """The text with the fault. Raises `ValueError` unless `old` stands there exactly once."""
        if text.count(self.old) != 1:
            raise ValueError(f"{self.name}: {self.file} has its text {text.count(self.old)} times")
        return text.replace(self.old, self.new)
