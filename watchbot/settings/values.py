"""Types of template values: a text, a number or a list, or a function of CloudFormation.

`{"Ref": NAME}` or another function may replace any of these values: as a mapping in Python, as
JSON on the command line. Nothing here checks the function itself.
"""

import json
import re
from collections.abc import Callable
from dataclasses import dataclass
from typing import Annotated, Any, Literal

from pydantic import AfterValidator, BeforeValidator, ValidatorFunctionWrapHandler, WrapValidator

Intrinsic = dict[str, Any]
Envelope = Literal["open", "keep", "legacy"]  # how an SNS envelope is treated


def is_intrinsic(value: object) -> bool:
    """Whether this is a function of CloudFormation, whose value is not known yet."""
    if not isinstance(value, dict) or len(value) != 1:
        return False
    name = str(next(iter(value)))
    return name == "Ref" or name.startswith("Fn::")


@dataclass(frozen=True, slots=True)
class Limited(WrapValidator):
    """A validator that also tells its limits, for those who write them down elsewhere."""

    least: int | None = None
    most: int | None = None
    allowed: tuple[str | int, ...] = ()


def whole(least: int, most: int) -> Limited:
    """A whole number within limits."""

    def check(value: int) -> None:
        if not least <= value <= most:
            raise ValueError(f"must be {least} to {most}, not {value}")

    return Limited(_or_intrinsic(check).func, least=least, most=most)


def text(pattern: str, wanted: str, *, secret: bool = False) -> WrapValidator:
    """A text that matches `pattern`; `wanted` describes it. Errors do not repeat a `secret` one."""

    def check(value: str) -> None:
        if not re.fullmatch(pattern, value):
            given = "what was given" if secret else repr(value)
            raise ValueError(f"must be {wanted}, not {given}")

    return _or_intrinsic(check)


def literal(pattern: str, wanted: str) -> AfterValidator:
    """A text that matches `pattern`; no function of CloudFormation can replace it."""

    def check(value: str) -> str:
        if not re.fullmatch(pattern, value):
            raise ValueError(f"must be {wanted}, not {value!r}")
        return value

    return AfterValidator(check)


def one_of(*allowed: str | int) -> Limited:
    """One of the `allowed` values."""

    def check(value: str | int) -> None:
        if value not in allowed:
            listed = ", ".join(str(each) for each in allowed)
            raise ValueError(f"must be one of {listed}, not {value!r}")

    return Limited(_or_intrinsic(check).func, allowed=allowed)


def _or_intrinsic(check: Callable[[Any], None]) -> WrapValidator:
    def validate(value: Any, handler: ValidatorFunctionWrapHandler) -> Any:
        value = _parsed(value)
        if is_intrinsic(value):
            return value
        if isinstance(value, dict):
            raise ValueError(f"must be a value, or like {{'Ref': 'NAME'}}, not {value!r}")
        known = handler(value)
        check(known)
        return known

    return WrapValidator(validate)


def _parsed(value: Any) -> Any:
    """The value of JSON from the command line; other values stay unchanged."""
    if not isinstance(value, str) or not value.lstrip().startswith(("{", "[")):
        return value
    try:
        return json.loads(value)
    except (ValueError, RecursionError):
        raise ValueError(f"begins like JSON, but is not valid JSON: {value!r}") from None


def _pairs(value: Any) -> Any:
    """`("A=1", "B=2")`, as flags give it, or one JSON object, or a mapping; as a mapping."""
    if isinstance(value, dict):
        return {str(name): _element(each) for name, each in value.items()}
    pairs: dict[str, Any] = {}
    for item in _listed(value):
        parsed = _parsed(item)
        if isinstance(parsed, dict):
            pairs |= _pairs(parsed)
            continue
        name, equals, rest = str(item).partition("=")
        if not name or not equals:
            raise ValueError(f"must be NAME=VALUE, not {item!r}")
        pairs[name] = _function(rest)
    return pairs


def _function(words: str) -> Any:
    """The function of CloudFormation in this JSON; other JSON stays text."""
    try:
        parsed = json.loads(words)
    except (ValueError, RecursionError):
        return words
    return parsed if is_intrinsic(parsed) else words


def _elements(value: Any) -> Any:
    """`"a,b"`, JSON, or a list; as a tuple. A function of CloudFormation stays unchanged."""
    value = _parsed(value)
    if isinstance(value, str):
        return tuple(part.strip() for part in value.split(",") if part.strip())
    if is_intrinsic(value):
        return value
    if not isinstance(value, list | tuple):
        raise ValueError(f"must be a list, or like {{'Ref': 'NAME'}}, not {value!r}")
    return tuple(_element(each) for each in value)


def _element(value: Any) -> Any:
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, int | float):
        return str(value)
    if isinstance(value, str) or is_intrinsic(value):
        return value
    raise ValueError(f"must hold texts or mappings like {{'Ref': 'NAME'}}, not {value!r}")


def _objects(value: Any) -> Any:
    """A list of JSON objects, as flags or Python give it; as a tuple."""
    found: list[Any] = []
    for item in _listed(value):
        parsed = _parsed(item)
        found += parsed if isinstance(parsed, list) else [parsed]
    for each in found:
        if not isinstance(each, dict):
            raise ValueError(f"must be JSON objects, not {each!r}")
    return tuple(found)


def _listed(value: Any) -> list[Any]:
    return list(value) if isinstance(value, list | tuple) else [value]


ANY_TEXT = text(r"(?s).+", "a text")

Text = Annotated[str | Intrinsic, ANY_TEXT]
Pairs = Annotated[dict[str, Any], BeforeValidator(_pairs)]
Texts = Annotated[tuple[str | Intrinsic, ...] | Intrinsic, BeforeValidator(_elements)]
Objects = Annotated[tuple[Any, ...], BeforeValidator(_objects)]
