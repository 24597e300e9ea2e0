"""Sixteen concurrent requests with one `Idempotency-Key` get one answer, even a refusal that the state decided."""

import asyncio
import itertools
from collections.abc import Callable, Coroutine
from decimal import Decimal
from typing import Any

import pytest

from bedesten import errors
from bedesten.errors import Refusal
from bedesten.http import idempotency
from bedesten.ledger import actions as ledger
from bedesten.orders import actions as orders
from bedesten.store.transaction import Transaction
from tests.domain.tenant import CARD, Tenant, fresh, request
from tests.races.conftest import RUNNERS
from tests.support.nth_failure import assert_all_or_nothing

CONTENT = b"c" * 32
Answer = bytes | tuple[int, str, object]


async def asked(tenant: Tenant, key: str, work: Callable[[Transaction], object]) -> Answer:
    """Sends a request with the key; returns the response's bytes, or the refusal as on the wire."""
    try:
        got = await idempotency.answer(tenant.store, tenant.id, tenant.partner, key, CONTENT, work)
    except Refusal as refusal:
        got = refusal
    return (got.code.number, got.text, got.data) if isinstance(got, Refusal) else got


def run(coroutine: Coroutine[Any, Any, Any]) -> Any:
    return asyncio.run(coroutine)


async def together(*coroutines: Coroutine[Any, Any, Any]) -> list[Any]:
    return list(await asyncio.gather(*coroutines))


def buy(tenant: Tenant, product: str) -> Callable[[Transaction], object]:
    """Places an order without a caller's reference: only the key makes it idempotent."""
    numbers = itertools.count()

    def work(tx: Transaction) -> object:
        placed = orders.place(tx, tenant.buyer, request((product, 1), reference=fresh(f"r{next(numbers)}")))
        return {"orderId": placed.order.id, "total": Decimal("5.00")}

    return work


def test_sixteen_at_once_place_one_order_and_get_one_answer(tenant: Tenant) -> None:
    card, key = tenant.card(RUNNERS), fresh("key")
    answers = run(together(*(asked(tenant, key, buy(tenant, card)) for _ in range(RUNNERS))))
    assert len(set(answers)) == 1
    assert isinstance(answers[0], bytes)
    assert tenant.available(card) == RUNNERS - 1
    assert tenant.balance().posted == -CARD
    assert run(asked(tenant, key, buy(tenant, card))) == answers[0]


def test_a_refusal_that_the_state_decided_is_repeated_after_the_state_has_changed(tenant: Tenant) -> None:
    tenant.credit(0)
    card, key = tenant.card(1), fresh("key")
    answers = run(together(*(asked(tenant, key, buy(tenant, card)) for _ in range(RUNNERS))))
    assert {one[0] for one in answers} == {-300}
    tenant.credit(CARD)
    assert run(asked(tenant, key, buy(tenant, card))) == answers[0]
    assert (tenant.available(card), tenant.balance().posted) == (1, 0)
    assert isinstance(run(asked(tenant, fresh("key"), buy(tenant, card))), bytes)


def test_all_sixteen_get_the_same_answer_while_the_state_changes(tenant: Tenant) -> None:
    card = tenant.card(RUNNERS)

    async def lend(limit: int) -> None:
        await tenant.store.write(
            tenant.id, lambda tx: ledger.set_credit(tx, ledger.account(tx, tenant.partner, "partner", "USD"), limit)
        )

    for turn in range(1, 7):
        owed = -tenant.balance().posted
        key, before = fresh("key"), tenant.available(card)
        tenant.credit(owed)
        many = [asked(tenant, key, buy(tenant, card)) for _ in range(RUNNERS)]
        many.insert(turn, lend(owed + CARD))  # type: ignore[arg-type]
        answers = [one for one in run(together(*many)) if one is not None]
        assert len({str(one) for one in answers}) == 1
        bought = isinstance(answers[0], bytes)
        assert before - tenant.available(card) == int(bought)
        assert run(asked(tenant, key, buy(tenant, card))) == answers[0]


@pytest.mark.parametrize("code", [errors.BAD_REQUEST, errors.TOO_MANY_REQUESTS, errors.UNAVAILABLE, errors.INTERNAL])
def test_a_refusal_that_the_state_did_not_decide_is_not_stored(tenant: Tenant, code: errors.ErrorCode) -> None:
    key = fresh("key")

    def refuse(tx: Transaction) -> object:
        raise Refusal(code, "for now")

    assert run(asked(tenant, key, refuse))[0] == code.number
    assert run(asked(tenant, key, lambda tx: {"ok": 1})) == b'{"ok":1}'


@pytest.mark.parametrize("returned", [True, False])
def test_a_stored_refusal_keeps_its_text_fields_and_amounts(tenant: Tenant, *, returned: bool) -> None:
    first = Refusal(
        errors.CHECKOUT_EXPIRED,
        "the goods are gone",
        fields={"amount": "is over"},
        data={"refundAmount": Decimal("12.50"), "items": [{"productId": "p", "reason": "x"}]},
    )
    missing = Refusal(errors.NOT_FOUND, "no such payment", missing="payment")
    for refusal in (first, missing):
        key = fresh("key")

        def work(tx: Transaction, refusal: Refusal = refusal) -> object:
            if returned:
                return refusal
            raise refusal

        def later(tx: Transaction) -> object:
            raise AssertionError("the answer is known")

        for one in (work, later):
            got = run(idempotency.answer(tenant.store, tenant.id, tenant.partner, key, CONTENT, one))
            assert (got.code, got.text, got.data) == (refusal.code, refusal.text, refusal.data)
            assert (got.fields or None) == refusal.fields
    assert str(first.data["refundAmount"]) == "12.50"  # type: ignore[index]


def test_a_key_with_different_content_is_refused_even_after_a_refusal(tenant: Tenant) -> None:
    key = fresh("key")

    def refuse(tx: Transaction) -> object:
        raise Refusal(errors.NOT_ORDERABLE, "sold out")

    async def ask(content: bytes) -> Any:
        return await idempotency.answer(tenant.store, tenant.id, tenant.partner, key, content, refuse)

    assert run(ask(CONTENT)).code.number == -200
    with pytest.raises(Refusal) as refused:
        run(ask(b"d" * 32))
    assert refused.value.code.number == -8
    assert run(ask(CONTENT)).code.number == -200


def test_a_crash_at_any_statement_keeps_both_the_order_and_its_answer_or_neither(tenant: Tenant) -> None:
    card, key = tenant.card(3), fresh("key")

    def place(tx: Transaction) -> object:
        return idempotency.once(tx, tenant.partner, key, CONTENT, buy(tenant, card))

    calls = 17 if tenant.store.dialect == "sqlite" else 7  # statements of a first order: it opens a ledger account
    first = assert_all_or_nothing(tenant.installation, tenant.id, place, at_least=calls)
    assert tenant.write(place) == first
    assert tenant.available(card) == 2
