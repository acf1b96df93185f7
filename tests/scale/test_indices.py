"""Every index of ours has a query that needs it, and reads few rows by it."""

import pytest
from django.apps import apps
from django.utils import timezone

from checkpoints import cleanup, services
from checkpoints.models import Checkpoint, Project, Run
from neon.types import Project as NeonProject
from tests.scale.sites import readings

pytestmark = pytest.mark.scale


def project(number=1):
    """Return a project; the first three are large."""
    return Project.objects.get(neon_project_id=f"calm-sea-{number}")


def same(number):
    """Look for a run that has done already what somebody is to do who clicks on a page of some time ago."""
    owner = project(number).owner
    Run.objects.same(Run(owner=owner, kind="restore"), owner.runs.all()[20].created_at)


NEEDED = {
    "project_newest": lambda: Project.objects.first(),
    "project_newest_of_owner": lambda: Project.objects.current(project().owner),
    "checkpoint_newest": lambda: list(Checkpoint.objects.all()[:25]),
    "checkpoint_newest_child": lambda: project(2).checkpoints.earliest("created_at").next,
    "checkpoint_of_project": lambda: project().timeline(),
    "checkpoint_of_snapshot": lambda: Checkpoint.objects.get(snapshot_id="snap-9000-7"),
    "run_by_status": lambda: list(Run.objects.filter(status="failed")[:25]),
    "run_newest": lambda: list(Run.objects.all()[:25]),
    "run_newest_of_owner": lambda: same(1),
    "run_newest_of_project": lambda: Run.objects.undoable(project()),
    "run_unsure": lambda: services.find_out(project()),
    "run_with_leftovers": lambda: list(Run.objects.with_unsaved(project())),
    "one_unfinished_run_per_owner": lambda: Run.objects.unfinished().filter(owner=project().owner).first(),
}


def test_every_index_is_among_these():
    ours = apps.get_app_config("checkpoints").get_models()
    assert {each.name for model in ours for each in (*model._meta.indexes, *model._meta.constraints)} == set(NEEDED)


@pytest.mark.parametrize("name", NEEDED)
def test_an_index_is_used_and_few_rows_are_read(full, name):
    with full.visited():
        read = readings(NEEDED[name])
    assert any(name in each.indices for each in read), read
    assert sum(each.rows for each in read) < 60, read


def test_without_an_index_of_its_own_a_key_is_found_by_another(full):
    with full.visited():
        first = project().checkpoints.earliest("created_at")
        read = readings(
            lambda: [
                list(each[:5])
                for each in (
                    Project.objects.filter(owner=project().owner_id).order_by(),
                    first.children.order_by(),
                    Run.objects.filter(owner=project().owner_id).order_by(),
                    Run.objects.filter(project=project()).order_by(),
                )
            ]
        )
    assert sum(each.rows for each in read) < 60, read


def test_other_questions_are_answered_by_them_too(full):
    made = [NeonProject("x", f"checkpoints-1-{number:08x}", timezone.now()) for number in range(400)]
    questions = [
        Run.objects.unfinished().order_by("created_at"),
        Run.objects.with_leftovers().order_by("created_at"),
        Run.objects.filter(state__has_key="unsure").exclude(status__in=Run.UNFINISHED).order_by("created_at"),
        Run.objects.filter(status="queued", created_at__lt=timezone.now()),
    ]
    with full.visited():
        read = readings(lambda: [list(each) for each in questions])
        read += readings(lambda: cleanup._made_here(made))
    assert sum(each.rows for each in read) < 400, read


@pytest.mark.parametrize("number", [1, 2, 3, 4])
def test_what_concerns_one_project_reads_no_others(full, number):
    with full.visited():
        concerned = project(number)
        own = concerned.checkpoints.count() + concerned.runs.count()
        read = readings(lambda: list(concerned.checkpoints.deletable()[:50]))
        read += readings(lambda: Checkpoint.objects.surplus(concerned))
        read += readings(lambda: list(Run.objects.under_way(concerned)))
    assert sum(each.rows for each in read) < 3 * own + 60, read
