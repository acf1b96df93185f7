"""The command neon_cleanup branches: all but the default one and what that was made from."""

import httpx
import pytest

from checkpoints import runs
from checkpoints.models import Project
from neon import service as neon
from tests.checkpoints import flows
from tests.checkpoints.cleaning import PEOPLE, clean, summary

pytestmark = pytest.mark.usefixtures("only_ours")


def test_branches_go_but_the_default_one(head, project, eve):
    for _ in range(2):
        flows.restore(head, unsaved=True)
    other = Project.objects.current(eve)
    flows.restore(other.head)
    said = clean("branches", project.neon_project_id, "--yes")
    assert (summary(said), said.error) == ((2, 2, 0), "")
    assert flows.branches(project) == {"main"}
    assert flows.branches(other) == {"main", "main (old)"}
    assert flows.people(project).keys() == PEOPLE


def test_what_waits_to_be_saved_stays(head, project):
    flows.execute(project.database_url, "DELETE FROM contacts")
    run = flows.restore(head)
    said = clean("branches", project.neon_project_id, "--yes")
    assert "The branch main (old) stays until what it holds is saved." in said.output
    assert flows.branches(project) == {"main", "main (old)"}
    runs.clean_up(run.pk)
    assert flows.branches(project) == {"main"}


def test_what_a_restore_may_have_replaced_stays(head, project, wire):
    flows.execute(project.database_url, "DELETE FROM contacts")
    wire.loses_the_answer("POST .*/restore$")
    wire.refuses("GET .*/operations", 500)
    assert "unsure" in flows.restore(head).state
    wire.mend()
    assert (
        "The branch main (old) stays until what it holds is saved."
        in clean("branches", str(project.pk), "--yes").output
    )
    assert flows.branches(project) == {"main", "main (old)"}


def test_children_go_before_their_parents_and_what_the_default_was_made_from_stays(project, wire):
    gone = []
    parents = {
        "root": None,
        "default": "root",
        "child": "default",
        "other": None,
        "grandchild": "child",
        "twig": "other",
    }
    rows = [
        {"id": id, "name": id, "default": id == "default", "parent_id": parent, "current_state": "ready"}
        for id, parent in parents.items()
    ]
    wire.before("GET .*/branches$", lambda: httpx.Response(200, json={"branches": rows}))
    for id in parents:
        wire.before(f"DELETE .*/branches/{id}$", lambda id=id: gone.append(id) or httpx.Response(204))
    said = clean("branches", project.name, "--yes")
    assert (summary(said), said.error) == ((4, 4, 0), "")
    assert set(gone) == {"child", "grandchild", "other", "twig"}
    assert gone.index("grandchild") < gone.index("child")
    assert gone.index("twig") < gone.index("other")
    assert "The default branch was made from root, which stays." in said.output


def test_a_branch_that_neon_does_not_give_up_is_said_and_the_others_go(head, project, wire):
    for _ in range(2):
        flows.restore(head, unsaved=True)
    protected = next(b for b in neon.connect().branches(project.neon_project_id) if not b.default)
    wire.refuses(f"DELETE .*/branches/{protected.id}$", 422)
    said = clean("branches", project.name, "--yes")
    assert f"✗ branch {protected.name} ({protected.id})\n  Neon refused the request.\n" in said.output
    assert summary(said) == (2, 1, 1)
    assert flows.branches(project) == {"main", protected.name}
