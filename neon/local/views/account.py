"""The account: one person on one machine, in no organisation."""

from http import HTTPStatus

from django.http import HttpRequest

from neon.local import resources
from neon.local.wire import Answer

EMAIL = "local@example.com"
NAME = "Local"
BILLING = {
    "state": "active",
    "payment_source": {"type": ""},
    "subscription_type": "free_v2",
    "payment_method": "none",
    "quota_reset_at_last": "2025-01-01T00:00:00Z",
    "name": NAME,
    "email": EMAIL,
    "address_city": "",
    "address_country": "",
    "address_line1": "",
    "address_line2": "",
    "address_postal_code": "",
    "address_state": "",
}


def get_user(request: HttpRequest) -> Answer:
    """GET /users/me."""
    return HTTPStatus.OK, {
        "id": resources.OWNER,
        "email": EMAIL,
        "login": NAME,
        "name": NAME,
        "last_name": "",
        "image": "",
        "plan": "free_v2",
        "projects_limit": 0,
        "branches_limit": 0,
        "max_autoscaling_limit": 1,
        "active_seconds_limit": 0,
        "auth_accounts": [],
        "billing_account": BILLING,
    }


def list_organizations(request: HttpRequest) -> Answer:
    """GET /users/me/organizations."""
    return HTTPStatus.OK, {"organizations": []}


def list_regions(request: HttpRequest) -> Answer:
    """GET /regions."""
    here = {"region_id": resources.REGION, "name": "This machine", "default": True, "geo_lat": "0", "geo_long": "0"}
    return HTTPStatus.OK, {"regions": [here]}
