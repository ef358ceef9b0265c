"""Sums the numbers of a message such as {"numbers": [1, 2, 3]}.

A retry cannot mend a message of another form: with exit code 3 the watcher deletes the message and
publishes a notice. Any other error is a failure (Python's exit code 1): the watcher retries the
message.
"""

import json
import os
import sys


def main() -> int:
    try:
        numbers = json.load(sys.stdin)["numbers"]
        total = sum(numbers)
    except (ValueError, KeyError, TypeError) as error:
        print(f"not a list of numbers: {error!r}", file=sys.stderr)
        return 3
    print(f"worker {os.environ['WATCHBOT_WORKER']}: the sum is {total}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
