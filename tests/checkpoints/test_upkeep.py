"""Upkeep: what the site follows by itself."""

from checkpoints import services
from contacts import queries, versions


def test_when_the_server_has_moved_the_projects_follow(project):
    uri = project.database_url
    project.database_url = uri.replace("127.0.0.1:", "127.0.0.1:1")
    project.save()
    services.upkeep()
    project.refresh_from_db()
    assert project.database_url == uri
    assert len(queries.list_contacts(project.database_url, versions.FIRST)) == 3


def test_on_neon_addresses_stay_and_nothing_is_asked(project, settings, wire):
    settings.NEON_API_KEY = "key"
    wire.before("", lambda: 1 / 0)
    services.upkeep()
