"""A stock service in Django behind the gate.

    BEDESTEN_DATA=/path/to/bedesten-data granian --interface wsgi django_app:application

Suppliers call it with their API keys, under a host name of their tenant. A project of your own has the three settings below
in its settings file, and its views in modules of their own.
"""

from pathlib import Path

from django.conf import settings
from django.core.wsgi import get_wsgi_application
from django.http import HttpRequest, JsonResponse
from django.urls import path

from bedesten.middleware import LocalAuthorizer
from bedesten.middleware.django import requires

settings.configure(
    ROOT_URLCONF=__name__,
    ALLOWED_HOSTS=["*"],  # the gate knows the tenants' hosts and refuses every other one
    MIDDLEWARE=["bedesten.middleware.django.GateMiddleware"],
    BEDESTEN_AUTHORIZER=LocalAuthorizer(Path(__file__).with_name("gate.toml")),
)


def status(_: HttpRequest) -> JsonResponse:
    """Public."""
    return JsonResponse({"status": "ok"})


def me(request: HttpRequest) -> JsonResponse:
    """For every supplier with a valid API key."""
    who = request.bedesten
    return JsonResponse({"tenant": who.tenant, "account": who.account, "rights": sorted(who.rights)})


def stock(request: HttpRequest, product: str) -> JsonResponse:
    """For suppliers whose API key has the grant that the route file names."""
    return JsonResponse({"product": product, "of": request.bedesten.account, "received": len(request.body)})


@requires("products:write")
def prices(request: HttpRequest, product: str) -> JsonResponse:
    """For those that may change products as well."""
    return JsonResponse({"product": product, "of": request.bedesten.account})


urlpatterns = [
    path("status", status),
    path("me", me),
    path("stock/<str:product>", stock),
    path("stock/<str:product>/prices", prices),
]
application = get_wsgi_application()
