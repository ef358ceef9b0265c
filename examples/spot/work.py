"""An hour's job in twelve units of five minutes; here a unit takes a fifth of a second.

On SIGTERM it ends its unit, stores how far it is, and leaves. The next run goes on from there.
"""

import os
import signal
import sys
import time

from watchbot import control

UNITS = 12
told_to_end = False


def leave(*_: object) -> None:
    """Notes that the machine is taken away."""
    global told_to_end
    told_to_end = True


signal.signal(signal.SIGTERM, leave)
done = int(control.resume() or 0)
print(f"goes on after unit {done}" if done else "begins")
while done < UNITS:
    time.sleep(0.2)  # the work
    done += 1
    with open(os.environ["EFFECTS"], "a") as effects:
        print("unit", done, file=effects)
    control.progress(done / UNITS)
    if told_to_end:
        control.checkpoint(str(done))
        sys.exit()  # the watcher ended it, so the exit code does not count
