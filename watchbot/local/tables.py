"""Changes moto's DynamoDB so that a transaction copies each of its tables once.

moto keeps a copy for the case that the transaction fails, and makes it anew for each of up to 100
parts: with 250 items in the table, a transaction takes a second, and every other call waits.
"""

import copy
from contextvars import ContextVar
from typing import Any

from moto.dynamodb.models import DynamoDBBackend
from moto.dynamodb.models.table import Table

_transact = DynamoDBBackend.transact_write_items
_copies: ContextVar[dict[int, Any]] = ContextVar("_copies")  # by the address of the original


def _write(backend: DynamoDBBackend, items: list[dict[str, Any]]) -> None:
    token = _copies.set({})
    try:
        _transact(backend, items)
    finally:
        _copies.reset(token)


def _copied(table: Any, memo: dict[int, Any]) -> Any:
    known = _copies.get({})
    if id(table) in known:
        return known[id(table)]
    made = known[id(table)] = memo[id(table)] = object.__new__(type(table))
    vars(made).update(copy.deepcopy(vars(table), memo))
    return made


def mend() -> None:
    """Has moto do so, for the rest of this process."""
    for owner, name, ours in (
        (DynamoDBBackend, "transact_write_items", _write),
        (Table, "__deepcopy__", _copied),
    ):
        setattr(owner, name, ours)
