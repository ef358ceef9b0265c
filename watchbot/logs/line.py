"""Makes log lines as text and as JSON; imports little, as every call of `watchbot-log` loads it.

Text:  [Thu, 28 Jul 2016 00:12:37 GMT] [worker] [<message id>] what happened
JSON:  one object a line, with the fields that ecs-watchbot's logger wrote.
"""

import json
import os
import time
from collections.abc import Mapping, Sequence
from functools import lru_cache
from json.encoder import encode_basestring_ascii
from typing import Any

MOST_IDS = 100  # of a batch, in a line that is about all of it

_DAYS = ("Mon", "Tue", "Wed", "Thu", "Fri", "Sat", "Sun")
_MONTHS = "Jan Feb Mar Apr May Jun Jul Aug Sep Oct Nov Dec".split()


def date(seconds: float) -> str:
    """The date as HTTP and JavaScript's toUTCString write it: Thu, 28 Jul 2016 00:12:37 GMT."""
    return _date(int(seconds))


@lru_cache(maxsize=1)  # many lines have one second in common
def _date(seconds: int) -> str:
    moment = time.gmtime(seconds)
    day, month = _DAYS[moment.tm_wday], _MONTHS[moment.tm_mon - 1]
    return f"{day}, {moment.tm_mday:02d} {month} {time.strftime('%Y %H:%M:%S', moment)} GMT"


def prefix(who: str, message_id: str | None) -> str:
    """The start of a text line of `who`, as "watcher" or "worker", with the time of now."""
    about = f"[{message_id}] " if message_id else ""
    return f"[{date(time.time())}] [{who}] {about}"


class Envelope:
    """Makes JSON lines quickly from the fields that all lines of one moment share.

    `who` is the speaker, as in text lines; ecs-watchbot's logger called this field `name`.
    `batch` has the ids of messages that the line is about together, `queue` is the name of theirs.
    """

    def __init__(
        self,
        *,
        who: str,
        level: int,
        message_id: str | None,
        batch: Sequence[str] = (),
        queue: str = "",
    ) -> None:
        now = time.time()
        whole = time.strftime("%Y-%m-%dT%H:%M:%S", time.gmtime(now))
        self._fields: dict[str, Any] = {
            "v": 0,
            "level": level,
            "name": who,
            "hostname": os.uname().nodename,
            "pid": os.getpid(),
            "time": f"{whole}.{int(now % 1 * 1e3):03d}Z",
        }
        if message_id:
            self._fields["watchbot_sqs_message_id"] = message_id
        if len(batch) > 1:
            self._fields["watchbot_batch"] = batch[:MOST_IDS]
            self._fields["watchbot_batch_size"] = len(batch)
        if queue:
            self._fields["queue"] = queue
        self._start = json.dumps(self._fields)[:-1] + ', "msg": '

    def line(self, text: str) -> str:
        """A JSON line with this text."""
        return f"{self._start}{encode_basestring_ascii(text)}}}\n"

    def merged(self, fields: Mapping[str, Any]) -> str:
        """A JSON line with these fields, which replace ours of equal name.

        Python writes NaN and Infinity, which JSON has not: here they are texts.
        """
        line = {**self._fields, "msg": "", **fields}
        try:
            return json.dumps(line, default=str, allow_nan=False) + "\n"
        except ValueError:
            named = json.loads(json.dumps(line, default=str), parse_constant=str)
            return json.dumps(named) + "\n"
