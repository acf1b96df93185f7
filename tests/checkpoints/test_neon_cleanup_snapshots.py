"""The command neon_cleanup snapshots: those that no checkpoint refers to, or all with their checkpoints."""

import pytest

from checkpoints import runs
from checkpoints.models import Project
from neon import service as neon
from tests.checkpoints import flows
from tests.checkpoints.cleaning import PEOPLE, clean, summary, unreferenced

pytestmark = pytest.mark.usefixtures("only_ours")


def test_snapshots_wants_to_know_which(project):
    assert "one of the arguments --unreferenced --all is required" in clean("snapshots", project.name).error


def test_unreferenced_snapshots_go_and_those_of_checkpoints_stay(fork, project, eve):
    kept, extra = flows.snapshots(project), {unreferenced(project), unreferenced(project)}
    other = unreferenced(Project.objects.current(eve))
    said = clean("snapshots", project.name, "--unreferenced", "--yes")
    assert (summary(said), said.error) == ((2, 2, 0), "")
    assert flows.snapshots(project) == kept
    assert not kept & extra
    assert other in flows.snapshots(Project.objects.current(eve))
    assert "Checkpoints refer to 4 more, which stay; --all deletes them" in said.output
    assert flows.restore(fork.third).status == "succeeded"


def test_all_snapshots_go_and_with_them_every_checkpoint_but_the_head(fork, project):
    unreferenced(project)
    said = clean("snapshots", project.name, "--all", "--yes")
    assert (summary(said), said.error) == ((5, 5, 0), "")
    assert flows.snapshots(project) == set()
    assert list(project.checkpoints.all()) == [fork.first]
    assert flows.people(project).keys() == PEOPLE


def test_a_head_without_its_snapshot_goes_on_to_the_next_prompt_and_cannot_be_returned_to(grown, project):
    clean("snapshots", project.name, "--all", "--yes")
    (head,) = project.checkpoints.all()
    assert (head, head.parent) == (grown.second, None)
    refused = flows.restore(head)
    assert refused.error == "Neon does not know this project, branch or snapshot. The database is as it was."
    third = flows.advance(head).result
    assert (third.version, third.parent) == ("v3", head)


def test_a_snapshot_that_stays_keeps_its_checkpoint_in_the_tree(fork, project, wire):
    Project.objects.update(head=fork.third)  # so that one in the middle goes
    wire.refuses(f"DELETE .*/snapshots/{fork.first.snapshot_id}$", 500)
    said = clean("snapshots", project.name, "--all", "--yes")
    assert summary(said) == (4, 3, 1)
    assert said.error
    assert dict(project.checkpoints.values_list("pk", "parent")) == {fork.first.pk: None, fork.third.pk: fork.first.pk}
    wire.mend()
    clean("snapshots", project.name, "--all", "--yes")
    assert dict(project.checkpoints.values_list("pk", "parent")) == {fork.third.pk: None}


def test_a_checkpoint_whose_snapshot_went_before_goes_too(grown, project):
    neon.connect().drop_snapshot(project.neon_project_id, grown.first.snapshot_id)
    assert f"  checkpoint {grown.first}: its snapshot is gone\n" in clean("snapshots", project.name, "--all").output
    assert summary(clean("snapshots", project.name, "--all", "--yes")) == (2, 2, 0)
    assert list(project.checkpoints.all()) == [grown.second]


def test_a_snapshot_that_a_clean_up_is_just_taking_stays(head, project):
    flows.execute(project.database_url, "DELETE FROM contacts")
    run = flows.restore(head)
    _, branch_id = run.state["leftover"]["replaced"]
    taken = neon.connect().snapshot(project.neon_project_id, str(run.pk), branch_id=branch_id).id
    run.remember(asked=True)
    clean("snapshots", project.name, "--unreferenced", "--yes")
    assert taken in flows.snapshots(project)
    runs.clean_up(run.pk)
    assert project.checkpoints.filter(snapshot_id=taken).exists()
