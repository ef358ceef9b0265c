"""Resets the signals and descriptors that a program inherits from its parent.

`exec` passes on ignored signals, blocked signals and closed descriptors. If SIGCHLD is ignored,
nobody can wait for the end of a worker. If descriptor 0, 1 or 2 is closed, the next opened file
takes its number, and output goes into that file.
"""

import os
import signal
import sys

_STREAMS = (("stdin", "r"), ("stdout", "w"), ("stderr", "w"))
# Python itself ignores these signals, and restores them in its children.
_PYTHONS_OWN = {signal.SIGPIPE, signal.SIGXFSZ}
# Linux drops signals for which process 1 has no handler. Blocked, they wait for `lifecycle`.
_HELD_BACK = {signal.SIGTERM, signal.SIGQUIT, signal.SIGHUP}


def put_right() -> None:
    """Opens closed descriptors among 0, 1 and 2, and resets all signals to their defaults.

    If SIGHUP was ignored, as under `nohup`, it still has no effect on this program, but programs
    that this one starts do not ignore it. Call this once, from the main thread.
    """
    _open_streams()
    _unignore_signals()
    signal.pthread_sigmask(signal.SIG_SETMASK, _HELD_BACK if os.getpid() == 1 else ())


def _open_streams() -> None:
    for number, (name, mode) in enumerate(_STREAMS):
        try:
            os.fstat(number)
        except OSError:
            os.open(os.devnull, os.O_RDWR)  # gets the lowest free number, which is this one
            os.set_inheritable(number, True)
            if getattr(sys, name) is None:
                setattr(sys, name, os.fdopen(number, mode, closefd=False))


def _unignore_signals() -> None:
    for number in signal.valid_signals():
        if signal.getsignal(number) is not signal.SIG_IGN or number in _PYTHONS_OWN:
            continue
        if number == signal.SIGHUP:
            signal.signal(number, _do_nothing)  # `exec` resets a handler to the default
        elif number == signal.SIGINT:
            signal.signal(number, signal.default_int_handler)
        else:
            signal.signal(number, signal.SIG_DFL)


def _do_nothing(*_: object) -> None:
    """Handles a signal without any effect."""
