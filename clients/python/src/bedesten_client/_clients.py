"""The clients of the surfaces with bearer tokens, for threads and for asyncio, with every operation as a method."""

from typing import Unpack

import httpx2

from bedesten_client._base import (
    AsyncBase,
    SecretLike,
    SyncBase,
    address_of,
    async_iterator,
    async_method,
    options_of,
    sync_iterator,
    sync_method,
    token_credential,
    token_login,
)
from bedesten_client._call import OptionValues
from bedesten_client._secret import Secret
from bedesten_client._session import CustomerSession
from bedesten_client._surfaces import reseller, storefront
from bedesten_client.schemas import Status, Token


class ResellerClient(SyncBase):
    """A partner's back end. `shop`: the shop's host or address. Keyword options are those of `Options`."""

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

    generate_token = sync_method(reseller.generate_token)
    reset_password = sync_method(reseller.reset_password)
    categories = sync_method(reseller.categories)
    list_products = sync_method(reseller.list_products)
    each_product = sync_iterator(reseller.list_products)
    product = sync_method(reseller.product)
    create_order = sync_method(reseller.create_order)
    validate_order = sync_method(reseller.validate_order)
    get_order = sync_method(reseller.get_order)
    order_detail = sync_method(reseller.order_detail)
    list_orders = sync_method(reseller.list_orders)
    each_order = sync_iterator(reseller.list_orders)
    cancel_order = sync_method(reseller.cancel_order)
    account = sync_method(reseller.account)
    set_low_balance = sync_method(reseller.set_low_balance)
    create_complaint = sync_method(reseller.create_complaint)
    list_complaints = sync_method(reseller.list_complaints)
    each_complaint = sync_iterator(reseller.list_complaints)
    get_complaint = sync_method(reseller.get_complaint)
    withdraw_complaint = sync_method(reseller.withdraw_complaint)
    list_transfers = sync_method(reseller.list_transfers)
    each_transfer = sync_iterator(reseller.list_transfers)
    create_endpoint = sync_method(reseller.create_endpoint)
    list_endpoints = sync_method(reseller.list_endpoints)
    update_endpoint = sync_method(reseller.update_endpoint)
    rotate_endpoint = sync_method(reseller.rotate_endpoint)
    test_endpoint = sync_method(reseller.test_endpoint)
    delete_endpoint = sync_method(reseller.delete_endpoint)
    list_deliveries = sync_method(reseller.list_deliveries)
    replay_deliveries = sync_method(reseller.replay_deliveries)
    simulate_webhooks = sync_method(reseller.simulate_webhooks)
    each_delivery = sync_iterator(reseller.list_deliveries)


class AsyncResellerClient(AsyncBase):
    """A partner's back end. `shop`: the shop's host or address. Keyword options are those of `Options`."""

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

    generate_token = async_method(reseller.generate_token)
    reset_password = async_method(reseller.reset_password)
    categories = async_method(reseller.categories)
    list_products = async_method(reseller.list_products)
    each_product = async_iterator(reseller.list_products)
    product = async_method(reseller.product)
    create_order = async_method(reseller.create_order)
    validate_order = async_method(reseller.validate_order)
    get_order = async_method(reseller.get_order)
    order_detail = async_method(reseller.order_detail)
    list_orders = async_method(reseller.list_orders)
    each_order = async_iterator(reseller.list_orders)
    cancel_order = async_method(reseller.cancel_order)
    account = async_method(reseller.account)
    set_low_balance = async_method(reseller.set_low_balance)
    create_complaint = async_method(reseller.create_complaint)
    list_complaints = async_method(reseller.list_complaints)
    each_complaint = async_iterator(reseller.list_complaints)
    get_complaint = async_method(reseller.get_complaint)
    withdraw_complaint = async_method(reseller.withdraw_complaint)
    list_transfers = async_method(reseller.list_transfers)
    each_transfer = async_iterator(reseller.list_transfers)
    create_endpoint = async_method(reseller.create_endpoint)
    list_endpoints = async_method(reseller.list_endpoints)
    update_endpoint = async_method(reseller.update_endpoint)
    rotate_endpoint = async_method(reseller.rotate_endpoint)
    test_endpoint = async_method(reseller.test_endpoint)
    delete_endpoint = async_method(reseller.delete_endpoint)
    list_deliveries = async_method(reseller.list_deliveries)
    replay_deliveries = async_method(reseller.replay_deliveries)
    simulate_webhooks = async_method(reseller.simulate_webhooks)
    each_delivery = async_iterator(reseller.list_deliveries)


class StorefrontClient(CustomerSession, SyncBase):
    """A web shop or an app, for one customer: one named here, one who logs in later, or none."""

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

    register = sync_method(storefront.register)

    def login(self, email: str, password: str | Secret, *, callback_data: object = None) -> Token:
        """Log a customer in. From now on the client calls as that customer."""
        return self._run(self._adopt_token(storefront.login(email, password, callback_data=callback_data)))

    def refresh(self) -> Token:
        """Exchange the token for a new one. The client does this by itself before the token expires."""
        return self._run(self._adopt_token(storefront.refresh()))

    def logout(self, *, everywhere: bool = False) -> Status:
        """End the session, or every session of the customer."""
        return self._run(self._forget_token(storefront.logout(everywhere=everywhere)))

    def change_password(self, current_password: str | Secret, new_password: str | Secret) -> Token:
        """Change the password, which ends every existing token. The client continues with a new one."""
        return self._run(self._change_password(current_password, new_password))

    list_sessions = sync_method(storefront.list_sessions)
    each_session = sync_iterator(storefront.list_sessions)
    end_session = sync_method(storefront.end_session)
    profile = sync_method(storefront.profile)
    update_profile = sync_method(storefront.update_profile)
    verify_email = sync_method(storefront.verify_email)
    change_email = sync_method(storefront.change_email)
    confirm_email = sync_method(storefront.confirm_email)
    send_verification = sync_method(storefront.send_verification)
    forgot_password = sync_method(storefront.forgot_password)
    reset_password = sync_method(storefront.reset_password)
    site_configuration = sync_method(storefront.site_configuration)
    list_products = sync_method(storefront.list_products)
    each_product = sync_iterator(storefront.list_products)
    product = sync_method(storefront.product)
    get_basket = sync_method(storefront.get_basket)
    set_basket = sync_method(storefront.set_basket)
    add_to_basket = sync_method(storefront.add_to_basket)
    update_basket_line = sync_method(storefront.update_basket_line)
    remove_from_basket = sync_method(storefront.remove_from_basket)
    clear_basket = sync_method(storefront.clear_basket)
    create_checkout = sync_method(storefront.create_checkout)
    cancel_checkout = sync_method(storefront.cancel_checkout)
    list_payment_methods = sync_method(storefront.list_payment_methods)
    start_payment = sync_method(storefront.start_payment)
    payment_status = sync_method(storefront.payment_status)
    list_orders = sync_method(storefront.list_orders)
    each_order = sync_iterator(storefront.list_orders)
    cancel_order = sync_method(storefront.cancel_order)
    get_order = sync_method(storefront.get_order)
    create_complaint = sync_method(storefront.create_complaint)
    list_complaints = sync_method(storefront.list_complaints)
    each_complaint = sync_iterator(storefront.list_complaints)
    get_complaint = sync_method(storefront.get_complaint)
    withdraw_complaint = sync_method(storefront.withdraw_complaint)
    list_transfers = sync_method(storefront.list_transfers)
    each_transfer = sync_iterator(storefront.list_transfers)


class AsyncStorefrontClient(CustomerSession, AsyncBase):
    """A web shop or an app, for one customer: one named here, one who logs in later, or none."""

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

    register = async_method(storefront.register)

    async def login(self, email: str, password: str | Secret, *, callback_data: object = None) -> Token:
        """Log a customer in. From now on the client calls as that customer."""
        return await self._run(self._adopt_token(storefront.login(email, password, callback_data=callback_data)))

    async def refresh(self) -> Token:
        """Exchange the token for a new one. The client does this by itself before the token expires."""
        return await self._run(self._adopt_token(storefront.refresh()))

    async def logout(self, *, everywhere: bool = False) -> Status:
        """End the session, or every session of the customer."""
        return await self._run(self._forget_token(storefront.logout(everywhere=everywhere)))

    async def change_password(self, current_password: str | Secret, new_password: str | Secret) -> Token:
        """Change the password, which ends every existing token. The client continues with a new one."""
        return await self._run(self._change_password(current_password, new_password))

    list_sessions = async_method(storefront.list_sessions)
    each_session = async_iterator(storefront.list_sessions)
    end_session = async_method(storefront.end_session)
    profile = async_method(storefront.profile)
    update_profile = async_method(storefront.update_profile)
    verify_email = async_method(storefront.verify_email)
    change_email = async_method(storefront.change_email)
    confirm_email = async_method(storefront.confirm_email)
    send_verification = async_method(storefront.send_verification)
    forgot_password = async_method(storefront.forgot_password)
    reset_password = async_method(storefront.reset_password)
    site_configuration = async_method(storefront.site_configuration)
    list_products = async_method(storefront.list_products)
    each_product = async_iterator(storefront.list_products)
    product = async_method(storefront.product)
    get_basket = async_method(storefront.get_basket)
    set_basket = async_method(storefront.set_basket)
    add_to_basket = async_method(storefront.add_to_basket)
    update_basket_line = async_method(storefront.update_basket_line)
    remove_from_basket = async_method(storefront.remove_from_basket)
    clear_basket = async_method(storefront.clear_basket)
    create_checkout = async_method(storefront.create_checkout)
    cancel_checkout = async_method(storefront.cancel_checkout)
    list_payment_methods = async_method(storefront.list_payment_methods)
    start_payment = async_method(storefront.start_payment)
    payment_status = async_method(storefront.payment_status)
    list_orders = async_method(storefront.list_orders)
    each_order = async_iterator(storefront.list_orders)
    cancel_order = async_method(storefront.cancel_order)
    get_order = async_method(storefront.get_order)
    create_complaint = async_method(storefront.create_complaint)
    list_complaints = async_method(storefront.list_complaints)
    each_complaint = async_iterator(storefront.list_complaints)
    get_complaint = async_method(storefront.get_complaint)
    withdraw_complaint = async_method(storefront.withdraw_complaint)
    list_transfers = async_method(storefront.list_transfers)
    each_transfer = async_iterator(storefront.list_transfers)
