"""Provides a handler of Python's `logging` for workers."""

import logging

from watchbot.logs.worker import LEVELS, emit, render


class LogHandler(logging.Handler):
    """Prints log records as lines of the log: `logging.basicConfig(handlers=[LogHandler()])`."""

    def __init__(self, level: int | str = logging.NOTSET) -> None:
        super().__init__(level)
        # Else `basicConfig` adds a formatter that writes the level, which our line has already.
        self.setFormatter(logging.Formatter())

    def emit(self, record: logging.LogRecord) -> None:
        """Prints one record."""
        try:
            emit(render(self.format(record).encode(errors="backslashreplace"), _level(record)))
        except Exception:  # as in every handler: an error of the log must not end the program
            self.handleError(record)


def _level(record: logging.LogRecord) -> str:
    reached = [name for name in LEVELS if getattr(logging, name.upper()) <= record.levelno]
    return reached[-1] if reached else "debug"
