"""JSON as DynamoDB writes it: each value in an object that names its type."""

from collections.abc import Mapping
from typing import Any

Value = Mapping[str, Any]


def encoded(value: Any) -> dict[str, Any]:
    """A value of JSON, or a set of whole numbers, as DynamoDB takes it."""
    match value:
        case None:
            return {"NULL": True}
        case bool():
            return {"BOOL": value}
        case int() | float():
            return {"N": repr(value)}
        case str():
            return {"S": value}
        case set():
            return {"NS": [str(number) for number in value]}
        case list() | tuple():
            return {"L": [encoded(each) for each in value]}
        case Mapping():
            return {"M": {str(name): encoded(each) for name, each in value.items()}}
    raise TypeError(f"{type(value).__name__} is no type of JSON")


def decoded(value: Value) -> Any:
    """A value as DynamoDB gave it; what no JSON holds is left as it is."""
    ((kind, inner),) = value.items()
    match kind:
        case "NULL":
            return None
        case "N":
            return _number(inner)
        case "NS":
            return {int(number) for number in inner}
        case "L":
            return [decoded(each) for each in inner]
        case "M":
            return {name: decoded(each) for name, each in inner.items()}
    return inner


def _number(text: str) -> int | float:
    try:
        return int(text)
    except ValueError:
        return float(text)
