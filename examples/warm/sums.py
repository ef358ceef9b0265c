"""Sums lists of numbers. Try it with `echo '{"numbers": [1, 2]}' | python3 sums.py`."""

import json
import os

import watchbot


def add_up(message: watchbot.WorkMessage) -> None:
    try:
        total = sum(json.loads(message.body)["numbers"])
    except (ValueError, KeyError, TypeError) as error:
        raise watchbot.Reject(f"not a list of numbers: {error!r}") from error
    print(f"worker {os.environ.get('WATCHBOT_WORKER', '0')}: the sum is {total}")


watchbot.work(add_up)
