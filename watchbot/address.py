"""Hosts and ports as URLs have them: an address of IPv6 stands in brackets."""

_NEARBY = {"0.0.0.0": "127.0.0.1", "::": "::1"}  # noqa: S104  # what serves on all is asked here


def netloc(host: str, port: int | str) -> str:
    """`HOST:PORT`, with the brackets that an address of IPv6 needs."""
    bare = host.removeprefix("[").removesuffix("]")
    return f"[{bare}]:{port}" if ":" in bare else f"{bare}:{port}"


def nearby(host: str) -> str:
    """Where this machine itself reaches what is served on `host`."""
    return _NEARBY.get(host, host)
