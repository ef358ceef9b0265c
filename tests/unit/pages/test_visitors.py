"""Who is let in, under which name, and who may act."""

import base64

import pytest

from watchbot.pages.tickets import LIFETIME_S, Tickets
from watchbot.pages.visitors import Everybody, ProxyUsers, TokenHolders, Visitor


def basic(name: str, password: str) -> dict[str, str]:
    return {"authorization": "Basic " + base64.b64encode(f"{name}:{password}".encode()).decode()}


def test_everybody_is_let_in_where_there_is_no_token() -> None:
    assert Everybody().admit({}) == Visitor(name="", may_act=True)


@pytest.mark.parametrize(
    ("headers", "visitor"),
    [
        ({}, None),
        ({"authorization": "Bearer wrong"}, None),
        ({"authorization": "Digest act"}, None),
        ({"authorization": "Basic ???"}, None),
        (basic("ann", "wrong"), None),
        (basic("ann", ""), None),
        ({"authorization": "Bearer act"}, Visitor()),
        (basic("ann", "act"), Visitor(name="ann")),
        (basic("bob", "look"), Visitor(name="bob", may_act=False)),
    ],
)
def test_tokens_tell_who_may_act(headers: dict[str, str], visitor: Visitor | None) -> None:
    assert TokenHolders("act", "look").admit(headers) == visitor


def test_no_empty_token_lets_in() -> None:
    assert TokenHolders("act").admit({"authorization": "Bearer "}) is None


def test_proxy_names_its_users() -> None:
    users = ProxyUsers("x-user", ["ann"], TokenHolders("act"))

    assert users.admit({"x-user": "ann"}) == Visitor(name="ann")
    assert users.admit({"x-user": "bob"}) == Visitor(name="bob", may_act=False)
    assert users.admit({}) is None
    assert users.admit({"authorization": "Bearer act"}) == Visitor()
    assert ProxyUsers("x-user", ["*"]).admit({"x-user": "bob"}) == Visitor(name="bob")


def test_ticket_admits_its_holder_once() -> None:
    now = 0.0
    tickets = Tickets(lambda: now)
    ticket, late = tickets.issue("ann"), tickets.issue("ann")

    assert not tickets.take("bob", ticket)
    assert tickets.take("ann", ticket)
    assert not tickets.take("ann", ticket)
    now = LIFETIME_S + 1
    assert not tickets.take("ann", late)
