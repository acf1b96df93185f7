"""Upkeep: what the site follows by itself."""

import pytest

from checkpoints import services
from contacts import versions
from neon.errors import NeonError
from tests.contacts.everybody import everybody


def test_when_the_server_has_moved_the_projects_follow(project):
    uri = project.database_url
    project.database_url = uri.replace("127.0.0.1:", "127.0.0.1:1")
    project.save()
    services.upkeep()
    project.refresh_from_db()
    assert project.database_url == uri
    assert len(everybody(project.database_url, versions.FIRST)) == 3


def test_on_neon_addresses_stay_and_nothing_is_asked(project, settings, wire):
    settings.NEON_API_KEY = "key"
    wire.before("", lambda: 1 / 0)
    services.upkeep()


def test_what_ends_half_way_goes_on_the_next_time(project, eve, monkeypatch):
    projects = [project, eve.projects.get()]
    uris = [each.database_url for each in projects]
    for each in projects:
        each.database_url = each.database_url.replace("127.0.0.1:", "127.0.0.1:1")
        each.save()
    refresh = services.refresh_database_url

    def refresh_and_die(each):
        refresh(each)
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(services, "refresh_database_url", refresh_and_die)
        with pytest.raises(KeyboardInterrupt):
            services.upkeep()
    services.upkeep()
    for each, uri in zip(projects, uris, strict=True):
        each.refresh_from_db()
        assert each.database_url == uri


def test_one_that_cannot_be_asked_now_is_asked_the_next_time(project, eve, monkeypatch):
    uri = project.database_url
    for each in (project, eve.projects.get()):
        each.database_url = each.database_url.replace("127.0.0.1:", "127.0.0.1:1")
        each.save()

    def away(each):
        raise NeonError("away")

    with monkeypatch.context() as patch:
        patch.setattr(services, "refresh_database_url", away)
        services.upkeep()
    services.upkeep()
    project.refresh_from_db()
    assert project.database_url == uri
