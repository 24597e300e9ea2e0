"""The clients: one for each surface, for threads and for asyncio, with every operation as a method."""

from typing import Unpack

import httpx2

from bedesten_client._base import (
    AsyncBase,
    KeyedAsync,
    KeyedSync,
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
from bedesten_client._surfaces import payment, reseller, storefront, supplier
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
    send_verification = sync_method(storefront.send_verification)
    forgot_password = sync_method(storefront.forgot_password)
    reset_password = sync_method(storefront.reset_password)
    list_products = sync_method(storefront.list_products)
    each_product = sync_iterator(storefront.list_products)
    product = sync_method(storefront.product)
    create_checkout = sync_method(storefront.create_checkout)
    cancel_checkout = sync_method(storefront.cancel_checkout)
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
    send_verification = async_method(storefront.send_verification)
    forgot_password = async_method(storefront.forgot_password)
    reset_password = async_method(storefront.reset_password)
    list_products = async_method(storefront.list_products)
    each_product = async_iterator(storefront.list_products)
    product = async_method(storefront.product)
    create_checkout = async_method(storefront.create_checkout)
    cancel_checkout = async_method(storefront.cancel_checkout)
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


class PaymentClient(KeyedSync):
    """A payment service or a back office."""

    create_deposit = sync_method(payment.create_deposit)
    confirm_deposit = sync_method(payment.confirm_deposit)
    create_payment = sync_method(payment.create_payment)
    capture_payment = sync_method(payment.capture_payment)
    cancel_payment = sync_method(payment.cancel_payment)
    reject_deposit = sync_method(payment.reject_deposit)
    get_deposit = sync_method(payment.get_deposit)
    list_deposits = sync_method(payment.list_deposits)
    each_deposit = sync_iterator(payment.list_deposits)
    authorise_payment = sync_method(payment.authorise_payment)
    refund_payment = sync_method(payment.refund_payment)
    get_payment = sync_method(payment.get_payment)
    list_payments = sync_method(payment.list_payments)
    each_payment = sync_iterator(payment.list_payments)
    list_refunds = sync_method(payment.list_refunds)
    each_refund = sync_iterator(payment.list_refunds)
    confirm_refund = sync_method(payment.confirm_refund)
    fail_refund = sync_method(payment.fail_refund)
    notify = sync_method(payment.notify)
    list_events = sync_method(payment.list_events)
    each_event = sync_iterator(payment.list_events)
    list_settlements = sync_method(payment.list_settlements)
    each_settlement = sync_iterator(payment.list_settlements)
    get_key = sync_method(payment.get_key)
    rotate_key = sync_method(payment.rotate_key)
    revoke_key = sync_method(payment.revoke_key)


class AsyncPaymentClient(KeyedAsync):
    """A payment service or a back office."""

    create_deposit = async_method(payment.create_deposit)
    confirm_deposit = async_method(payment.confirm_deposit)
    create_payment = async_method(payment.create_payment)
    capture_payment = async_method(payment.capture_payment)
    cancel_payment = async_method(payment.cancel_payment)
    reject_deposit = async_method(payment.reject_deposit)
    get_deposit = async_method(payment.get_deposit)
    list_deposits = async_method(payment.list_deposits)
    each_deposit = async_iterator(payment.list_deposits)
    authorise_payment = async_method(payment.authorise_payment)
    refund_payment = async_method(payment.refund_payment)
    get_payment = async_method(payment.get_payment)
    list_payments = async_method(payment.list_payments)
    each_payment = async_iterator(payment.list_payments)
    list_refunds = async_method(payment.list_refunds)
    each_refund = async_iterator(payment.list_refunds)
    confirm_refund = async_method(payment.confirm_refund)
    fail_refund = async_method(payment.fail_refund)
    notify = async_method(payment.notify)
    list_events = async_method(payment.list_events)
    each_event = async_iterator(payment.list_events)
    list_settlements = async_method(payment.list_settlements)
    each_settlement = async_iterator(payment.list_settlements)
    get_key = async_method(payment.get_key)
    rotate_key = async_method(payment.rotate_key)
    revoke_key = async_method(payment.revoke_key)


class SupplierClient(KeyedSync):
    """A supplier of goods."""

    list_products = sync_method(supplier.list_products)
    each_product = sync_iterator(supplier.list_products)
    upsert_products = sync_method(supplier.upsert_products)
    upload_stock = sync_method(supplier.upload_stock)
    list_stock = sync_method(supplier.list_stock)
    each_stock = sync_iterator(supplier.list_stock)
    withdraw_stock = sync_method(supplier.withdraw_stock)
    recall_stock = sync_method(supplier.recall_stock)
    list_awaiting = sync_method(supplier.list_awaiting)
    each_awaiting = sync_iterator(supplier.list_awaiting)
    accept = sync_method(supplier.accept)
    reject = sync_method(supplier.reject)
    deliver = sync_method(supplier.deliver)
    list_complaints = sync_method(supplier.list_complaints)
    each_complaint = sync_iterator(supplier.list_complaints)
    get_complaint = sync_method(supplier.get_complaint)
    answer_complaint = sync_method(supplier.answer_complaint)
    list_transfers = sync_method(supplier.list_transfers)
    each_transfer = sync_iterator(supplier.list_transfers)
    create_endpoint = sync_method(supplier.create_endpoint)
    list_endpoints = sync_method(supplier.list_endpoints)
    update_endpoint = sync_method(supplier.update_endpoint)
    rotate_endpoint = sync_method(supplier.rotate_endpoint)
    test_endpoint = sync_method(supplier.test_endpoint)
    delete_endpoint = sync_method(supplier.delete_endpoint)
    list_deliveries = sync_method(supplier.list_deliveries)
    replay_deliveries = sync_method(supplier.replay_deliveries)
    simulate_webhooks = sync_method(supplier.simulate_webhooks)
    each_delivery = sync_iterator(supplier.list_deliveries)
    get_key = sync_method(supplier.get_key)
    rotate_key = sync_method(supplier.rotate_key)
    revoke_key = sync_method(supplier.revoke_key)


class AsyncSupplierClient(KeyedAsync):
    """A supplier of goods."""

    list_products = async_method(supplier.list_products)
    each_product = async_iterator(supplier.list_products)
    upsert_products = async_method(supplier.upsert_products)
    upload_stock = async_method(supplier.upload_stock)
    list_stock = async_method(supplier.list_stock)
    each_stock = async_iterator(supplier.list_stock)
    withdraw_stock = async_method(supplier.withdraw_stock)
    recall_stock = async_method(supplier.recall_stock)
    list_awaiting = async_method(supplier.list_awaiting)
    each_awaiting = async_iterator(supplier.list_awaiting)
    accept = async_method(supplier.accept)
    reject = async_method(supplier.reject)
    deliver = async_method(supplier.deliver)
    list_complaints = async_method(supplier.list_complaints)
    each_complaint = async_iterator(supplier.list_complaints)
    get_complaint = async_method(supplier.get_complaint)
    answer_complaint = async_method(supplier.answer_complaint)
    list_transfers = async_method(supplier.list_transfers)
    each_transfer = async_iterator(supplier.list_transfers)
    create_endpoint = async_method(supplier.create_endpoint)
    list_endpoints = async_method(supplier.list_endpoints)
    update_endpoint = async_method(supplier.update_endpoint)
    rotate_endpoint = async_method(supplier.rotate_endpoint)
    test_endpoint = async_method(supplier.test_endpoint)
    delete_endpoint = async_method(supplier.delete_endpoint)
    list_deliveries = async_method(supplier.list_deliveries)
    replay_deliveries = async_method(supplier.replay_deliveries)
    simulate_webhooks = async_method(supplier.simulate_webhooks)
    each_delivery = async_iterator(supplier.list_deliveries)
    get_key = async_method(supplier.get_key)
    rotate_key = async_method(supplier.rotate_key)
    revoke_key = async_method(supplier.revoke_key)
