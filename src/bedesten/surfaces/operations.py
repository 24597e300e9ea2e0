"""The routes of all four surfaces."""

from bedesten.http.route import Route
from bedesten.surfaces.payment import routes as payment
from bedesten.surfaces.reseller import routes as reseller
from bedesten.surfaces.storefront import routes as storefront
from bedesten.surfaces.supplier import routes as supplier

ROUTES: tuple[Route, ...] = (*reseller.ROUTES, *storefront.ROUTES, *payment.ROUTES, *supplier.ROUTES)
"""Every operation, in the order of the documents."""
