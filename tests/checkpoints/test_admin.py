"""The admin: to look, and to act through the services."""

import re

import httpx
import pytest
import respx
from allauth.account.models import EmailAddress
from django.contrib import admin
from django.contrib.auth.models import User
from django.utils.text import capfirst

from checkpoints import runs
from checkpoints.models import Checkpoint, Project, Run
from neon import service as neon
from tests.checkpoints.html import Page

SITE = [Project, Checkpoint, Run]


@pytest.fixture
def staff(db, client_of):
    return client_of(User.objects.create_superuser("root@example.com", "root@example.com"))


def url(model, *rest):
    return "/".join(["/admin/checkpoints", model._meta.model_name, *map(str, rest), ""])


def act(staff, name, instance):
    """Choose an action for one row, and return what the admin says."""
    response = staff.post(url(type(instance)), {"action": name, "_selected_action": instance.pk}, follow=True)
    items = Page(response).all("li")
    return [item.words for item in items if item["class"] in {"success", "warning", "error"}]


def test_a_visitor_signs_in_with_the_rest_of_the_site(client, db):
    response = client.get("/admin/", follow=True)
    assert response.redirect_chain[-1][0].startswith("/accounts/login/?next=")


@pytest.mark.parametrize("model", SITE)
def test_a_user_may_not_enter(owner, model):
    assert owner.get(url(model), follow=True).status_code == 403


def test_every_page_answers(staff, project):
    for model in SITE:
        for instance in model.objects.all():
            assert staff.get(url(model)).status_code == 200
            assert staff.get(url(model, instance.pk, "change")).status_code == 200
            assert staff.get(url(model, instance.pk, "history")).status_code == 200


def test_every_list_of_every_app_answers(staff, project):
    for model in admin.site._registry:
        path = f"/admin/{model._meta.app_label}/{model._meta.model_name}/"
        assert staff.get(path).status_code == 200, path


@pytest.mark.parametrize("model", SITE)
def test_nothing_is_added_changed_or_deleted_by_hand(staff, project, model):
    instance = model.objects.first()
    assert staff.get(url(model, "add")).status_code == 403
    assert staff.post(url(model, instance.pk, "change"), {"name": "x"}).status_code == 403
    assert staff.post(url(model, instance.pk, "delete"), {"post": "yes"}).status_code == 403
    assert "delete_selected" not in staff.get(url(model)).content.decode()
    assert model.objects.filter(pk=instance.pk).exists()


def test_a_project_shows_its_checkpoints_and_no_address(staff, project):
    response = staff.get(url(Project, project.pk, "change"))
    text = response.content.decode()
    assert project.head.snapshot_id in text
    assert "•" in text
    assert project.database_url not in text
    assert "postgresql" not in text


def test_a_run_shows_its_steps_and_what_went_wrong(staff, head, started):
    run = runs.begin(owner=started, kind=Run.Kind.RESTORE, project=head.project, target=head)
    run.begin()
    with run.step("look"):
        pass
    run.fail("Neon cannot be reached right now.", detail="Unreachable: POST /restore")
    text = staff.get(url(Run, run.pk, "change")).content.decode()
    assert re.search(r"Look for changes since the checkpoint: done \d\.\d\d s", text)
    assert "Restore the snapshot: failed" in text
    assert "Compare with the checkpoint: waiting" in text
    assert "Neon cannot be reached right now." in text
    assert "Unreachable: POST /restore" in text


@pytest.mark.parametrize(
    ("model", "found", "not_found"),
    [
        (Project, "ada@example.com", "da@example.com"),
        (Project, "{project.pk}", "{head.pk}"),
        (Project, "{project.neon_project_id}", "calm-sea"),
        (Checkpoint, "ADA@example", "contact list"),
        (Checkpoint, "{head.snapshot_id}", "snap"),
        (Checkpoint, "{project.neon_project_id}", "{nothing}"),
        (Run, "ada", "nobody"),
        (Run, "{start}", "{nothing}"),
        (Run, "{project.pk}", "{head.pk}"),
        (User, "ada@", "da@"),
    ],
)
def test_what_is_looked_for_is_found(staff, project, head, model, found, not_found):
    EmailAddress.objects.create(user=project.owner, email="ada@example.com")
    start = str(Run.objects.get().pk)[:8]
    found, not_found = (
        q.format(project=project, head=head, nothing="01234567", start=start) for q in (found, not_found)
    )
    app = model._meta.app_label
    assert staff.get(f"/admin/{app}/{model._meta.model_name}/", {"q": found}).context["cl"].result_count == 1
    assert staff.get(f"/admin/{app}/{model._meta.model_name}/", {"q": not_found}).context["cl"].result_count == 0


@pytest.mark.parametrize("model", SITE)
def test_a_list_says_what_can_be_looked_for(staff, project, model):
    assert "email address begins" in Page(staff.get(url(model))).one(id="searchbar_helptext").words


@pytest.mark.parametrize(
    ("model", "field", "value", "other"),
    [(Run, "status", "succeeded", "failed")],
)
def test_lists_are_filtered(staff, project, model, field, value, other):
    assert staff.get(url(model), {f"{field}__exact": value}).context["cl"].result_count == 1
    assert staff.get(url(model), {f"{field}__exact": other}).context["cl"].result_count == 0


@pytest.mark.parametrize("model", SITE)
def test_the_number_of_queries_does_not_grow_with_the_list(staff, head, model, django_assert_max_num_queries):
    for number in range(12):
        owner = User.objects.create(username=f"user-{number}")
        project = Project.objects.create(owner=owner, name="x", neon_project_id=number, database_url="x")
        checkpoint = Checkpoint.objects.create(project=project, prompt="x", version="v1", snapshot_id="x")
        Project.objects.filter(pk=project.pk).update(head=checkpoint)
        Run.objects.create(owner=owner, kind="restore", project=project, target=checkpoint)
    with django_assert_max_num_queries(12):
        staff.get(url(model))


def test_restore_is_queued_as_its_owners_own_click_would(staff, head, started):
    said = act(staff, "restore", head)
    run = Run.objects.unfinished().get()
    assert (run.kind, run.owner, run.target) == ("restore", started, head)
    assert said == [f"{capfirst(head.project)} is being restored to {head}."]


def test_restore_does_not_push_aside_what_is_at_work(staff, head, started):
    at_work = runs.begin(owner=started, kind=Run.Kind.ADVANCE, project=head.project, target=head)
    said = act(staff, "restore", head)
    assert said == [f"{capfirst(head.project)}: another action of its owner is at work."]
    assert Run.objects.unfinished().get() == at_work


def test_delete_deletes_in_neon_too(staff, project):
    said = act(staff, "delete_projects", project)
    assert said == [f"{capfirst(project)} is deleted."]
    assert not Project.objects.exists()
    assert project.neon_project_id not in [found.id for found in neon.connect().client.list_projects()]


def test_a_project_that_neon_does_not_delete_stays(staff, project, settings):
    settings.NEON_API_KEY = "napi_secret"
    neon.connect.cache_clear()
    try:
        with respx.mock(base_url=settings.NEON_API_URL) as api:
            api.delete(f"/projects/{project.neon_project_id}").mock(
                return_value=httpx.Response(401, json={"message": "no"})
            )
            said = act(staff, "delete_projects", project)
    finally:
        neon.connect.cache_clear()
    assert said == [f"{capfirst(project)}: Neon refused the API key. Check NEON_API_KEY."]
    assert Project.objects.get() == project


def test_a_user_with_a_project_cannot_be_deleted(staff, started):
    response = staff.post(f"/admin/auth/user/{started.pk}/delete/", {"post": "yes"})
    assert response.status_code in {200, 403}
    assert User.objects.filter(pk=started.pk).exists()
