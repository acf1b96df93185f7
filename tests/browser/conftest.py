"""A real Chromium, and real demos for it to visit, each started once and only when a test needs it."""

import os
import shutil
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from playwright.sync_api import Browser, BrowserContext, ConsoleMessage, Response, expect

from tests.browser.servers import KEY, Demo, Plane, Server
from tests.browser.user import User

CHROMIUM = ("chromium", "chromium-browser", "google-chrome")
ARGUMENTS = [
    *("--disable-gpu", "--no-first-run", "--disable-background-networking"),
    *("--disable-component-update", "--disable-sync"),
    *(["--no-sandbox"] if os.geteuid() == 0 else []),  # as root Chromium refuses its sandbox
]
# What Chromium itself says of an answer such as 422, which is part of the product.
EXPECTED = "Failed to load resource: the server responded with a status of 4"

expect.set_options(timeout=30_000)


@pytest.fixture(scope="session")
def browser_type_launch_args(browser_type_launch_args: dict[str, Any]) -> dict[str, Any]:
    """Launch the system's Chromium, where there is one."""
    found = next(filter(None, map(shutil.which, CHROMIUM)), None)
    if found is None:
        give_up = pytest.fail if os.environ.get("REQUIRE_BROWSER") == "1" else pytest.skip
        give_up(f"no browser on PATH: {', '.join(CHROMIUM)}")
    return browser_type_launch_args | {"executable_path": found, "args": ARGUMENTS}


@pytest.fixture(scope="session")
def base_url() -> str:
    """No address for all windows; it also stands before the plugin's own fixture, whose form pytest 9 warns of."""
    return ""


@pytest.fixture(scope="session")
def servers(browser: Browser) -> Iterator[list[Server]]:
    """The servers that tests have started; in the end all stop at the same time."""
    started: list[Server] = []
    yield started
    for server in started:
        server.ask_to_stop()
    for server in started:
        server.finish()


@pytest.fixture(scope="session")
def demo(servers: list[Server]) -> Demo:
    """The demo as it comes."""
    servers.append(server := Demo())
    return server


@pytest.fixture(scope="session")
def slow_demo(servers: list[Server]) -> Demo:
    """A demo whose operations take their time, long enough to be seen where the machine is busy, too."""
    servers.append(server := Demo(NEON_LOCAL_OPERATION_SECONDS="3"))
    return server


@pytest.fixture(scope="session")
def plane(servers: list[Server]) -> Plane:
    """A stand-in for Neon."""
    servers.append(server := Plane())
    return server


@pytest.fixture(scope="session")
def remote_demo(servers: list[Server], plane: Plane) -> Demo:
    """A demo that has a key and speaks to Neon over HTTP."""
    servers.append(server := Demo(NEON_API_KEY=KEY, NEON_API_URL=plane.url))
    return server


@pytest.fixture
def visit(new_context: Callable[..., BrowserContext]) -> Iterator[Callable[..., User]]:
    """A function that opens a new browser window at a demo; no window may meet a fault that a test does not expect."""
    faults: list[str] = []
    users: list[User] = []

    def note_console(message: ConsoleMessage) -> None:
        if message.type in {"error", "warning"} and not message.text.startswith(EXPECTED):
            faults.append(f"{message.page.url if message.page else ''}: {message.text}")

    def note_response(response: Response) -> None:
        if response.status >= 500:
            faults.append(f"{response.status} {response.url}")

    def open_window(demo: Demo, **options: Any) -> User:
        context = new_context(base_url=demo.url, **options)
        context.on("console", note_console)
        context.on("weberror", lambda fault: faults.append(str(fault.error)))
        context.on("response", note_response)
        users.append(User(context.new_page()))
        return users[-1]

    yield open_window
    for user in users:
        assert "postgresql://" not in user.page.content()
    assert not faults


@pytest.fixture
def user(demo: Demo, visit: Callable[..., User]) -> User:
    """Somebody who has just started the demo."""
    newcomer = visit(demo)
    newcomer.sign_up()
    newcomer.start_demo()
    return newcomer
