"""How many pages a second the site serves, and how long an action takes from the click until its page is painted.

The site runs as ``start_demo`` runs it, on two cores, with everything switched on. The page is that of the checkpoint
at which the database is, of a project with three checkpoints and three contacts, for somebody who is signed in and
whose browser takes compressed pages. It is asked for over eight connections that are kept open, by a loop over sockets
in this process: it costs a few percent of a core, which are among the two. Browsers measure actions by themselves. How
long Neon's operations took of that is what the plane says of them, from the call that asks for them to their end
(``total_duration_ms`` of the API, here from its table); time in which several are at work counts once.

    uv run --group bench python -m benchmarks.pages [--quick] [--out FOLDER] [--seconds 0 0.3 1.2 5]
"""

import argparse
import asyncio
import gzip
import itertools
import os
import shutil
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from urllib.parse import SplitResult, urlsplit

os.environ["DJANGO_SETTINGS_MODULE"] = "benchmarks.settings"

import httpx
from playwright.sync_api import Page, sync_playwright

from benchmarks import report
from tests.browser.conftest import ARGUMENTS, CHROMIUM
from tests.browser.servers import Demo
from tests.browser.user import User

CORES = 2
CONNECTIONS = 8
WARM_UP_SECONDS = 2.0
SECONDS, QUICK_SECONDS = 10.0, 3.0
ROUNDS, QUICK_ROUNDS = 20, 3
PAGES_PER_SECOND, PAGE_MS = 450, 20
OPERATION_SECONDS = (0, 0.3, 1.2, 5)
OVERHEAD_MS = 150
LOOK_MS = 2000
PACKAGES = ("django", "granian", "psycopg", "playwright")
PEOPLE = (b"Ada Lovelace", b"Alan Turing", b"Grace Hopper")
OPERATIONS = """
    SELECT coalesce(1000 * extract(epoch FROM sum(upper(at_work) - lower(at_work))), 0)::float
    FROM (
        SELECT unnest(range_agg(tstzrange(created_at, least(finish_at, %(end)s)))) AS at_work
        FROM operations WHERE created_at BETWEEN %(begin)s AND %(end)s
    ) AS operations
"""
# Presses a button, is told when the page that it leads to has come, and lets the next frame be painted. To look once a
# frame instead would have the browser paint all the time, on the cores that the site has.
PRESS = """
    async ([buttons, text, heading]) => {
        const button = [...document.querySelectorAll(buttons)].find((button) => button.textContent.includes(text));
        const arrived = () => document.querySelector("h1").textContent === heading
            && document.querySelector(".place[aria-current]")?.textContent.includes("database is here")
            && document.querySelectorAll("#contacts .contact").length === 3;
        const start = performance.now();
        button.click();
        await new Promise((there) => new MutationObserver((changes, observer) => {
            if (arrived()) { observer.disconnect(); there(); }
        }).observe(document.body, { childList: true, subtree: true }));
        await new Promise(requestAnimationFrame);
        await new Promise((painted) => {
            const { port1, port2 } = new MessageChannel();
            port1.onmessage = painted;
            port2.postMessage(0);
        });
        return performance.now() - start;
    }
"""
PLACES = ".timeline button.place"
JUMPS = ((PLACES, "Create a contact list app", "Checkpoint v1"), (PLACES, "Add role and company", "Checkpoint v2"))
START = ("button", "Delete and start again", "Checkpoint v1")
ADVANCE = ("button", "Create next checkpoint", "Checkpoint v2")


@dataclass
class Load:
    """What eight connections got."""

    seconds: float
    taken: list[float] = field(default_factory=list)
    bytes: int = 0
    cpu_seconds: float = 0.0

    @property
    def per_second(self) -> float:
        """Return how many pages came in a second."""
        return len(self.taken) / self.seconds


@dataclass(frozen=True, slots=True)
class Action:
    """How long it took from the click to the painted page, and Neon's operations of that, in milliseconds."""

    milliseconds: float
    operations: float

    @property
    def beyond(self) -> float:
        """Return what it took beyond the operations."""
        return self.milliseconds - self.operations


Taken = dict[str, list[Action]]


@contextmanager
def running(**variables: str) -> Iterator[Demo]:
    """Run a demo with data of its own, and remove both at the end."""
    demo = Demo(**variables)
    try:
        yield demo
    finally:
        demo.ask_to_stop()
        demo.finish()


def serve_pages(seconds: float) -> tuple[Load, Load]:
    """Measure pages of a project with three checkpoints: as they were before, and made anew for each address."""
    with running() as demo:
        where, request = urlsplit(demo.url), page_request(demo)
        number = itertools.count()
        anew = (request.replace(b"/ HTTP/1.1", b"/?n=%d HTTP/1.1" % each, 1) for each in number)
        asyncio.run(load(where, itertools.repeat(request), WARM_UP_SECONDS))
        return (
            asyncio.run(load(where, itertools.repeat(request), seconds)),
            asyncio.run(load(where, anew, seconds)),
        )


def page_request(demo: Demo) -> bytes:
    """Sign in, make two more checkpoints, and return a request for the page of the last one."""
    with httpx.Client(base_url=demo.url) as browser:
        url = browser.get(demo.sign_in).headers["Location"]
        for _ in range(2):
            token = browser.get(url).text.partition('"X-CSRFToken": "')[2].partition('"')[0]
            answer = browser.post(f"{url}advance/", headers={"X-CSRFToken": token}, follow_redirects=True)
            while "/runs/" in answer.url.path:
                answer = browser.get(answer.url, follow_redirects=True)
            url = answer.url.path
        cookies = "; ".join(f"{cookie.name}={cookie.value}" for cookie in browser.cookies.jar)
    host = urlsplit(demo.url).netloc
    lines = (f"GET {url} HTTP/1.1", f"Host: {host}", f"Cookie: {cookies}", "Accept-Encoding: gzip", "", "")
    return "\r\n".join(lines).encode()


async def load(where: SplitResult, requests: Iterator[bytes], seconds: float) -> Load:
    """Ask for a page again and again over each connection."""
    got, cpu = Load(seconds), time.process_time()
    until = time.perf_counter() + seconds
    await asyncio.gather(*(ask(where, requests, until, got) for _ in range(CONNECTIONS)))
    got.cpu_seconds = time.process_time() - cpu
    return got


async def ask(where: SplitResult, requests: Iterator[bytes], until: float, got: Load) -> None:
    """Ask for a page over one connection, each time the last one has come; raises Nonsense for another one."""
    reader, writer = await asyncio.open_connection(where.hostname, where.port)
    begun = time.perf_counter()
    while begun < until:
        writer.write(next(requests))
        head = (await reader.readuntil(b"\r\n\r\n")).lower()
        body = await reader.readexactly(int(head.partition(b"content-length:")[2].partition(b"\r\n")[0]))
        ended = time.perf_counter()
        got.taken.append((ended - begun) * 1000)
        got.bytes += len(body)
        begun = ended
        if not head.startswith(b"http/1.1 200 "):
            raise report.Nonsense(f"The site answered: {head.splitlines()[0].decode()}")
    page = gzip.decompress(body) if b"content-encoding: gzip" in head else body
    if not all(person in page for person in PEOPLE) or page.count(b'class="entry') != 3:
        raise report.Nonsense("The page does not show three contacts and three checkpoints.")
    writer.close()
    await writer.wait_closed()


@dataclass(frozen=True, slots=True)
class Site:
    """A demo, somebody who is signed in to it, and how long its operations last beyond their work."""

    demo: Demo
    page: Page
    seconds: float

    def press(self, what: tuple[str, str, str]) -> Action:
        """Press a button after a pause in which somebody would look at the page.

        Meanwhile the clean-up has its two operations, which lock the project, and the plane builds the next spare.
        """
        self.page.wait_for_timeout(LOOK_MS + 2300 * self.seconds)
        begin = datetime.now(UTC)
        milliseconds = float(self.page.evaluate(PRESS, what))
        end = datetime.now(UTC)
        with self.demo.connect() as plane:
            (operations,) = plane.execute(OPERATIONS, {"begin": begin, "end": end}).fetchone() or (0.0,)
        if not 0 < operations < milliseconds:
            raise report.Nonsense(f"Operations of {operations:.0f} ms in an action of {milliseconds:.0f} ms.")
        return Action(milliseconds, operations)


def act(seconds: float, rounds: int, measure: Callable[[Site, int], Taken]) -> Taken:
    """Let a browser act, with operations that last so many seconds beyond their work."""
    found = next(filter(None, map(shutil.which, CHROMIUM)), None)
    with running(NEON_LOCAL_OPERATION_SECONDS=str(seconds)) as demo, sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=found, args=ARGUMENTS)
        try:
            page = browser.new_page(base_url=demo.url)
            page.set_default_timeout(60_000)
            page.goto(demo.sign_in)
            User(page).sees("v1")
            return measure(Site(demo, page, seconds), rounds)
        finally:
            browser.close()


def jump(site: Site, rounds: int) -> Taken:
    """Jump between two checkpoints; the first round is cold, as with the others."""
    site.press(ADVANCE)
    return {"jump": [site.press(JUMPS[place % 2]) for place in range(rounds + 1)]}


def start_and_advance(site: Site, rounds: int) -> Taken:
    """Start again, which makes a project and deletes the one before, and make the next checkpoint."""
    taken: Taken = {"start": [], "advance": []}
    for _ in range(rounds + 1):
        site.page.goto("/")
        User(site.page).press("Start demo")
        site.page.get_by_role("heading", name="Start again?").wait_for()
        taken["start"].append(site.press(START))
        taken["advance"].append(site.press(ADVANCE))
    return taken


def main() -> None:
    """Measure, and say what was measured."""
    parser = report.arguments("pages", __doc__)
    parser.add_argument("--seconds", type=float, nargs="*", default=OPERATION_SECONDS, help="of Neon's operations")
    options = parser.parse_args()
    if hasattr(os, "sched_setaffinity"):
        os.sched_setaffinity(0, sorted(os.sched_getaffinity(0))[:CORES])
    try:
        measure_all(options)
    except report.Nonsense as error:
        sys.exit(f"Nonsense: {error}")


def measure_all(options: argparse.Namespace) -> None:
    """Measure pages and actions, and say and write what was measured; raises Nonsense."""
    loads = serve_pages(QUICK_SECONDS if options.quick else SECONDS)
    results: list[dict[str, object]] = []
    for name, pages in zip(("as it was, when nothing has changed", "made anew"), loads, strict=True):
        page = report.figures(pages.taken)
        results.append({"page": name, "milliseconds": page, "pages_per_second": round(pages.per_second, 1)})
        print(
            f"A page {name}: {pages.per_second:.0f} a second of {pages.bytes / len(pages.taken):,.0f} bytes over"
            f" {CONNECTIONS} connections, p50 {page.p50:.1f} ms, p95 {page.p95:.1f} ms."
            f" To ask for them took {pages.cpu_seconds / pages.seconds:.0%} of a core."
        )
    print(f"(wanted: {PAGES_PER_SECOND} at {PAGE_MS} ms)\n")
    rows, jumps = [], []
    rounds = QUICK_ROUNDS if options.quick else ROUNDS
    for seconds in options.seconds:
        taken = act(seconds, rounds, jump) | act(seconds, rounds, start_and_advance)
        for name, actions in taken.items():
            beyond = report.figures([each.beyond for each in actions])
            whole = report.figures([each.milliseconds for each in actions])
            operations = report.figures([each.operations for each in actions])
            rows.append((name, f"{seconds:g} s", beyond.rounds, whole.p50, operations.p50, beyond.p50, beyond.p95))
            results.append(
                {
                    "action": name,
                    "operation_seconds": seconds,
                    "click_to_page": whole,
                    "operations": operations,
                    "beyond_operations": beyond,
                }
            )
            jumps += [beyond] if name == "jump" else []
    headings = ("action", "operations last", "rounds", "p50, ms", "operations' own", "beyond them", "p95")
    print(report.table(headings, rows))
    print(f"(wanted: at most {OVERHEAD_MS} ms beyond the operations' own time)")
    about = {"machine": report.machine(Path(tempfile.gettempdir())), "versions": report.versions(*PACKAGES)}
    report.write(options.out, "pages", about, results)
    report.bars(
        options.out / "pages.svg",
        [f"{seconds:g} s" for seconds in options.seconds],
        {"jump: click to painted page, beyond operations of": {"site and browser": jumps}},
    )


if __name__ == "__main__":
    main()
