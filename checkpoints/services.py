"""Start, advance and restore: where the meta database, an app database and Neon meet.

Each is plain sequential code over a run. A step that an earlier attempt finished is skipped; one that it only began is
repeated, and every step can be. Network and app database work stays outside transactions of the meta database.
"""

from contextlib import suppress

from django.db import transaction

import contacts.versions
from checkpoints.models import Attempt, Checkpoint, Project, Run
from contacts import db, schema
from contacts.fingerprint import Fingerprint, compare, take
from neon import service as neon
from neon.errors import NeonError

PROJECT_PREFIX = "checkpoints"


class FlowError(Exception):
    """An action cannot be done, for a reason that lies in the data; ``sentence`` is for people."""

    remedy = Run.Remedy.RETRY

    def __init__(self, sentence: str) -> None:
        super().__init__(sentence)
        self.sentence = sentence


class Moved(FlowError):
    """The app database is no longer at the checkpoint that the action started from."""

    remedy = Run.Remedy.NONE

    def __init__(self) -> None:
        super().__init__("The database has moved to another checkpoint in the meantime.")


class Gone(FlowError):
    """The project or checkpoint that the action is about was deleted in the meantime."""

    remedy = Run.Remedy.NONE


class LastPrompt(FlowError):
    """No prompt follows the one that the database is at."""

    remedy = Run.Remedy.NONE

    def __init__(self) -> None:
        super().__init__("That was the last prompt.")


class NotRestored(FlowError):
    """The restored database is not what its checkpoint recorded."""

    def __init__(self) -> None:
        super().__init__("The restored database differs from its checkpoint.")


def start(run: Run) -> None:
    """Make the owner's Neon project with the first version and its checkpoint; it takes the place of an older one.

    The new project is made before the old one is deleted, so that a failure leaves the old one in place.
    """
    version = contacts.versions.FIRST
    uri = ""
    with run.step("create") as attempt:
        if attempt:
            database = neon.connect().create_project(neon_project_name(run), lookup=attempt.again)
            uri = database.uri
            run.state["neon_project_id"] = database.project_id
    neon_project_id = run.state["neon_project_id"]
    uri = uri or neon.connect().connection_uri(neon_project_id)
    with run.step("apply") as attempt:
        if attempt:
            schema.apply(uri, version)
    with run.step("snapshot") as attempt:
        if attempt:
            _snapshot(run, attempt, neon_project_id, uri)
    with transaction.atomic(), run.step("record"):
        replaced = Project.objects.filter(owner=run.owner)
        if any(project.pk != run.project_id for project in replaced):  # not the one that was agreed to
            raise FlowError("Another project was started in the meantime.")
        if replaced:
            run.state["leftover"] = {"projects": [project.neon_project_id for project in replaced]}
            replaced.delete()
        run.project = Project.objects.create(
            owner=run.owner, name=neon_project_name(run), neon_project_id=neon_project_id, database_url=uri
        )
        run.save(update_fields=["project"])
        _record(run, run.project, version, parent=None)


def advance(run: Run) -> None:
    """Apply the prompt that follows the head and make a checkpoint of it, a child of the head."""
    project, head = _project_of(run), run.target
    _find_out(project)
    if head is None or project.head_id != head.pk:
        raise Moved
    version = head.next_version
    if version is None:
        raise LastPrompt
    with run.step("apply") as attempt:
        if attempt:
            if "columns" not in run.state:
                run.remember(columns=sorted(schema.contact_columns(project.database_url)))
            schema.apply(project.database_url, version)
    with run.step("snapshot") as attempt:
        if attempt:
            _snapshot(run, attempt, project.neon_project_id, project.database_url)
    with transaction.atomic(), run.step("record"):
        _record(run, project, version, parent=head)


def restore(run: Run) -> None:
    """Put the app database back to the run's target, prove it, and leave the replaced branch to be cleaned up."""
    project, target = _project_of(run), run.target
    if target is None:
        raise Gone("That checkpoint is gone.")
    _find_out(project)
    with run.step("restore") as attempt:
        if attempt:
            if "branch_id" not in run.state:
                run.remember(branch_id=neon.connect().default_branch(project.neon_project_id).id)
            neon.connect().restore(
                project.neon_project_id,
                target.snapshot_id,
                target_branch_id=run.state["branch_id"],
                lookup=attempt.again,
            )
            db.forget(project.database_url)
    with run.step("verify") as attempt:
        if attempt and target.fingerprint:
            difference = compare(project.database_url, Fingerprint.from_json(target.fingerprint))
            # Not the sequences: Postgres logs them 32 values ahead, so on Neon a restored one may have jumped.
            if difference.schema_changed or difference.tables:
                raise NotRestored
    with transaction.atomic(), run.step("record"):
        move_head(project, target)
        kept = _kept_branches(project)
        run.state["leftover"] = {"branches": [[project.neon_project_id, id] for id in (run.state["branch_id"], *kept)]}
        run.succeed(target)


def differs(project: Project, head: Checkpoint) -> bool:
    """Tell whether the app database is no longer what its head recorded; raises AppDatabaseError."""
    return not head.fingerprint or bool(compare(project.database_url, Fingerprint.from_json(head.fingerprint)))


def delete_project(project: Project) -> None:
    """Delete a project in Neon and with it all that the site knows of it; raises NeonError."""
    neon.connect().delete_project(project.neon_project_id)
    db.forget(project.database_url)
    project.delete()


def upkeep() -> None:
    """Let the control plane do its upkeep, and follow it when its server has moved."""
    neon.upkeep()
    if neon.is_local():
        with suppress(NeonError):
            for project in Project.objects.order_by("-updated_at"):
                before = project.database_url
                refresh_database_url(project)
                if project.database_url == before:  # they all move together
                    break


def refresh_database_url(project: Project) -> None:
    """Ask where the app database is: a local server that found its port taken has moved. Raises NeonError."""
    uri = neon.connect().connection_uri(project.neon_project_id)
    if uri != project.database_url:
        project.database_url = uri
        project.save(update_fields=["database_url", "updated_at"])


def neon_project_name(run: Run) -> str:
    """Return a name that only this run uses, so that a lost answer can be looked up by it."""
    return f"{PROJECT_PREFIX}-{run.owner_id}-{str(run.pk)[:8]}"


def move_head(project: Project, checkpoint: Checkpoint) -> None:
    """Record which checkpoint the app database is at."""
    project.head = checkpoint
    project.save(update_fields=["head", "updated_at"])


def _project_of(run: Run) -> Project:
    if run.project is None:
        raise Gone("That project is gone.")
    return run.project


def _snapshot(run: Run, attempt: Attempt, neon_project_id: str, uri: str) -> None:
    """Take fingerprint and snapshot as a pair; without a fingerprint when somebody wrote between the two."""
    if "fingerprint" not in run.state:
        run.remember(fingerprint=take(uri).to_json())
    snapshot = neon.connect().snapshot(neon_project_id, str(run.pk), lookup=attempt.again)
    run.state["snapshot_id"] = snapshot.id
    if compare(uri, Fingerprint.from_json(run.state["fingerprint"])):
        run.state["fingerprint"] = {}


def _record(run: Run, project: Project, version: contacts.versions.Version, parent: Checkpoint | None) -> None:
    checkpoint = Checkpoint.objects.create(
        project=project,
        parent=parent,
        prompt=version.prompt,
        version=version.name,
        snapshot_id=run.state["snapshot_id"],
        fingerprint=run.state["fingerprint"],
    )
    move_head(project, checkpoint)
    run.succeed(checkpoint)


def _find_out(project: Project) -> None:
    """Find out what became of a restore of which that could not be said; raises NeonError while it still cannot.

    It may still be under way, and a branch that it replaces in the meantime must not be taken for the default one.
    """
    for run in Run.objects.filter(project=project, state__has_key="unsure").select_related("target"):
        before = run.state.pop("unsure")
        neon.connect().settle(project.neon_project_id)
        if neon.connect().default_branch(project.neon_project_id).id != before:
            run.state["kept"] = before
            if run.target:
                move_head(project, run.target)
        run.save(update_fields=["state"])


def _kept_branches(project: Project) -> list[str]:
    """Return the branches that failed restores replaced, and take note that they can go."""
    kept = []
    for run in Run.objects.filter(project=project, state__has_key="kept"):
        kept.append(run.state.pop("kept"))
        run.save(update_fields=["state"])
    return kept
