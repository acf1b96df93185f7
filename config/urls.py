"""Every URL of the project."""

from django.conf import settings
from django.contrib import admin
from django.urls import URLPattern, URLResolver, include, path

from checkpoints.views import pages

urlpatterns: list[URLPattern | URLResolver] = [
    path("", include("checkpoints.urls")),
    path("accounts/", include("allauth.urls")),
    path("admin/", admin.site.urls),
]
if settings.LOCAL:
    urlpatterns.append(path("demo/sign-in/", pages.demo_sign_in, name="demo_sign_in"))
