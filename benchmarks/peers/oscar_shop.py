"""django-oscar: an order of one unit through its basket, availability policy, total and `OrderCreator`, on SQLite.

It runs in its own environment (`benchmarks.shop_contenders`): `prepare` creates the shop, `serve` runs gunicorn with
one process and one thread, which was faster than four that wait for each other's write lock. A session of Django identifies
the customer, who has logged in once. An order is one transaction, which takes the write lock first, so that the stock that
was checked is still there when it is allocated. WAL and `synchronous=FULL` make it durable before the response. No page is
rendered, no mail is sent, and nothing is charged.
"""

import argparse
import json
import os
import sys
from decimal import Decimal
from pathlib import Path
from typing import Any

import django
from django.conf import settings
from django.core.management import call_command
from django.core.wsgi import get_wsgi_application
from django.db import transaction
from django.http import HttpRequest, JsonResponse
from django.urls import include, path

PRODUCT, SESSION_FILE, EMAIL = "GIFT-10", "session", "customer@bench.example"
STOCK = 10_000_000
_DATA = "BEDESTEN_BENCH_PEER_DATA"
_PARTS = (
    "analytics checkout address shipping catalogue catalogue.reviews communication partner basket payment offer order "
    "customer search voucher wishlists dashboard dashboard.reports dashboard.users dashboard.orders dashboard.catalogue "
    "dashboard.offers dashboard.partners dashboard.pages dashboard.ranges dashboard.reviews dashboard.vouchers "
    "dashboard.communications dashboard.shipping"
)
urlpatterns: list[Any] = []


def configure(data: Path) -> None:
    """Configure Django with all apps of oscar, as its documentation lists them."""
    import oscar.defaults

    defaults = {name: getattr(oscar.defaults, name) for name in dir(oscar.defaults) if name.startswith("OSCAR_")}
    apps = "admin auth contenttypes sessions messages staticfiles sites flatpages"
    settings.configure(
        **defaults,
        SECRET_KEY="benchmark",
        ALLOWED_HOSTS=["*"],
        DEFAULT_AUTO_FIELD="django.db.models.AutoField",
        SITE_ID=1,
        ROOT_URLCONF=__name__,
        USE_TZ=True,
        DATABASES={
            "default": {
                "ENGINE": "django.db.backends.sqlite3",
                "NAME": data / "oscar.db",
                "CONN_MAX_AGE": None,
                "OPTIONS": {
                    "timeout": 30,
                    "transaction_mode": "IMMEDIATE",
                    "init_command": "PRAGMA journal_mode=WAL; PRAGMA synchronous=FULL",
                },
            }
        },
        INSTALLED_APPS=[
            *(f"django.contrib.{name}" for name in apps.split()),
            "oscar.config.Shop",
            *(f"oscar.apps.{_app(name)}" for name in _PARTS.split()),
            "widget_tweaks",
            "haystack",
            "treebeard",
            "django_tables2",
        ],
        MIDDLEWARE=[
            "django.middleware.common.CommonMiddleware",
            "django.contrib.sessions.middleware.SessionMiddleware",
            "django.contrib.auth.middleware.AuthenticationMiddleware",
        ],
        TEMPLATES=[{"BACKEND": "django.template.backends.django.DjangoTemplates", "APP_DIRS": True}],
        HAYSTACK_CONNECTIONS={"default": {"ENGINE": "haystack.backends.simple_backend.SimpleEngine"}},
    )
    django.setup()
    from django.apps import apps as registry

    urlpatterns.append(path("Orders/Create", create))
    urlpatterns.append(path("", include(registry.get_app_config("oscar").urls[0])))


def _app(name: str) -> str:
    """Return the path of an app's configuration: `dashboard.orders` has an `OrdersDashboardConfig`."""
    first, _, second = name.partition(".")
    words = (second, first) if first == "dashboard" else (first, second)
    return f"{name}.apps.{''.join(word.capitalize() for word in words)}Config"


def create(request: HttpRequest) -> JsonResponse:
    """Place an order from a body of Bedesten's contract, for the customer of the session."""
    if not request.user.is_authenticated:
        return JsonResponse({"success": False}, status=401)
    body = json.loads(request.body)
    (line,) = body["basketData"]
    with transaction.atomic():
        order, status = _place(request, body["orderReference"], line)
    if order is None:
        return JsonResponse({"success": False}, status=status)
    detail = {"deliverId": line["deliverId"], "orderDetailId": str(order.lines.get().pk), "quantity": line["quantity"]}
    return JsonResponse({"success": True, "message": "OK", "data": {"orderId": str(order.pk), "details": [detail]}})


def _place(request: HttpRequest, reference: str, line: dict[str, Any]) -> tuple[Any, int]:
    from oscar.apps.checkout.calculators import OrderTotalCalculator
    from oscar.apps.order.utils import OrderCreator
    from oscar.apps.partner.strategy import Selector
    from oscar.apps.shipping.methods import NoShippingRequired
    from oscar.core.loading import get_model

    basket = get_model("basket", "Basket").objects.create(owner=request.user)
    basket.strategy = Selector().strategy(request=request, user=request.user)
    product = get_model("catalogue", "Product").objects.get(upc=line["customerStoreProductId"])
    permitted, _ = basket.strategy.fetch_for_product(product).availability.is_purchase_permitted(line["quantity"])
    if not permitted:
        return None, 410
    basket.add_product(product, line["quantity"])
    method = NoShippingRequired()
    charge = method.calculate(basket)
    try:
        order = OrderCreator().place_order(
            basket=basket,
            total=OrderTotalCalculator().calculate(basket, charge),
            shipping_method=method,
            shipping_charge=charge,
            user=request.user,
            order_number=reference,
            status="Placed",
        )
    except ValueError:
        return None, 409
    basket.submit()
    return order, 200


def prepare(stock: int) -> str:
    """Create the shop with one product and one customer, and return the customer's session."""
    from django.contrib.auth import BACKEND_SESSION_KEY, HASH_SESSION_KEY, SESSION_KEY, get_user_model
    from django.contrib.sessions.backends.db import SessionStore
    from oscar.core.loading import get_model

    call_command("migrate", verbosity=0)
    kind = get_model("catalogue", "ProductClass").objects.create(name="Card", requires_shipping=False, track_stock=True)
    product = get_model("catalogue", "Product").objects.create(title="Gift card", upc=PRODUCT, product_class=kind)
    partner = get_model("partner", "Partner").objects.create(name="Warehouse")
    get_model("partner", "StockRecord").objects.create(
        product=product, partner=partner, partner_sku=PRODUCT, price=Decimal("12.50"), num_in_stock=stock
    )
    user = get_user_model().objects.create_user("customer", EMAIL, "seven lanterns by the gate")
    session = SessionStore()
    session[SESSION_KEY] = str(user.pk)
    session[BACKEND_SESSION_KEY] = "django.contrib.auth.backends.ModelBackend"
    session[HASH_SESSION_KEY] = user.get_session_auth_hash()
    session.save()
    return str(session.session_key)


def application() -> Any:
    """Return the WSGI application of a process."""
    configure(Path(os.environ[_DATA]))
    return get_wsgi_application()


def main() -> None:
    """Prepare the shop, or serve it."""
    parser = argparse.ArgumentParser()
    parser.add_argument("what", choices=("prepare", "serve"))
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--port", type=int)
    parser.add_argument("--stock", type=int, default=STOCK)
    asked = parser.parse_args()
    if asked.what == "prepare":
        configure(asked.data)
        (asked.data / SESSION_FILE).write_text(prepare(asked.stock), encoding="ascii")
        return
    os.environ[_DATA] = str(asked.data)
    line = [sys.executable, "-m", "gunicorn", "--bind", f"127.0.0.1:{asked.port}", "--workers", "1", "--threads"]
    line += ["1", "--worker-class", "gthread", "--keep-alive", "75", "--log-level", "warning"]
    os.execv(sys.executable, [*line, "benchmarks.peers.oscar_shop:application()"])


if __name__ == "__main__":
    main()
