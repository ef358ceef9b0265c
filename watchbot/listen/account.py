"""The account of one process: what it uses while it runs, and how it ends."""

import os

from watchbot.listen.care import KILLED, Ending
from watchbot.listen.oom import kills
from watchbot.listen.usage import Looks, Usage, of_ended, struct_rusage


class Account:
    """Make one before the start of a process. `usage` is what it has used, once it has ended."""

    def __init__(self) -> None:
        self._kills = kills.seen
        self._looks: Looks | None = None
        self.usage = Usage()

    def follow(self, process: int) -> None:
        """Looks at the process from now on. Needs an event loop."""
        self._looks = Looks(process)

    def look(self) -> None:
        """Looks now, as the process is about to end."""
        if self._looks is not None:
            self._looks.look()

    def end(self, status: int, waited: struct_rusage) -> Ending:
        """The ending, by what the kernel has told of the process when it was waited for."""
        self.usage = of_ended(waited, self._looks.peak_bytes if self._looks else 0)
        code = os.waitstatus_to_exitcode(status)
        return Ending(
            exit_code=code if code >= 0 else None,
            signal=-code if code < 0 else None,
            out_of_memory=self._memory_ran_out() and code in KILLED if code else False,
        )

    def _memory_ran_out(self) -> bool:
        """Whether the kernel has killed for want of memory since the start.

        Asked after every failure, so that no later run is blamed for a kill in this one.
        """
        before = self._kills
        return before is not None and kills.look() != before

    def close(self) -> None:
        """Ends the looks."""
        if self._looks is not None:
            self._looks.close()
