"""Every URL of the project."""

from django.conf import settings
from django.contrib import admin
from django.http import Http404
from django.urls import URLPattern, URLResolver, include, path, re_path
from django.views.defaults import page_not_found

from checkpoints.views import pages

handler429 = "checkpoints.limits.refuse"  # allauth asks for it
handler500 = "checkpoints.outages.server_error"
urlpatterns: list[URLPattern | URLResolver] = [
    path("", include("checkpoints.urls")),
    path("accounts/", include("allauth.urls")),
    # Its "View on site" leads to pages that only their owners get, and breaks at an id that is none.
    re_path("^admin/r/", page_not_found, {"exception": Http404()}),
    path("admin/", admin.site.urls),
]
if settings.LOCAL:
    urlpatterns.append(path("demo/sign-in/", pages.demo_sign_in, name="demo_sign_in"))
