"""Reads a Dockerfile: its stages, and their steps in order."""

from dataclasses import dataclass, field
from pathlib import Path


@dataclass
class Stage:
    """A stage of a Dockerfile: its base, its name, and its other steps in order."""

    base: str
    name: str
    steps: list[tuple[str, str]] = field(default_factory=list)

    def of(self, word: str) -> list[str]:
        return [rest for step, rest in self.steps if step == word]

    def last(self, word: str) -> str:
        return self.of(word)[-1]


def stages(file: Path) -> list[Stage]:
    lines = [line for line in file.read_text().splitlines() if not line.lstrip().startswith("#")]
    found: list[Stage] = []
    for line in "\n".join(lines).replace("\\\n", " ").splitlines():
        word, _, rest = line.partition(" ")
        if word == "FROM":
            base, _, name = rest.partition(" AS ")
            found.append(Stage(base, name))
        elif word and found:
            found[-1].steps.append((word, " ".join(rest.split())))
    return found
