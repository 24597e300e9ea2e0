"""The handlers of the Supplier surface. A supplier sees its own products and lines, and nothing of their buyers."""

import contextlib
import json
from collections.abc import Iterator, Sequence
from functools import partial

import structlog

from bedesten import errors
from bedesten.audit.actions import record
from bedesten.catalogue import actions as catalogue
from bedesten.catalogue import batches, inventory, offers
from bedesten.catalogue.actions import Product
from bedesten.catalogue.batches import Duplicate, Source, Upload
from bedesten.catalogue.code import StockCode, read_code
from bedesten.catalogue.code_pattern import MalformedCodes
from bedesten.catalogue.inventory import Batch
from bedesten.catalogue.offers import Offer
from bedesten.complaints import recalls, supplier_recalls
from bedesten.complaints.supplier_recalls import SupplierRecall
from bedesten.core.clock import wire_time
from bedesten.core.money import to_decimal
from bedesten.core.text import key
from bedesten.errors import Refusal, bad_field
from bedesten.fulfilment import actions as fulfilment
from bedesten.fulfilment import routing
from bedesten.fulfilment.actions import SupplierLine
from bedesten.http.context import RequestContext
from bedesten.http.schemas import amount
from bedesten.orders.model import Line
from bedesten.store.transaction import Transaction
from bedesten.surfaces import statements, views
from bedesten.surfaces.schemas import Items, Page, Paging
from bedesten.surfaces.statements import GetStatement, Statement, SupplierEntry
from bedesten.surfaces.supplier import schemas
from bedesten.webhooks.product_events import tell_of_change

log = structlog.get_logger("bedesten.surfaces")


def list_products(tx: Transaction, context: RequestContext, body: Paging) -> Page[schemas.OfferView]:
    """One page of the supplier's own products."""
    page = views.requested_page(context, "offers", body)
    found = catalogue.supplier_products(tx, page, context.who.owner)
    return views.page_view(context, "offers", found, page, lambda one: one.id, _offer_view)


def upsert_products(tx: Transaction, context: RequestContext, body: schemas.UpsertProducts) -> Items[schemas.OfferView]:
    """Creates or changes products, all or none."""
    if len({key(one.sku) for one in body.products}) != len(body.products):
        raise bad_field("products", "must not contain a sku twice")
    changed = []
    for at, one in enumerate(body.products):
        cost = amount(one.cost, context.tenant.currency, f"products[{at}].cost")
        if cost < 0:
            raise bad_field(f"products[{at}].cost", "must be at least 0")
        offer = Offer(one.sku, one.name, cost, one.offered)
        changed.append(offers.upsert_offer(tx, context.who.owner, context.tenant.currency, offer, context.actor))
    for done in changed:
        if done.before is not None:
            tell_of_change(tx, done.before)
        if done.stopped:
            _log_stopped(context, done.product)
    return Items([_offer_view(done.product) for done in changed])


def _log_stopped(context: RequestContext, product: Product) -> None:
    """Logs for the operator that a product is no longer on sale: its cost exceeds its price."""
    assert product.price is not None, "a product without a price was not on sale"
    log.warning(
        "sale-stopped",
        tenant=context.tenant.id,
        supplier=context.who.owner,
        product=product.id,
        sku=product.sku,
        price=str(to_decimal(product.price, product.currency)),
        cost=None if product.cost is None else str(to_decimal(product.cost, product.currency)),
        currency=product.currency,
        request_id=context.request_id,
    )


def upload_stock(tx: Transaction, context: RequestContext, body: schemas.UploadStock) -> schemas.UploadResult:
    """Adds codes to the stock. A code that the shop has had before is skipped and counted."""
    product = catalogue.product(tx, body.product_id)
    if product is None or product.supplier_id != context.who.owner:
        raise Refusal(errors.NOT_FOUND, "no such product of this supplier", missing="product")
    if product.fulfilment == catalogue.SUPPLIER:
        raise bad_field("productId", "must be a product with stock; this one is delivered on demand")
    codes = _codes(body.codes, body.items)
    if not 1 <= len(codes) <= batches.CHUNK:
        raise bad_field("codes", f"must be 1 to {batches.CHUNK} codes, those of items included")
    source = Source("Supplier/Stock/Upload", context.who.owner, supplier=context.who.owner, unit_cost=product.cost)
    with _named_rows("codes", len(body.codes), "items"):
        done = batches.add(tx, context.cipher, product.id, codes, source)
    if done.added:
        record(tx, context.actor, "stock.upload", product.id, added=done.added, batch=done.batch_id)
    after = catalogue.product(tx, product.id)
    assert after is not None, "it was there a moment ago"
    skipped = [_skipped_view(tx, context.who.owner, one, done) for one in done.duplicates]
    return schemas.UploadResult(
        added=done.added,
        duplicates=len(skipped),
        available=after.available,
        batch_id=done.batch_id,
        skipped=skipped,
    )


def list_stock(tx: Transaction, context: RequestContext, body: schemas.ListStock) -> Page[schemas.BatchView]:
    """One page of the supplier's batches, the first sold first."""
    page = views.requested_page(context, "batches", body)
    found = inventory.supplier_batches(tx, page, context.who.owner, body.product_id or "")
    show = partial(_batch_view, currency=context.tenant.currency)
    return views.page_view(context, "batches", found, page, lambda one: one.id, show)


def withdraw_stock(tx: Transaction, context: RequestContext, body: schemas.WithdrawStock) -> schemas.StockWithdrawal:
    """Withdraws the unsold codes of one of the supplier's batches, or single codes of it, for good."""
    if (body.batch_id is None) is (not body.codes):
        raise bad_field("batchId", "exactly one of batchId and codes must be sent")
    if body.batch_id is not None:
        batch = inventory.find_batch(tx, body.batch_id)
        if batch is None or batch.supplier_id != context.who.owner:
            raise Refusal(errors.NOT_FOUND, "no such batch of this supplier", missing="batch")
        done = inventory.withdraw_batch(tx, batch, body.reason)
    else:
        codes = _codes(body.codes, ())
        done = inventory.withdraw_codes(tx, context.cipher, codes, body.reason, context.who.owner)
    if done.withdrawn:
        subject = body.batch_id or context.who.owner
        record(tx, context.actor, "stock.withdraw", subject, withdrawn=done.withdrawn, reason=body.reason)
    return schemas.StockWithdrawal(done.withdrawn, done.sold, done.unknown, done.before)


def recall_stock(tx: Transaction, context: RequestContext, body: schemas.RecallStock) -> schemas.StockRecall:
    """Freezes the supplier's unsold codes, and opens a complaint against the supplier for each sold one."""
    if (body.batch_id is None) is (not body.codes):
        raise bad_field("batchId", "exactly one of batchId and codes must be sent")
    supplier, codes = context.who.owner, _codes(body.codes, ())
    found = supplier_recalls.own_codes(tx, context.cipher, supplier, body.batch_id, codes)
    counts = recalls.counts(found.codes)
    if body.dry_run:
        stand = supplier_recalls.standing(tx, found.codes)
        done = SupplierRecall(0, 0, 0, stand, counts["sold"] + counts["replaced"] - stand)
    else:
        done = supplier_recalls.recall(tx, context.cipher, supplier, body.batch_id, codes, body.reason)
    return schemas.StockRecall(
        dry_run=body.dry_run,
        available=counts["free"],
        reserved=counts["held"],
        sold=counts["sold"],
        replaced=counts["replaced"],
        withdrawn_before=counts["withdrawn"],
        unknown=found.unknown,
        withdrawn=done.withdrawn,
        checkouts_expired=done.checkouts_expired,
        complaints_opened=done.opened,
        complaints_before=done.before,
        complaints_left=done.left,
    )


def awaiting(tx: Transaction, context: RequestContext, body: Paging) -> Page[schemas.AwaitingLine]:
    """One page of the lines that await the supplier, the oldest first."""
    page = views.requested_page(context, "awaiting", body)
    found = fulfilment.waiting_lines(tx, context.who.owner, page.after, page.size, page.since)
    return views.page_view(context, "awaiting", found, page, fulfilment.cursor_key, _awaiting_view)


def accept(tx: Transaction, context: RequestContext, body: schemas.Accept) -> schemas.AssignedLine:
    """Accepts an awaiting line, once."""
    promised = None if body.promised_by is None else views.parse_time(body.promised_by, "promisedBy")
    return _assigned_view(fulfilment.accept(tx, context.who.owner, body.order_detail_id, promised))


def reject(tx: Transaction, context: RequestContext, body: schemas.Reject) -> schemas.AssignedLine:
    """Gives an awaiting line back, once; another supplier gets it, or it is cancelled."""
    return _assigned_view(fulfilment.reject(tx, context.who.owner, body.order_detail_id, body.reason))


def deliver(tx: Transaction, context: RequestContext, body: schemas.Deliver) -> schemas.DeliveryResult:
    """Delivers an awaiting line or a part of it, once."""
    codes = _codes(body.delivery_data, body.delivery_items)
    if len({code.exact for code in codes}) != len(codes):
        raise bad_field("deliveryData", "must not contain a code twice")
    with _named_rows("deliveryData", len(body.delivery_data), "deliveryItems"):
        done = fulfilment.deliver(
            tx, context.cipher, context.who.owner, body.order_detail_id, codes, body.delivery_note
        )
    return schemas.DeliveryResult(
        order_detail_id=done.line.id,
        status=done.line.status,
        assigned=done.assigned,
        remaining=done.left,
        stocked=done.stocked,
        batch_id=done.batch_id,
    )


def _assigned_view(done: SupplierLine) -> schemas.AssignedLine:
    return schemas.AssignedLine(
        order_detail_id=done.line.id, status=done.line.status, assigned=done.assigned, remaining=done.left
    )


def statement(tx: Transaction, context: RequestContext, body: GetStatement) -> Statement[SupplierEntry]:
    """One page of the supplier's earnings and payouts."""
    return statements.supplier_statement(tx, context, body)


def _codes(codes: Sequence[str], items: Sequence[schemas.CodeItem]) -> list[StockCode]:
    """The codes of a request, in the normal form of their schema; those with parts come last."""
    return [*map(read_code, codes), *(read_code(one.code, one.pin, one.serial, one.expires, one.url) for one in items)]


@contextlib.contextmanager
def _named_rows(codes: str, count: int, items: str) -> Iterator[None]:
    """Names malformed codes by their place in the request: the first `count` are in `codes`, the rest in `items`."""
    problem: MalformedCodes | None = None
    try:
        yield
    except MalformedCodes as found:
        problem = found.named(lambda at: f"{codes}[{at}]" if at < count else f"{items}[{at - count}]")
    if problem:
        raise problem


def _skipped_view(tx: Transaction, supplier: str, one: Duplicate, done: Upload) -> schemas.SkippedCode:
    product = catalogue.product(tx, one.product_id)
    own = product is not None and product.supplier_id == supplier
    twice = one.batch_id is not None and (done.batch_id == one.batch_id)
    return schemas.SkippedCode(
        index=one.index,
        reason="twice" if twice else schemas.SKIP_REASONS[one.state],
        product_id=one.product_id if own else None,
        batch_id=one.batch_id if own else None,
    )


def _batch_view(batch: Batch, currency: str) -> schemas.BatchView:
    return schemas.BatchView(
        batch_id=batch.id,
        product_id=batch.product_id,
        created=wire_time(batch.created),
        unit_cost=None if batch.unit_cost is None else to_decimal(batch.unit_cost, currency),
        currency=currency,
        codes=batch.codes,
        available=batch.free,
        reserved=batch.claimed,
        sold=batch.sold,
        withdrawn=batch.withdrawn,
        withdrawn_because=batch.reason,
        note=batch.note,
        next_expiry=_time_view(batch.next_expiry),
    )


def _offer_view(product: Product) -> schemas.OfferView:
    return schemas.OfferView(
        product_id=product.id,
        sku=product.supplier_sku,
        name=product.name,
        cost=None if product.cost is None else to_decimal(product.cost, product.currency),
        currency=product.currency,
        offered=bool(product.offered),
        on_sale=product.sellable,
        proposed_name=product.proposed_name,
        fulfilment=product.fulfilment,
        available=product.available,
        code_pattern=product.code_pattern,
        pin_pattern=product.pin_pattern,
        serial_pattern=product.serial_pattern,
        updated=wire_time(product.updated),
    )


def _time_view(at: int | None) -> str | None:
    return None if at is None else wire_time(at)


def _awaiting_view(line: Line) -> schemas.AwaitingLine:
    assert line.queued is not None, "every awaiting line is queued"
    return schemas.AwaitingLine(
        order_detail_id=line.id,
        product_id=line.product_id,
        product_name=line.product_name,
        quantity=line.quantity,
        require_data=[
            schemas.RequireDataView(one["productRequireId"], one["identifier"], one["value"])
            for one in json.loads(line.require_data)
        ],
        queued=wire_time(line.queued),
        remaining=routing.left(line),
        accepted=_time_view(line.accepted),
        promised_by=_time_view(line.promised),
        deadline=_time_view(line.deadline),
    )
