"""The clients: each surface for threads and for asyncio. Every operation of the server's tables is a method."""

from collections.abc import Callable
from typing import Unpack

import httpx2

from bedesten_client._base import (
    AsyncBase,
    KeyedAsync,
    KeyedSync,
    SecretLike,
    SyncBase,
    address_of,
    awaited,
    each,
    each_awaited,
    options_of,
    sync,
    token_credential,
    token_login,
)
from bedesten_client._call import Call, Options, OptionValues
from bedesten_client._flow import Flow
from bedesten_client._secret import Secret
from bedesten_client._session import adopting, changing_password, forgetting
from bedesten_client._surfaces import payment, reseller, storefront, supplier
from bedesten_client._tokens import TokenCredential
from bedesten_client.schemas import Status, Token


class ResellerClient(SyncBase):
    """A partner's back end. `shop` is the host of the shop; options are those of `Options`."""

    def __init__(
        self,
        shop: str,
        *,
        email: str,
        password: SecretLike,
        http: httpx2.Client | None = None,
        allow_http: bool = False,
        **options: Unpack[OptionValues],
    ) -> None:
        credential = token_credential(token_login(reseller.LOGIN_PATH, email, password))
        super().__init__(address_of(shop, allow_http=allow_http), credential, options_of(options), http)

    generate_token = sync(reseller.generate_token)
    categories = sync(reseller.categories)
    list_products = sync(reseller.list_products)
    each_product = each(reseller.list_products)
    product = sync(reseller.product)
    create_order = sync(reseller.create_order)
    get_order = sync(reseller.get_order)
    order_detail = sync(reseller.order_detail)
    account = sync(reseller.account)


class AsyncResellerClient(AsyncBase):
    """A partner's back end. `shop` is the host of the shop; options are those of `Options`."""

    def __init__(
        self,
        shop: str,
        *,
        email: str,
        password: SecretLike,
        http: httpx2.AsyncClient | None = None,
        allow_http: bool = False,
        **options: Unpack[OptionValues],
    ) -> None:
        credential = token_credential(token_login(reseller.LOGIN_PATH, email, password))
        super().__init__(address_of(shop, allow_http=allow_http), credential, options_of(options), http)

    generate_token = awaited(reseller.generate_token)
    categories = awaited(reseller.categories)
    list_products = awaited(reseller.list_products)
    each_product = each_awaited(reseller.list_products)
    product = awaited(reseller.product)
    create_order = awaited(reseller.create_order)
    get_order = awaited(reseller.get_order)
    order_detail = awaited(reseller.order_detail)
    account = awaited(reseller.account)


class _Shopper:
    """What both Storefront clients know of the customer's session."""

    _tokens: TokenCredential
    _options: Options
    _clock: Callable[[], float]

    def _adopting(self, call: Call[Token]) -> Flow[Token]:
        return adopting(call, self._tokens, self._options, self._clock)

    def _changing_password(self, current: str | Secret, new: str | Secret) -> Flow[Token]:
        return changing_password(current, new, self._tokens, self._options, self._clock)

    def _forgetting(self, call: Call[Status]) -> Flow[Status]:
        return forgetting(call, self._tokens, self._options, self._clock)


class StorefrontClient(_Shopper, SyncBase):
    """A web shop or an app, for one customer: one that is named here, one that logs in later, or nobody."""

    def __init__(
        self,
        shop: str,
        *,
        email: str | None = None,
        password: SecretLike | None = None,
        http: httpx2.Client | None = None,
        allow_http: bool = False,
        **options: Unpack[OptionValues],
    ) -> None:
        login = token_login(storefront.LOGIN_PATH, email, password)
        credential = token_credential(login, storefront.REFRESH_PATH)
        self._tokens = credential
        super().__init__(address_of(shop, allow_http=allow_http), credential, options_of(options), http)

    register = sync(storefront.register)

    def login(self, email: str, password: str | Secret, *, callback_data: object = None) -> Token:
        """Logs a customer in: the client's calls are that customer's from now on."""
        return self._run(self._adopting(storefront.login(email, password, callback_data=callback_data)))

    def refresh(self) -> Token:
        """Exchanges the living token for a fresh one. The client does it by itself before the token ends."""
        return self._run(self._adopting(storefront.refresh()))

    def logout(self, *, everywhere: bool = False) -> Status:
        """Ends the session, or every session of the customer."""
        return self._run(self._forgetting(storefront.logout(everywhere=everywhere)))

    def change_password(self, current_password: str | Secret, new_password: str | Secret) -> Token:
        """Changes the password and ends every token that there was; the client goes on with a fresh one."""
        return self._run(self._changing_password(current_password, new_password))

    list_sessions = sync(storefront.list_sessions)
    each_session = each(storefront.list_sessions)
    end_session = sync(storefront.end_session)
    profile = sync(storefront.profile)
    list_products = sync(storefront.list_products)
    each_product = each(storefront.list_products)
    product = sync(storefront.product)
    create_checkout = sync(storefront.create_checkout)
    cancel_checkout = sync(storefront.cancel_checkout)
    get_order = sync(storefront.get_order)


class AsyncStorefrontClient(_Shopper, AsyncBase):
    """A web shop or an app, for one customer: one that is named here, one that logs in later, or nobody."""

    def __init__(
        self,
        shop: str,
        *,
        email: str | None = None,
        password: SecretLike | None = None,
        http: httpx2.AsyncClient | None = None,
        allow_http: bool = False,
        **options: Unpack[OptionValues],
    ) -> None:
        login = token_login(storefront.LOGIN_PATH, email, password)
        credential = token_credential(login, storefront.REFRESH_PATH)
        self._tokens = credential
        super().__init__(address_of(shop, allow_http=allow_http), credential, options_of(options), http)

    register = awaited(storefront.register)

    async def login(self, email: str, password: str | Secret, *, callback_data: object = None) -> Token:
        """Logs a customer in: the client's calls are that customer's from now on."""
        return await self._run(self._adopting(storefront.login(email, password, callback_data=callback_data)))

    async def refresh(self) -> Token:
        """Exchanges the living token for a fresh one. The client does it by itself before the token ends."""
        return await self._run(self._adopting(storefront.refresh()))

    async def logout(self, *, everywhere: bool = False) -> Status:
        """Ends the session, or every session of the customer."""
        return await self._run(self._forgetting(storefront.logout(everywhere=everywhere)))

    async def change_password(self, current_password: str | Secret, new_password: str | Secret) -> Token:
        """Changes the password and ends every token that there was; the client goes on with a fresh one."""
        return await self._run(self._changing_password(current_password, new_password))

    list_sessions = awaited(storefront.list_sessions)
    each_session = each_awaited(storefront.list_sessions)
    end_session = awaited(storefront.end_session)
    profile = awaited(storefront.profile)
    list_products = awaited(storefront.list_products)
    each_product = each_awaited(storefront.list_products)
    product = awaited(storefront.product)
    create_checkout = awaited(storefront.create_checkout)
    cancel_checkout = awaited(storefront.cancel_checkout)
    get_order = awaited(storefront.get_order)


class PaymentClient(KeyedSync):
    """A payment service or a back office."""

    create_deposit = sync(payment.create_deposit)
    confirm_deposit = sync(payment.confirm_deposit)
    create_payment = sync(payment.create_payment)
    capture_payment = sync(payment.capture_payment)
    cancel_payment = sync(payment.cancel_payment)
    get_key = sync(payment.get_key)
    rotate_key = sync(payment.rotate_key)
    revoke_key = sync(payment.revoke_key)


class AsyncPaymentClient(KeyedAsync):
    """A payment service or a back office."""

    create_deposit = awaited(payment.create_deposit)
    confirm_deposit = awaited(payment.confirm_deposit)
    create_payment = awaited(payment.create_payment)
    capture_payment = awaited(payment.capture_payment)
    cancel_payment = awaited(payment.cancel_payment)
    get_key = awaited(payment.get_key)
    rotate_key = awaited(payment.rotate_key)
    revoke_key = awaited(payment.revoke_key)


class SupplierClient(KeyedSync):
    """A supplier of goods."""

    list_products = sync(supplier.list_products)
    each_product = each(supplier.list_products)
    upsert_products = sync(supplier.upsert_products)
    upload_stock = sync(supplier.upload_stock)
    list_awaiting = sync(supplier.list_awaiting)
    each_awaiting = each(supplier.list_awaiting)
    deliver = sync(supplier.deliver)
    get_key = sync(supplier.get_key)
    rotate_key = sync(supplier.rotate_key)
    revoke_key = sync(supplier.revoke_key)


class AsyncSupplierClient(KeyedAsync):
    """A supplier of goods."""

    list_products = awaited(supplier.list_products)
    each_product = each_awaited(supplier.list_products)
    upsert_products = awaited(supplier.upsert_products)
    upload_stock = awaited(supplier.upload_stock)
    list_awaiting = awaited(supplier.list_awaiting)
    each_awaiting = each_awaited(supplier.list_awaiting)
    deliver = awaited(supplier.deliver)
    get_key = awaited(supplier.get_key)
    rotate_key = awaited(supplier.rotate_key)
    revoke_key = awaited(supplier.revoke_key)
