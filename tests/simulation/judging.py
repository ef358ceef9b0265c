"""What every simulation's laws have in common: a line for each event, and the first that broke."""

from collections.abc import Callable, Mapping

from tests.simulation.jumping import Livelock


class Broken(AssertionError):
    """A law does not hold; the text begins with its name."""


class Judge:
    """Keeps a line for each event, counts what is checked, and keeps the first law that broke."""

    def __init__(self, laws: Mapping[str, str], now: Callable[[], float]) -> None:
        self.now = now
        self.lines: list[str] = []
        self.broken: Broken | None = None
        self.checked = self.injected = 0  # how often a law was; and faults
        self._laws = laws

    def say(self, who: str, text: str) -> None:
        self.lines.append(f"{self.now():10.3f}  {who:12}  {text}")

    def check(self, holds: object, law: str, text: str) -> None:
        assert law in self._laws, law
        self.checked += 1
        if not holds:
            self.say("LAW", f"{law}: {text}")
            self.broken = self.broken or Broken(f"{law}: {text}")

    def gave_up(self, error: Exception) -> None:
        """Hears of an error that ended the history; that is a broken law, too."""
        livelock = isinstance(error, Livelock)
        text = f"no livelock: {error}" if livelock else f"no crash: {error!r}"
        self.broken = self.broken or Broken(text)
