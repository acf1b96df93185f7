"""Start, advance, restore, undo and delete: where the meta database, an app database and Neon meet.

Each is plain sequential code over a run. A step that an earlier attempt finished is skipped; one that it only began is
repeated, and every step can be. Network and app database work stays outside transactions of the meta database.
"""

from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import suppress

from django.db import transaction

import contacts.versions
from checkpoints import changes, locks, safety
from checkpoints.errors import BeingEdited, FlowError, Gone, LastPrompt, Moved, NothingToUndo, NotRestored
from checkpoints.models import Checkpoint, Project, Run
from contacts import db, schema
from contacts.fingerprint import Fingerprint, compare, take
from neon import service as neon
from neon.errors import NeonError, NotFound, PlanLimit
from neon.types import Branch, Snapshot

PROJECT_PREFIX = "checkpoints"
# As long as an edit that is under way may take: until it is let in, and its statement.
EDIT_SECONDS = db.CLOSED_SECONDS + db.STATEMENT_SECONDS
# For what Neon can be asked while an app database is.
threads = ThreadPoolExecutor(thread_name_prefix="neon")


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
            run.state |= {"neon_project_id": database.project_id, "branch_id": database.branch_id}
    neon_project_id = run.state["neon_project_id"]
    uri = uri or neon.connect().connection_uri(neon_project_id)
    with run.step("apply") as attempt:
        if attempt:
            schema.apply(uri, version)
    with run.step("snapshot") as attempt:
        if attempt:
            take, branch_id = neon.connect().snapshot, run.state.get("branch_id", "")
            _snapshot(run, uri, lambda: take(neon_project_id, str(run.pk), branch_id=branch_id, lookup=attempt.again))
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
    find_out(project)
    if head is None or project.head_id != head.pk:
        raise Moved
    version = head.next_version
    if version is None:
        raise LastPrompt
    with run.step("apply") as attempt:
        if attempt:
            safety.require_room(run, project, "the next checkpoint")
            if "columns" not in run.state:
                run.remember(columns=sorted(schema.contact_columns(project.database_url)))
            schema.apply(project.database_url, version)
    with run.step("snapshot") as attempt:
        if attempt:
            _snapshot(run, project.database_url, lambda: safety.snapshot(project, str(run.pk), lookup=attempt.again))
    with transaction.atomic(), run.step("record"):
        _record(run, project, version, parent=head)


def restore(run: Run) -> None:
    """Put the app database back to the run's target, prove it, and leave what was there to be saved and deleted."""
    _return(run, _project_of(run))


def undo(run: Run) -> None:
    """Put the app database back to what the last restore replaced, which is another restore, and can be undone."""
    project = _project_of(run)
    with run.step("save") as attempt:
        if attempt:
            find_out(project)
            safety.make_room(run, project)
            safety.save_all(project)
            undone = Run.objects.undoable(project)
            if undone is None or str(undone.pk) != run.state.get("undoes", str(undone.pk)):
                raise NothingToUndo
            run.target = undone.way_back
            run.save(update_fields=["target"])
    _return(run, project)


def delete(run: Run) -> None:
    """Delete the run's target, checkpoint and snapshot; its children become its parent's."""
    project = _project_of(run)
    with run.step("forget") as attempt:
        if attempt:
            find_out(project)
            with suppress(PlanLimit):  # this is what makes room
                safety.save_all(project)  # which may want to be its child
            doomed, run.target = run.target, None
            if doomed:
                safety.forget(run, doomed)
    with run.step("snapshot") as attempt:
        if attempt:
            safety.drop_snapshots(run)
    run.succeed(project.head)


def _return(run: Run, project: Project) -> None:
    target = run.target
    if target is None:
        raise Gone("That checkpoint is gone.")
    find_out(project)
    asked: Future[Branch] | None = None
    with run.step("look") as attempt:
        if attempt:
            asked = threads.submit(neon.connect().default_branch, project.neon_project_id)
            _look(run, project)
            if asked.done() and not asked.exception():
                run.state["branch_id"] = asked.result().id
    with run.step("restore") as attempt:
        if attempt:
            if "branch_id" not in run.state:  # which cannot be found, or takes longer than the look
                branch = asked.result() if asked else neon.connect().default_branch(project.neon_project_id)
                run.remember(branch_id=branch.id)
            with locks.swap(project.pk, seconds=EDIT_SECONDS) as alone:
                if not alone:
                    raise BeingEdited
                neon.connect().restore(
                    project.neon_project_id,
                    target.snapshot_id,
                    target_branch_id=run.state["branch_id"],
                    lookup=attempt.again,
                )
            db.forget(project.database_url)
    with run.step("verify", saved_with_next=True) as attempt:
        if attempt and target.fingerprint:
            _verify(project, target)
    with transaction.atomic(), run.step("record"):
        move_head(project, target)
        leave_replaced(run, project, run.state["branch_id"])
        run.succeed(target)


def _look(run: Run, project: Project) -> None:
    """Find out whether what is there differs from its head; raises NoRoom when it could not be saved then."""
    run.origin = project.head
    found = changes.look(project)
    if found and not run.state.get("unsaved"):
        run.save(update_fields=["origin"])  # by which a refusal knows what there is to save
        safety.require_room(run, project, "to save what has changed here")
    run.state["differs"] = bool(found)
    run.state["version"] = project.head.version if project.head else ""
    if found.difference and found.difference.now:
        run.state["fingerprint"] = found.difference.now.to_json()


def _verify(project: Project, target: Checkpoint) -> None:
    difference = compare(project.database_url, Fingerprint.from_json(target.fingerprint))
    if not difference.is_of_content:
        return
    if target.kind != Checkpoint.Kind.SAFETY:
        raise NotRestored
    # What was saved may hold more than the look before the swap saw. Unknown, it is saved again whenever it is left.
    target.fingerprint = {}
    target.save(update_fields=["fingerprint"])


def leave_replaced(run: Run, project: Project, branch_id: str) -> None:
    """Leave the branch that a restore replaced to be saved, unless it is agreed that it is not, and deleted."""
    branch = [project.neon_project_id, branch_id]
    if run.state.get("unsaved"):
        run.leave("branches", branch)
    else:
        run.state.setdefault("leftover", {})["replaced"] = branch


def differs(project: Project, head: Checkpoint) -> bool:
    """Tell whether the app database is no longer what its head recorded; raises AppDatabaseError."""
    return not head.fingerprint or bool(compare(project.database_url, Fingerprint.from_json(head.fingerprint)))


def delete_project(project: Project) -> None:
    """Delete a project in Neon and with it all that the site knows of it; raises NeonError."""
    neon.connect().delete_project(project.neon_project_id)
    db.forget(project.database_url)
    project.delete()


def upkeep() -> None:
    """Let the control plane do its upkeep, and follow it when its server has moved: all databases move together."""
    neon.upkeep()
    newest = Project.objects.first() if neon.is_local() else None
    with suppress(NeonError):
        if newest and neon.connect().connection_uri(newest.neon_project_id) != newest.database_url:
            # The newest last: should this end half way, it shows the next time that there is more to do.
            for project in Project.objects.order_by("created_at").iterator(chunk_size=100):
                with suppress(NotFound):
                    refresh_database_url(project)


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


def _snapshot(run: Run, uri: str, snapshot: Callable[[], Snapshot]) -> None:
    """Take fingerprint and snapshot as a pair; without a fingerprint when somebody wrote between the two."""
    if "fingerprint" not in run.state:
        run.remember(fingerprint=take(uri).to_json())
    run.state["snapshot_id"] = snapshot().id
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


def find_out(project: Project) -> None:
    """Find out what became of a restore of which that could not be said; raises NeonError while it still cannot.

    It may still be under way, and a branch that it replaces in the meantime must not be taken for the default one.
    """
    for run in Run.objects.filter(project=project, state__has_key="unsure"):
        before = run.state.pop("unsure")
        neon.connect().settle(project.neon_project_id)
        if neon.connect().default_branch(project.neon_project_id).id != before:
            settle_swapped(run, project, run.target, before)
        run.save(update_fields=["state"])


def settle_swapped(run: Run, project: Project, target: Checkpoint | None, branch_id: str) -> None:
    """Record that a restore which failed has swapped all the same; what it replaced is saved whatever it was."""
    with transaction.atomic():
        if target:  # else it was deleted meanwhile, and only doctor can tell where the database is
            move_head(project, target)
        run.result = target
        run.state["differs"] = True
        run.state.pop("unsaved", None)  # it was agreed to for a restore that works
        leave_replaced(run, project, branch_id)
        run.save(update_fields=["result", "state"])
