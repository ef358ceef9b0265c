"""Reads the region, and the server to ask, from a queue's URL or an ARN.

SQS has had many names: `sqs.REGION`, `REGION.queue` and `queue` before the suffix of a partition,
`sqs-fips`, dual stack, and an interface endpoint's own. A server that is not AWS's has any name.
https://docs.aws.amazon.com/general/latest/gr/sqs-service.html
"""

import re
from typing import NamedTuple
from urllib.parse import urlsplit

_REGION = r"(?P<region>[a-z]{2,4}(?:-[a-z]+)+-\d+)"
_SUFFIXES = (  # of all partitions
    *("amazonaws.com", "amazonaws.com.cn", "amazonaws.eu", "c2s.ic.gov", "sc2s.sgov.gov"),
    *("cloud.adc-e.uk", "csp.hci.ic.gov"),
)
_DUAL_STACK = (
    *("api.aws", "api.amazonwebservices.com.cn", "api.amazonwebservices.eu", "api.aws.ic.gov"),
    *("api.aws.scloud", "api.cloud-aws.adc-e.uk", "api.aws.hci.ic.gov"),
)
_SUFFIX = f"(?:{'|'.join(map(re.escape, _SUFFIXES))})"
_ANY_SUFFIX = f"(?:{'|'.join(map(re.escape, (*_SUFFIXES, *_DUAL_STACK)))})"

# boto makes this server's name from the region alone.
_USUAL = re.compile(rf"(?:sqs\.{_REGION}|{_REGION.replace('region', 'old')}\.queue)\.{_SUFFIX}")
_OLDEST = re.compile(r"(?:queue|sqs)\.amazonaws\.com")  # from when there was one region
# Users choose these servers on purpose: keep them.
_CHOSEN = re.compile(rf"(?:vpce-[a-z0-9-]+\.)?sqs(?:-fips)?\.{_REGION}\.(?:vpce\.)?{_ANY_SUFFIX}")
_FOREIGN = re.compile(rf"sqs\.{_REGION}\..+|{_REGION.replace('region', 'old')}\.queue\..+")

_ARN = re.compile(rf"arn:[a-z-]+:[a-z0-9-]+:{_REGION}:")
_IN_PATH = re.compile(rf"/queue/{_REGION}/\d+/[^/]+/?")  # LocalStack's, by option
_BELOW = re.compile(r"(?P<base>(?:/[^/]+)*?)/\d{12}/[^/]+/?")


class Whereabouts(NamedTuple):
    """A region and an endpoint, each None where the text names none (or AWS's usual endpoint)."""

    region: str | None = None
    server: str | None = None


def whereabouts(address: str) -> Whereabouts:
    """Region and server of a queue URL or an ARN; nothing for any other text."""
    if arn := _ARN.match(address):
        return Whereabouts(arn["region"])
    if not address.lower().startswith(("http://", "https://")):
        return Whereabouts()
    parts = urlsplit(address)
    host = (parts.hostname or "").removesuffix(".")
    if usual := _USUAL.fullmatch(host):
        return Whereabouts(usual["region"] or usual["old"])
    if _OLDEST.fullmatch(host):
        return Whereabouts("us-east-1")
    base = f"{parts.scheme}://{parts.netloc}"
    if chosen := _CHOSEN.fullmatch(host):
        return Whereabouts(chosen["region"], base)
    return _elsewhere(host, parts.path, base)


def _elsewhere(host: str, path: str, base: str) -> Whereabouts:
    if in_path := _IN_PATH.fullmatch(path):
        return Whereabouts(in_path["region"], base)
    named = _FOREIGN.fullmatch(host)
    region = (named["region"] or named["old"]) if named else None
    below = _BELOW.fullmatch(path)  # a proxy, or a server of several services
    return Whereabouts(region, base + below["base"] if below else base)


def is_fifo(address: str) -> bool:
    """Whether a queue's URL, or an ARN or a name of a queue or topic, belongs to a FIFO one."""
    return address.rstrip("/").endswith(".fifo")


def elsewhere_than_aws(url: str) -> str | None:
    """The server in a queue's URL if its name is not below a domain of AWS; else None."""
    server = whereabouts(url).server
    return None if server is None or is_below_aws(urlsplit(server).hostname or "") else server


def is_below_aws(host: str) -> bool:
    """Whether a host's name is below a domain of AWS's."""
    return re.fullmatch(rf".+\.{_ANY_SUFFIX}", host) is not None


def is_of_aws(url: str) -> bool:
    """Whether a queue's URL names a server of AWS's own, by a name that nobody else can get."""
    parts = urlsplit(url)
    host = (parts.hostname or "").removesuffix(".")
    if "@" in parts.netloc or parts.port not in (None, 443, 80):
        return False
    if _USUAL.fullmatch(host) or _OLDEST.fullmatch(host):
        return True  # boto always calls it by HTTPS
    return parts.scheme == "https" and _CHOSEN.fullmatch(host) is not None


def is_unambiguous(url: str) -> bool:
    """Whether no part of a password would count as host, port or path, and be printed."""
    try:
        parts = urlsplit(url)
        behind = url.replace(f"//{parts.netloc}", "", 1)
        return parts.port != 0 and parts.netloc.count("@") < 2 and "@" not in behind
    except ValueError:
        return False


def queue_name(url: str) -> str:
    """The last part of a queue's URL."""
    return url.rstrip("/").rpartition("/")[2]
