"""Writes hosts and ports as URLs do, with brackets around an IPv6 address."""

_NEARBY = {"0.0.0.0": "127.0.0.1", "::": "::1"}  # noqa: S104 - names, not an address to listen on


def netloc(host: str, port: int | str) -> str:
    """`HOST:PORT`, with brackets around an IPv6 address."""
    return f"[{host}]:{port}" if ":" in host else f"{host}:{port}"


def bare(host: str) -> str:
    """The host without the brackets of an IPv6 address."""
    return host[1:-1] if host.startswith("[") and host.endswith("]") else host


def nearby(host: str) -> str:
    """The address at which this machine itself reaches a server on `host`."""
    return _NEARBY.get(host, host)
