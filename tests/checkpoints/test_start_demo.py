"""The command start_demo: what it says, does and refuses, and how it ends."""

import os
import re
import signal
import socket
from pathlib import Path

import pytest

from checkpoints.management.commands.start_demo import Command
from checkpoints.models import Run
from tests.checkpoints import flows
from tests.checkpoints.demo import Demo, processes_of
from tests.speed import MEASUREMENTS, slowness
from tests.waiting import until

UNREACHABLE = {"NEON_API_KEY": "napi_s3cret", "NEON_API_URL": "http://127.0.0.1:9/api/v2"}

needs_proc = pytest.mark.skipif(not Path("/proc").exists(), reason="the processes of a folder are found in /proc")


def act(browser, path, **fields):
    """Send a form of the site."""
    return browser.post(path, data=fields | {"csrfmiddlewaretoken": browser.cookies["csrftoken"]})


# One demo, from its first run on a machine that has seen none to its last; each fixture is the next thing done with it.


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """Its data folder."""
    return tmp_path_factory.mktemp("demo") / "data"


@pytest.fixture(scope="module")
def taken():
    """A port that somebody else listens on."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        yield server.getsockname()[1]


@pytest.fixture(scope="module")
def first(folder, taken):
    """The first run."""
    demo = Demo(folder, "--port", str(taken))
    yield demo.announced()
    demo.stop()


@pytest.fixture(scope="module")
def guest(first):
    """The browser of somebody who has come by the link."""
    with first.visitor() as guest:
        yield guest


@pytest.fixture(scope="module")
def terminated(first, guest, folder):
    """A contact is added, and the first run told to stop; its exit code, seconds and what it left running."""
    added = act(guest, f"{guest.landed.url.path}contacts/", name="Edsger", email="edsger@example.com")
    assert "Edsger" in added.text
    return *first.stop(signal.SIGTERM), processes_of(folder)


@pytest.fixture(scope="module")
def second(terminated, folder, first):
    """The second run; what Neon does takes its time now."""
    demo = Demo(folder, "--port", first.port, NEON_LOCAL_OPERATION_SECONDS="4")
    yield demo.announced()
    demo.stop()


@pytest.fixture(scope="module")
def interrupted(second, folder):
    """The second run gets Ctrl-C in the middle of an advance; its exit code, seconds and what it left running."""
    with second.visitor() as guest:
        progress = act(guest, f"{guest.landed.url.path}advance/")
    assert "Take a snapshot" in progress.text
    return *second.stop(signal.SIGINT), processes_of(folder)


@pytest.fixture(scope="module")
def third(interrupted, folder):
    """A run that does not serve."""
    return Demo(folder, "--no-serve").ended()


def test_it_tells_each_step_with_its_seconds(first):
    for step in ("Create the Neon project", "Apply the first prompt", "Take a snapshot", "Record the checkpoint"):
        assert re.search(rf"✓ {step}  \d+\.\d s\n", first.output)
    assert "The database is at v1: Create a contact list app with name and email (as recorded)" in first.output


def test_a_port_that_is_taken_is_said_and_the_next_one_used(first, taken):
    assert int(first.port) > taken
    assert f"Port {taken} is taken, so the site is on {first.port}" in first.output


def test_the_link_signs_in_once_and_lands_on_the_checkpoint(first, guest):
    assert (guest.landed.status_code, str(guest.landed.url)) == (200, first.checkpoint)
    assert "Ada Lovelace" in guest.landed.text
    assert guest.get("/admin/").status_code == 200
    with first.visitor() as late:
        assert late.landed.status_code == 403


# What the command refuses; meanwhile the first run grows old enough for what comes after.


@pytest.mark.parametrize(
    ("options", "sentence"),
    [
        (["--email", "nobody"], "--email nobody is not an email address."),
        (["--port", "0"], "--port takes a number from 1 to 65535."),
        (["--port", "http"], "argument --port: invalid int value: 'http'"),
    ],
)
def test_a_bad_option_is_one_sentence(tmp_path, options, sentence):
    refused = Demo(tmp_path / "data", *options).ended()
    assert refused.code != 0
    assert refused.last_line.endswith(f": {sentence}")


def test_a_data_folder_that_cannot_be_used_is_one_sentence(tmp_path):
    (tmp_path / "file").touch()
    refused = Demo(tmp_path / "file" / "data").ended()
    assert refused.code != 0
    assert refused.output == f"DATA_DIR {tmp_path}/file/data cannot be used: Not a directory.\n"


def test_a_meta_database_that_is_down_is_one_sentence(tmp_path):
    refused = Demo(tmp_path / "data", DATABASE_URL="postgres://ada:s3cret@127.0.0.1:9/site").ended()
    assert refused.code != 0
    assert "Connection refused" in refused.last_line


def test_a_neon_that_is_down_is_one_sentence(tmp_path):
    refused = Demo(tmp_path / "data", "--no-serve", **UNREACHABLE).ended()
    assert refused.code != 0
    assert refused.last_line == "CommandError: Neon cannot be reached right now. Nothing was changed."
    assert processes_of(tmp_path / "data") == {}


# What becomes of the processes, and the next runs.


@needs_proc
def test_a_worker_that_was_killed_is_replaced(first, folder):
    def worker():
        return {pid for pid, command in processes_of(folder).items() if "manage.py worker" in command}

    (before,) = worker()
    os.kill(before, signal.SIGKILL)
    until(lambda: worker() - {before}, seconds=5)


@needs_proc
def test_a_signal_stops_everything_in_time(terminated):
    code, seconds, left = terminated
    assert (code, left) == (0, {})
    assert seconds < 5 * slowness()


@pytest.mark.speed
def test_a_later_run_is_ready_sooner(terminated, folder, first):
    for _ in range(MEASUREMENTS):
        later = Demo(folder, "--port", first.port).announced()
        later.stop()
        limit = 5 * slowness()
        if later.seconds < limit:
            break
    assert later.seconds < limit


def test_the_second_run_keeps_the_project(first, second):
    assert second.checkpoint == first.checkpoint
    assert "Starting" not in second.output


def test_it_says_that_the_database_was_changed(second):
    assert "The database is at v1: Create a contact list app with name and email (changed since)" in second.output


@needs_proc
def test_ctrl_c_stops_everything_in_time_also_while_a_run_is_at_work(interrupted):
    code, seconds, left = interrupted
    assert (code, left) == (0, {})
    assert seconds < 5 * slowness()


def test_what_was_at_work_is_finished_at_the_next_run(third):
    assert third.code == 0
    assert re.search(r"Finishing what was at work\n.*✓ Take a snapshot  \d+\.\d s\n", third.output, re.DOTALL)
    assert "The database is at v2: Add role and company (as recorded)" in third.output


def test_without_serving_it_prints_the_checkpoint_and_ends(third, first):
    assert re.search(r"\nhttp://127\.0\.0\.1:8000/checkpoints/[0-9a-f-]{36}/\n$", third.output)
    assert "Sign in" not in third.output


def test_a_reset_that_nobody_agrees_to_is_refused(third, folder):
    refused = Demo(folder, "--reset", "--no-serve").ended()
    assert refused.code == 1
    assert refused.last_line == "CommandError: --reset deletes the project. Add --yes to agree."


def test_a_reset_makes_the_project_anew(third, folder):
    reset = Demo(folder, "--reset", "--yes", "--no-serve").ended()
    assert reset.code == 0
    assert "The database is at v1: Create a contact list app with name and email (as recorded)" in reset.output
    assert reset.last_line != third.last_line


def test_a_reset_comes_after_what_was_at_work(started, head):
    flows.begin(head, Run.Kind.ADVANCE)
    anew = Command()._checkpoint(started, reset=True, agreed=True)
    assert (anew.version, anew.parent) == ("v1", None)
    assert anew.project != head.project


def test_what_was_at_work_and_fails_does_not_stand_in_the_way(started, head, wire, capsys):
    flows.begin(head, Run.Kind.ADVANCE)
    wire.refuses("POST .*/snapshot$", 422, "SNAPSHOTS_LIMIT_EXCEEDED")
    assert Command()._checkpoint(started, reset=False, agreed=False) == head
    assert "This Neon plan holds no more snapshots." in capsys.readouterr().out
