"""Start, advance and restore: the only place where the meta database, an app database and Neon meet.

Each is plain sequential code over a run. A step that an earlier attempt finished is skipped; one that it only began is
repeated, and every step can be. Network and app database work stays outside transactions of the meta database.
"""

from contextlib import suppress
from typing import TypeAlias

from django.db import transaction

import contacts.versions
from checkpoints.models import Attempt, Checkpoint, Project, Run
from contacts import db, schema
from contacts.errors import AppDatabaseError, Unavailable
from contacts.fingerprint import Fingerprint, compare, take
from neon import service as neon
from neon.errors import NeonError, ProjectGone

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


# What a run can fail of; each has its sentence for people.
Expected: TypeAlias = NeonError | AppDatabaseError | FlowError


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
        _move_head(project, target)
        kept = _kept_branches(project)
        run.state["leftover"] = {"branches": [[project.neon_project_id, id] for id in (run.state["branch_id"], *kept)]}
        run.succeed(target)


def differs(project: Project, head: Checkpoint) -> bool:
    """Tell whether the app database is no longer what its head recorded; raises AppDatabaseError."""
    return not head.fingerprint or bool(compare(project.database_url, Fingerprint.from_json(head.fingerprint)))


def cause(run: Run, error: Expected) -> Expected:
    """Return why a run failed: an app database that does not answer may be one whose project is gone."""
    if isinstance(error, Unavailable) and run.project and run.kind != Run.Kind.START:
        try:
            neon.connect().require_project(run.project.neon_project_id)
        except ProjectGone as gone:
            return gone
        except NeonError:
            pass
    return error


def remedy(run: Run, cause: Exception) -> Run.Remedy:
    """Say what a person can do about a failed run."""
    if _is_bereft(run, cause):
        return Run.Remedy.START
    return cause.remedy if isinstance(cause, FlowError) else Run.Remedy.RETRY


def undo(run: Run, cause: Exception) -> str:
    """Undo what a failed run left half done, where that is possible, and say what state everything is in."""
    if _is_bereft(run, cause):
        return "Its checkpoints are gone with it, so start the demo again."
    match run.kind:
        case Run.Kind.START:
            # Asked for by name: the answer to its creation may have been lost.
            run.state["leftover"] = {"project_names": [neon_project_name(run)]}
            return "Nothing was changed."
        case Run.Kind.ADVANCE:
            return _undo_advance(run)
        case _:
            return _undo_restore(run)


def clean_up(run: Run) -> None:
    """Delete in Neon what a finished run left behind: what it replaced, or made in vain; a second time is harmless."""
    leftover = run.state.get("leftover", {})
    for project_id in leftover.get("projects", []):
        neon.connect().delete_project(project_id)
    for name in leftover.get("project_names", []):
        neon.connect().delete_project_named(name)
    for project_id, branch_id in leftover.get("branches", []):
        neon.connect().delete_branch(project_id, branch_id)
    for project_id, name in leftover.get("snapshot_names", []):
        neon.connect().delete_snapshot_named(project_id, name)
    run.state.pop("leftover", None)
    run.save(update_fields=["state"])


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


def _project_of(run: Run) -> Project:
    if run.project is None:
        raise Gone("That project is gone.")
    return run.project


def _is_bereft(run: Run, cause: Exception) -> bool:
    """Tell whether the run's project is gone in Neon; a start that lost its new one still has the old one."""
    return isinstance(cause, ProjectGone) and run.kind != Run.Kind.START


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
    _move_head(project, checkpoint)
    run.succeed(checkpoint)


def _move_head(project: Project, checkpoint: Checkpoint) -> None:
    project.head = checkpoint
    project.save(update_fields=["head", "updated_at"])


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
                _move_head(project, run.target)
        run.save(update_fields=["state"])


def _kept_branches(project: Project) -> list[str]:
    """Return the branches that failed restores replaced, and take note that they can go."""
    kept = []
    for run in Run.objects.filter(project=project, state__has_key="kept"):
        kept.append(run.state.pop("kept"))
        run.save(update_fields=["state"])
    return kept


def _undo_advance(run: Run) -> str:
    """Drop the columns that the prompt added: a restore of the head's snapshot would lose edits made since it."""
    if run.project is None or run.target is None or "columns" not in run.state:
        return "Nothing was changed."
    if "fingerprint" in run.state:  # the snapshot was asked for, and may have been taken
        run.state["leftover"] = {"snapshot_names": [[run.project.neon_project_id, str(run.pk)]]}
    version = run.target.next_version
    try:
        if version is not None:
            schema.revert(run.project.database_url, version, keep=run.state["columns"])
    except AppDatabaseError:
        return "The prompt may have changed the database already; trying again goes on from there."
    return "The database is as it was."


def _undo_restore(run: Run) -> str:
    """Find out on which side of the swap the restore failed, and record it."""
    project, target, before = run.project, run.target, run.state.get("branch_id")
    if project is None or target is None or before is None:
        return "The database is as it was."
    with suppress(NeonError):
        neon.connect().settle(project.neon_project_id)  # what is still under way decides it
        if neon.connect().default_branch(project.neon_project_id).id == before:
            return "The database is as it was."
        _move_head(project, target)
        run.state["kept"] = before
        return "The database that was replaced is kept in Neon until a restore succeeds."
    run.state["unsure"] = before
    return "It is not known whether the database was restored; trying again makes sure."
