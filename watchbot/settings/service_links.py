"""Variables that Kubernetes sets for a Service, in every container, by the Service's name.

Uses only the standard library, as `healthcheck` does.
"""

import re

# A Service called `watchbot-metrics` sets this in the place of the option.
_PORT = re.compile(r"(tcp|udp|sctp)://\S+:\d+", re.IGNORECASE)


def service_link(variable: str, value: object) -> str | None:
    """A sentence with the fault and its fix if this port is a Service's address; else None."""
    if not isinstance(value, str) or not _PORT.fullmatch(value):
        return None
    service = variable.removesuffix("_PORT").lower().replace("_", "-")
    return (
        f"must be a whole number, not {value!r}: Kubernetes sets it for a Service called"
        f" {service}; set `enableServiceLinks: false` in the pod's spec, or rename the Service"
    )
