"""The site's URLs."""

from django.urls import URLPattern, URLResolver, include, path

from checkpoints.views import actions, contacts, manage, pages

contact = [
    path("", contacts.contact, name="contact"),
    path("edit/", contacts.contact_edit, name="contact_edit"),
    path("delete/", contacts.contact_delete, name="contact_delete"),
]

checkpoint: list[URLPattern | URLResolver] = [
    path("", pages.checkpoint, name="checkpoint"),
    path("restore/", actions.restore, name="restore"),
    path("advance/", actions.advance, name="advance"),
    path("changes/", manage.changes, name="changes"),
    path("rename/", manage.rename, name="rename"),
    path("pin/", manage.pin, name="pin"),
    path("delete/", manage.delete, name="delete"),
    path("contacts/", contacts.contact_add, name="contacts"),
    path("contacts/<uuid:id>/", include(contact)),
]

run = [
    path("", pages.run, name="run"),
    path("retry/", actions.run_retry, name="run_retry"),
    path("undo/", actions.run_undo, name="run_undo"),
]

urlpatterns = [
    path("", pages.home, name="home"),
    path("start/", actions.start, name="start"),
    path("checkpoints/<uuid:pk>/", include(checkpoint)),
    path("runs/<uuid:pk>/", include(run)),
    path("healthz", pages.healthz, name="healthz"),
    path("readyz", pages.readyz, name="readyz"),
]
