"""A project that somebody deleted: it is told from what is missing in one that is there."""

import pytest

from neon import errors
from tests.neon import payloads

FLOWS = {
    "connection_uri": lambda neon: neon.connection_uri(payloads.PROJECT),
    "default_branch": lambda neon: neon.default_branch(payloads.PROJECT),
    "snapshot": lambda neon: neon.snapshot(payloads.PROJECT, "x"),
    "snapshot again": lambda neon: neon.snapshot(payloads.PROJECT, "x", lookup=True),
    "restore": lambda neon: neon.restore(payloads.PROJECT, "snap-1", target_branch_id="br-1"),
    "restore again": lambda neon: neon.restore(payloads.PROJECT, "snap-1", target_branch_id="br-1", lookup=True),
    "settle": lambda neon: neon.settle(payloads.PROJECT),
    "require_project": lambda neon: neon.require_project(payloads.PROJECT),
}


@pytest.mark.parametrize("flow", FLOWS)
def test_a_project_that_is_gone_is_told_from_what_is_missing_in_it(api, neon, time, flow):
    api.route().respond(404, json=payloads.error("project not found"))

    with pytest.raises(errors.ProjectGone) as caught:
        FLOWS[flow](neon)

    assert caught.value.status == 404
    assert time.slept == []


@pytest.mark.parametrize("flow", ["connection_uri", "default_branch", "snapshot", "restore", "settle"])
def test_what_is_missing_in_a_project_that_is_there_does_not_make_it_gone(api, neon, flow):
    api.get(f"/projects/{payloads.PROJECT}").respond(json={"project": payloads.project()})
    api.route().respond(404, json=payloads.error("not found"))

    with pytest.raises(errors.NotFound) as caught:
        FLOWS[flow](neon)

    assert not isinstance(caught.value, errors.ProjectGone)


def test_a_key_that_may_not_look_does_not_make_a_project_gone(api, neon):
    api.get(f"/projects/{payloads.PROJECT}").respond(401)
    api.route().respond(404, json=payloads.error("not found"))

    with pytest.raises(errors.Unauthorized):
        neon.settle(payloads.PROJECT)
