"""What a program takes over from the one that started it, put right before anything else.

`exec` hands on which signals are ignored and which are blocked, and which descriptors are closed.
None of that is ours to trust: with SIGCHLD ignored the end of a worker cannot be waited for, and
in the place of a closed descriptor 0, 1 or 2 the next file that is opened would be written to.
"""

import os
import signal
import sys

_STREAMS = (("stdin", "r"), ("stdout", "w"), ("stderr", "w"))
# Python ignores these itself, and undoes it for what it starts.
_PYTHONS_OWN = {signal.SIGPIPE, signal.SIGXFSZ}
# Linux drops what process 1 has no handler for; held back, they wait until `lifecycle` has one.
_HELD_BACK = {signal.SIGTERM, signal.SIGQUIT, signal.SIGHUP}


def put_right() -> None:
    """Opens what is closed of the descriptors 0, 1 and 2; gives all signals back their defaults.

    An ignored SIGHUP does nothing still, as `nohup` wants it, but is not ignored by the programs
    that this one starts. To be called once, from the main thread.
    """
    _open_streams()
    _unignore_signals()
    signal.pthread_sigmask(signal.SIG_SETMASK, _HELD_BACK if os.getpid() == 1 else ())


def _open_streams() -> None:
    for number, (name, mode) in enumerate(_STREAMS):
        try:
            os.fstat(number)
        except OSError:
            os.open(os.devnull, os.O_RDWR)  # the lowest number that is free: this one
            os.set_inheritable(number, True)
            if getattr(sys, name) is None:
                setattr(sys, name, os.fdopen(number, mode, closefd=False))


def _unignore_signals() -> None:
    for number in signal.valid_signals():
        if signal.getsignal(number) is not signal.SIG_IGN or number in _PYTHONS_OWN:
            continue
        if number == signal.SIGHUP:
            signal.signal(number, _do_nothing)  # `exec` gives a default back in its place
        elif number == signal.SIGINT:
            signal.signal(number, signal.default_int_handler)
        else:
            signal.signal(number, signal.SIG_DFL)


def _do_nothing(*_: object) -> None:
    """Takes a signal, without any effect."""
