"""Hosts and ports as URLs have them: an address of IPv6 stands in brackets."""

_NEARBY = {"0.0.0.0": "127.0.0.1", "::": "::1"}  # noqa: S104  # what serves on all is asked here


def netloc(host: str, port: int | str) -> str:
    """`HOST:PORT`, with the brackets that an address of IPv6 needs."""
    return f"[{host}]:{port}" if ":" in host else f"{host}:{port}"


def bare(host: str) -> str:
    """Without the brackets in which an address of IPv6 may be given."""
    return host[1:-1] if host.startswith("[") and host.endswith("]") else host


def nearby(host: str) -> str:
    """Where this machine itself reaches what is served on `host`."""
    return _NEARBY.get(host, host)
