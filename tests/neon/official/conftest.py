"""The plane over HTTP with a recording proxy before it, and the official clients pointed at that."""

import os
import shutil
import subprocess
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tests.browser.servers import KEY, Server, free_port
from tests.neon.official import clients
from tests.neon.official.clients import Clients
from tests.neon.official.recorder import Recorder

OLDEST_NODE = (20, 19)  # what the CLI and the SDK ask for
# The first test waits for the packages to be installed, perhaps by another process.
TIMEOUT = clients.INSTALL_SECONDS + 60
OPERATION_SECONDS = 0.3


@pytest.hookimpl(tryfirst=True)  # before the markers are looked at
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Mark the tests of this folder."""
    for item in items:
        if item.path.parent == Path(__file__).parent:
            item.add_marker(pytest.mark.clients)
            item.add_marker(pytest.mark.timeout(TIMEOUT))


@pytest.fixture(scope="session")
def packages(request: pytest.FixtureRequest) -> Path:
    """The folder of the npm packages, kept between runs; without Node there is nothing to test."""
    missing = None
    if not (shutil.which("node") and shutil.which("npm")):
        missing = "no node or no npm on PATH"
    else:
        said = subprocess.run(["node", "--version"], capture_output=True, text=True, check=True).stdout.strip()
        if tuple(map(int, said.removeprefix("v").split(".")[:2])) < OLDEST_NODE:
            missing = f"node is {said}, and the clients need {'.'.join(map(str, OLDEST_NODE))}"
    if missing:
        give_up = pytest.fail if os.environ.get("REQUIRE_NODE") == "1" else pytest.skip
        give_up(missing)
    folder = request.config.cache.mkdir("official-clients")
    clients.install(folder)
    return folder


@pytest.fixture(scope="session")
def start() -> Iterator[Callable[..., Recorder]]:
    """A function that starts a plane, and returns what will stand between it and its clients."""
    servers: list[Server] = []

    def start(**variables: str) -> Recorder:
        port = free_port()
        servers.append(Server("manage.py", "neon_local", "--port", str(port), "--api-key", KEY, **variables))
        return Recorder(servers[-1].wait_for(rf"(http://127\.0\.0\.1:{port}/api/v2)"))

    yield start
    for server in servers:
        server.ask_to_stop()
    for server in servers:
        server.finish()


@pytest.fixture(scope="session")
def recorder(start: Callable[..., Recorder]) -> Iterator[Recorder]:
    """What stands before a plane whose operations are done at once."""
    with (recorder := start()).listening():
        yield recorder
    assert recorder.passed, "no request went through the proxy"


@pytest.fixture(scope="session")
def slow_recorder(start: Callable[..., Recorder]) -> Iterator[Recorder]:
    """What stands before a plane whose operations take their time."""
    with (recorder := start(NEON_LOCAL_OPERATION_SECONDS=str(OPERATION_SECONDS))).listening():
        yield recorder
    assert recorder.passed, "no request went through the proxy"


@pytest.fixture(scope="session")
def home() -> Iterator[Path]:
    """A home for the clients; not one of pytest's folders, which a run beside this one may sweep."""
    with tempfile.TemporaryDirectory(prefix="checkpoints-clients-") as folder:
        yield Path(folder)


@pytest.fixture(scope="session")
def official(packages: Path, recorder: Recorder, home: Path) -> Clients:
    """The clients of the plane whose operations are done at once."""
    return Clients(packages, home, recorder.url, KEY)


@pytest.fixture(scope="session")
def patient(packages: Path, slow_recorder: Recorder, home: Path) -> Clients:
    """The clients of the plane whose operations take their time."""
    return Clients(packages, home, slow_recorder.url, KEY)


@pytest.fixture(autouse=True)
def _every_answer_is_neons(request: pytest.FixtureRequest) -> Iterator[None]:
    """Fail a test during which, or before which, the plane gave an answer that Neon's description does not allow."""
    yield
    used = {"recorder", "slow_recorder"} & set(request.fixturenames)
    faults = [fault for name in sorted(used) for fault in request.getfixturevalue(name).take()]
    assert not faults, "\n".join(faults)
