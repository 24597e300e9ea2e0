"""Creates accounts and changes what they may do."""

from collections.abc import Iterable
from dataclasses import dataclass

from sqlalchemy import select, update

from bedesten import errors
from bedesten.accounts import links
from bedesten.accounts.tables import accounts, revoked_tokens
from bedesten.audit.actions import OPERATOR, Actor, record
from bedesten.core import text
from bedesten.core.clock import wire_time
from bedesten.core.revision import token_version_step
from bedesten.errors import Refusal, bad_field, normalised_field
from bedesten.gate.passwords import PasswordHash
from bedesten.gate.scopes import Surface, check_scopes
from bedesten.store.sql import TENANT, insert_of, p, rows_as, statement
from bedesten.store.transaction import Transaction

PREFIXES = {"partner": "par", "customer": "cus", "supplier": "sup", "integration": "int"}
SURFACES = {"partner": Surface.RESELLER, "customer": Surface.STOREFRONT}
ERASED_DOMAIN = "erased.invalid"
"""The domain of the e-mails of erased customers (RFC 2606): no mail goes there, and nobody can register one."""
OWNERS = {Surface.SUPPLIER: "supplier", Surface.PAYMENT: "integration"}


PAGE_SIZE = 200
"""Number of accounts in one page by default."""


@dataclass(frozen=True, slots=True)
class Account:
    """One account. `scopes` None means every scope of its surface; `password` is an argon2id hash or None.

    `verified` is when its e-mail address was verified, or None.
    """

    id: str
    kind: str
    handle: str
    name: str
    password: str | None
    pepper_id: str | None
    api: bool
    disabled: bool
    scopes: str | None
    token_version: int
    created: int
    verified: int | None = None


_COLUMNS = (
    accounts.c.id,
    accounts.c.kind,
    accounts.c.handle,
    accounts.c.name,
    accounts.c.password,
    accounts.c.pepper_id,
    accounts.c.api,
    accounts.c.disabled,
    accounts.c.scopes,
    accounts.c.token_version,
    accounts.c.created,
    accounts.c.verified,
)
_CREATE = insert_of(accounts, or_ignore=True)
_BY_HANDLE = rows_as(
    Account,
    select(*_COLUMNS).where(
        accounts.c.tenant_id == TENANT, accounts.c.kind == p("kind"), accounts.c.handle == p("handle")
    ),
)
_BY_ID = rows_as(
    Account,
    select(*_COLUMNS).where(accounts.c.tenant_id == TENANT, accounts.c.kind == p("kind"), accounts.c.id == p("id")),
)
_LIST = rows_as(
    Account,
    select(*_COLUMNS).where(accounts.c.tenant_id == TENANT, accounts.c.kind == p("kind")).order_by(accounts.c.id),
)
_PAGE = rows_as(
    Account,
    select(*_COLUMNS)
    .where(accounts.c.tenant_id == TENANT, accounts.c.kind == p("kind"), accounts.c.id > p("after"))
    .order_by(accounts.c.id)
    .limit(p("most")),
)
_HERE = (accounts.c.tenant_id == TENANT) & (accounts.c.id == p("id"))
_SET_SCOPES = statement(update(accounts).where(_HERE).values(scopes=p("scopes")))
_SET_DISABLED = statement(update(accounts).where(_HERE).values(disabled=p("disabled")))
_SET_EDITS_TEXTS = statement(update(accounts).where(_HERE).values(may_edit_texts=p("allowed")))
_SET_PASSWORD = statement(update(accounts).where(_HERE).values(password=p("phc"), pepper_id=p("pepper")))
_UPGRADE = statement(
    update(accounts).where(_HERE, accounts.c.password == p("was")).values(password=p("phc"), pepper_id=p("pepper"))
)
_SET_VERIFIED = statement(update(accounts).where(_HERE, accounts.c.verified.is_(None)).values(verified=p("now")))
_SET_EMAIL = statement(
    update(accounts).where(_HERE, accounts.c.handle == p("was")).values(handle=p("new_handle"), verified=p("now"))
)
_SET_NAME = statement(update(accounts).where(_HERE).values(name=p("new_name")))
_ADVANCE = statement(update(accounts).where(_HERE).values(token_version=accounts.c.token_version + p("step")))
_REVOKE_TOKEN = insert_of(revoked_tokens, or_ignore=True)


def create(
    tx: Transaction,
    kind: str,
    handle: str,
    name: str,
    *,
    password: PasswordHash | None = None,
    api: bool = True,
    scopes: Iterable[str] | None = None,
    advance: bool = True,
    account: str | None = None,
) -> str | None:
    """Creates an account and returns its id, or None if the tenant already has one of this kind and handle.

    Without `advance` the caller advances the revision later in the transaction, because revocations wait from then on.
    `account` is its id, if the caller has made one.
    Raises `Refusal` (-2) for the address of an erased customer.
    """
    if handle.endswith(f"@{ERASED_DOMAIN}"):
        raise bad_field("email", "must be an e-mail address")
    account = account or tx.new_id(PREFIXES[kind])
    made = tx.run(
        _CREATE,
        id=account,
        kind=kind,
        handle=handle,
        name=name,
        password=password.phc if password else None,
        pepper_id=password.pepper_id if password else None,
        api=int(api),
        disabled=0,
        scopes=_scopes(kind, scopes),
        token_version=1,
        created=tx.now,
        may_edit_texts=0,
        verified=None,
    )
    if (
        made and advance and kind != "customer"
    ):  # customers register themselves, too often to advance the revision each time
        tx.advance_revision("account", account)
    return account if made else None


def find_or_create_owner(tx: Transaction, surface: Surface, name: str, *, advance: bool = True) -> str:
    """Returns the id of the supplier or integration with this name; creates it if it does not exist (see `create`)."""
    kind = OWNERS[surface]
    name = normalised_field(text.name, name, "owner")
    if len(name) > text.MAX_IDENTIFIER:
        raise bad_field("owner", f"must have at most {text.MAX_IDENTIFIER} characters")
    handle = text.key(name)
    found = tx.one(_BY_HANDLE, kind=kind, handle=handle)
    if found:
        return found.id
    made = create(tx, kind, handle, name, advance=advance)
    if made:
        record(tx, OPERATOR, f"{kind}.create", made, name=name)
        return made
    found = tx.one(_BY_HANDLE, kind=kind, handle=handle)
    assert found is not None, "a conflicting account is there to be read"
    return found.id


def by_handle(tx: Transaction, kind: str, handle: str) -> Account | None:
    """Returns the account of this kind and handle (a canonical e-mail or a folded name)."""
    return tx.one(_BY_HANDLE, kind=kind, handle=handle)


def by_id(tx: Transaction, kind: str, account: str) -> Account | None:
    """Returns the account of this kind with this id."""
    return tx.one(_BY_ID, kind=kind, id=account)


def find(tx: Transaction, kind: str, name: str) -> Account:
    """Returns the account with this id or handle. Raises `Refusal` (-3)."""
    found = by_id(tx, kind, name) or by_handle(tx, kind, name if kind in SURFACES else text.key(name))
    if found is None:
        raise Refusal(errors.NOT_FOUND, f"no {kind} {name!r}", fields={kind: f"there is no such {kind}"})
    return found


def set_scopes(tx: Transaction, account: Account, scopes: Iterable[str] | None) -> None:
    """Replaces the account's scopes; None gives it every scope of its surface. Takes effect on the next request."""
    before, after = account.scopes, _scopes(account.kind, scopes)
    tx.run(_SET_SCOPES, id=account.id, scopes=after)
    tx.advance_revision("account", account.id)
    named = [None if scopes is None else scopes.split() for scopes in (before, after)]
    record(tx, OPERATOR, "account.scopes", account.id, before=named[0], after=named[1])


def set_disabled(tx: Transaction, account: Account, disabled: bool, actor: Actor = OPERATOR) -> None:
    """Disables the account, which ends its tokens for good, or enables it again."""
    links.drop_reset(tx, account.id)
    tx.run(_SET_DISABLED, id=account.id, disabled=int(disabled))
    tx.run(_ADVANCE, id=account.id, step=token_version_step())
    tx.advance_revision("account", account.id)
    action = "account.disable" if disabled else "account.enable"
    record(tx, actor, action, account.id, before=bool(account.disabled), after=disabled)


def set_may_edit_texts(tx: Transaction, account: Account, allowed: bool) -> None:
    """Decides whether a supplier's texts for products on sale take effect without the operator's approval."""
    tx.run(_SET_EDITS_TEXTS, id=account.id, allowed=int(allowed))
    record(tx, OPERATOR, "supplier.may_edit_texts", account.id, name=account.name, after=allowed)


def set_password(tx: Transaction, account: str, password: PasswordHash, actor: Actor) -> None:
    """Changes the password, and ends the reset link and every token issued under the old password."""
    links.drop_reset(tx, account)
    tx.run(_SET_PASSWORD, id=account, phc=password.phc, pepper=password.pepper_id)
    end_tokens(tx, account, actor)


def set_verified(tx: Transaction, account: str, actor: Actor) -> None:
    """Records that the owner receives mail at the account's address. A second call changes nothing."""
    if tx.run(_SET_VERIFIED, id=account, now=tx.now):
        record(tx, actor, "account.verify", account)


def set_email(tx: Transaction, account: Account, email: str, actor: Actor) -> None:
    """Changes the e-mail of an account to a verified one, and ends the reset link. Raises `Refusal` (-8)."""
    if by_handle(tx, account.kind, email) is not None:
        problem = "another account has this e-mail address"
        raise Refusal(errors.CONFLICT, problem, fields={"token": problem})
    if not tx.run(_SET_EMAIL, id=account.id, was=account.handle, new_handle=email, now=tx.now):
        raise Refusal(errors.CONFLICT, "the e-mail address was changed at this moment")
    links.drop_reset(tx, account.id)
    record(tx, actor, "account.email", account.id)


def set_name(tx: Transaction, account: str, name: str, actor: Actor) -> None:
    """Changes the name of the account's owner. The audit row records the change but not the name."""
    tx.run(_SET_NAME, id=account, new_name=name)
    record(tx, actor, "account.name", account)


def upgrade_hash(tx: Transaction, account: Account, better: PasswordHash) -> None:
    """Stores a stronger hash of the same password, unless the password has changed in the meantime.

    Tokens stay valid.
    """
    tx.run(_UPGRADE, id=account.id, was=account.password, phc=better.phc, pepper=better.pepper_id)


def end_tokens(tx: Transaction, account: str, actor: Actor) -> None:
    """Ends every bearer token of the account that was issued before now. Raises `Refusal` (-3)."""
    if not tx.run(_ADVANCE, id=account, step=token_version_step()):
        raise Refusal(errors.NOT_FOUND, "no such account", fields={"subject": "there is no such account"})
    tx.advance_revision("account", account)
    record(tx, actor, "account.tokens.revoke", account)


def revoke_token(tx: Transaction, jti: str, expires: int, actor: Actor) -> None:
    """Ends one bearer token; a second call changes nothing.

    `expires` is the time from which its revocation may be dropped.
    """
    if tx.run(_REVOKE_TOKEN, jti=jti, expires=expires):
        tx.advance_revision("token", f"{jti} {expires}")
        record(tx, actor, "token.revoke", jti)


def list_all(tx: Transaction, kind: str) -> list[dict[str, object]]:
    """Lists every account of the kind as the operator sees it."""
    return [account_view(account) for account in tx.all(_LIST, kind=kind)]


def list_page(tx: Transaction, kind: str, after: str = "", limit: int = PAGE_SIZE) -> tuple[list[Account], str | None]:
    """Lists accounts of the kind in order of creation, and the id after which the next page begins."""
    found = tx.all(_PAGE, kind=kind, after=after, most=limit + 1)
    return found[:limit], found[limit - 1].id if len(found) > limit else None


def account_view(account: Account) -> dict[str, object]:
    """Returns an account as the operator sees it."""
    view: dict[str, object] = {"id": account.id, "name": account.name, "disabled": bool(account.disabled)}
    if account.kind in SURFACES:
        view["email"] = account.handle
        view["api"] = bool(account.api)
        view["scopes"] = None if account.scopes is None else account.scopes.split()
    view["created"] = wire_time(account.created)
    return view


def _scopes(kind: str, scopes: Iterable[str] | None) -> str | None:
    if scopes is None:
        return None
    named = frozenset(scopes)
    try:
        check_scopes(SURFACES[kind], named)
    except ValueError as error:
        raise bad_field("scope", str(error)) from error
    return " ".join(sorted(named))
