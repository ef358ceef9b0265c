"""A handler for Python's `logging`, for workers."""

import logging

from watchbot.logs.worker import LEVELS, emit, render


class LogHandler(logging.Handler):
    """Prints log records as lines of the log: `logging.basicConfig(handlers=[LogHandler()])`."""

    def __init__(self, level: int | str = logging.NOTSET) -> None:
        super().__init__(level)
        # Else `basicConfig` sets one that puts the level in front: our line has it already.
        self.setFormatter(logging.Formatter())

    def emit(self, record: logging.LogRecord) -> None:
        """Prints one record."""
        try:
            emit(render(self.format(record).encode(errors="backslashreplace"), _level(record)))
        except Exception:  # as every handler: a fault of logging is no fault of the program
            self.handleError(record)


def _level(record: logging.LogRecord) -> str:
    reached = [name for name in LEVELS if getattr(logging, name.upper()) <= record.levelno]
    return reached[-1] if reached else "debug"
