"""`python -m tests.simulation.record --seeds 10000`: many histories, on all cores.

`--replay FILE` plays one history again and shows it. A seed that fails is made smaller and shown.
"""

import tests.conftest  # noqa: F401  # sets the environment, without anybody's credentials
from tests.simulation.playing import leave
from tests.simulation.record.simulation import SIMULATION

if __name__ == "__main__":
    leave(SIMULATION)
