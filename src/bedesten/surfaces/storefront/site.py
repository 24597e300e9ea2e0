"""What a web shop or an app needs to know about the shop before a login. Nothing in it is secret."""

from typing import Annotated, Literal

from msgspec import Meta

from bedesten.catalogue.shop_list import regions_sold
from bedesten.core.money import EXPONENTS
from bedesten.http.context import RequestContext
from bedesten.http.schemas import EmptyBody, ResponseModel
from bedesten.orders.model import MAX_LINES, MAX_UNITS
from bedesten.payments import started
from bedesten.store.transaction import Transaction
from bedesten.surfaces.storefront.payments import PaymentMethodView, method_view
from bedesten.tenants import site as sites

Registration = Annotated[Literal["open", "closed"], Meta(title="Registration")]


class SiteText(ResponseModel, frozen=True):
    """One text of the shop in one language."""

    language: str
    key: str
    text: str


class SiteLimits(ResponseModel, frozen=True):
    """What a basket and a checkout can hold, and for how long a checkout reserves its goods."""

    max_lines: int
    max_quantity: int
    checkout_seconds: int


class SiteConfiguration(ResponseModel, frozen=True):
    """The public settings of the shop."""

    name: str
    sandbox: bool
    accent: str | None
    currency: str
    currency_digits: int
    region: str
    regions: list[str]
    languages: list[str]
    texts: list[SiteText]
    support_email: str | None
    support_url: str | None
    terms_url: str | None
    privacy_url: str | None
    registration: Registration
    payment_methods: list[PaymentMethodView]
    limits: SiteLimits


def configuration(tx: Transaction, context: RequestContext, _: EmptyBody) -> SiteConfiguration:
    """The public settings of the shop."""
    tenant, site = context.tenant, sites.site_of(tx)
    regions = [tenant.region, *(one for one in regions_sold(tx) if one != tenant.region)]
    methods = [method_view(one, tenant.currency) for one in started.methods_for(tx, tenant.currency)]
    return SiteConfiguration(
        name=site.get(sites.NAME, tenant.name),
        sandbox=tenant.sandbox,
        accent=tenant.brand.get("accent"),
        currency=tenant.currency,
        currency_digits=EXPONENTS[tenant.currency],
        region=tenant.region,
        regions=regions,
        languages=[one for one in site.get(sites.LANGUAGES, "").split(",") if one],
        texts=[SiteText(*one) for one in sites.texts_of(site)],
        support_email=site.get(sites.SUPPORT_EMAIL),
        support_url=site.get(sites.SUPPORT_URL),
        terms_url=site.get(sites.TERMS_URL),
        privacy_url=site.get(sites.PRIVACY_URL),
        registration="open" if site.get(sites.REGISTRATION, sites.OPEN) == sites.OPEN else "closed",
        payment_methods=methods,
        limits=SiteLimits(MAX_LINES, MAX_UNITS, context.checkout_ms // 1_000),
    )
