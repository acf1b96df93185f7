"""Branches of the local plane: how they grow deep and wide, and how many projects work at once.

``uv run --group bench python -m benchmarks.branching [--quick] [--sizes MB ...] [--out FOLDER]``

The shapes are those of BranchBench (arXiv 2604.17180). In the plane every branch is a full copy: what a copy-on-write
store pays for depth at each read, it pays in bytes and time when a branch is made.
"""

import sys
import threading
import time
from collections import defaultdict
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import psycopg
from django.conf import settings

from benchmarks import content, report, server
from benchmarks.report import Figures, Nonsense
from neon.local import store
from neon.local.engine import branches, projects, snapshots, upkeep

Row = dict[str, Any]

PLACES = [1, 10, 25, 100]  # how many branches there are, when those are measured that come next
CROWDS = [1, 10, 50]  # projects at work at once
TRIES, TURNS = 5, 3
# Which of the branches so far is the parent of the next: the tip, the middle of them, the root.
SHAPES: dict[str, Callable[[int], int]] = {
    "spine": lambda branches: branches,
    "bushy": lambda branches: branches // 2,
    "fan-out": lambda branches: 0,
}
CREATE, CONNECT, READ, UPDATE = "create", "connect and first query", "point query", "update"
SNAPSHOT, RESTORE = "snapshot", "restore"


@dataclass(frozen=True)
class Node:
    """A branch of a tree that is measured: where it is, and what was written on the way there."""

    branch_id: str
    uri: str
    written: tuple[int, ...]
    bytes: int


class Tree:
    """A project whose branches grow in one of the shapes; every branch gets a row that its children see."""

    def __init__(self, shape: str, megabytes: int) -> None:
        made = projects.create(shape)
        self._project_id = made["project"]["id"]
        self._grow = SHAPES[shape]
        database = made["database"]["physical_name"]
        uri = server.uri(database, made["role"])
        content.fill(uri, megabytes)
        _write(uri, 0)
        self._nodes = [Node(made["branch"]["id"], uri, (0,), server.size(f"^{database}$"))]
        self._next = 1

    def grow_to(self, wanted: int) -> None:
        """Make branches until there are so many beside the root."""
        while len(self._nodes) <= wanted:
            self._nodes.append(self._branch(lambda measure, work: work()))

    def measure(self, tries: int) -> tuple[dict[str, list[float]], list[int]]:
        """Make, use and delete the branch that would come next; returns milliseconds, and the bytes of each."""
        milliseconds: dict[str, list[float]] = defaultdict(list)
        sizes = []

        def timed(measure: str, work: Callable[[], Any]) -> Any:
            begun = time.perf_counter()
            done = work()
            milliseconds[measure].append((time.perf_counter() - begun) * 1000)
            return done

        for _ in range(1 + tries):
            server.settle()
            node = self._branch(timed)
            sizes.append(node.bytes)
            branches.delete(self._project_id, node.branch_id)
            upkeep.run()
        return milliseconds, sizes

    def leave(self) -> None:
        """Delete the project with everything in it."""
        projects.delete(self._project_id)
        upkeep.run()

    def _branch(self, timed: Callable[[str, Callable[[], Any]], Any]) -> Node:
        parent = self._nodes[self._grow(len(self._nodes) - 1)]
        made = timed(CREATE, lambda: branches.create(self._project_id, parent_id=parent.branch_id, with_endpoint=True))
        [database], [role] = made["databases"], made["roles"]
        uri = server.uri(database["physical_name"], role)
        timed(CONNECT, lambda: content.visit(uri))
        with psycopg.connect(uri, autocommit=True) as connection:
            by_email = "FROM contacts WHERE email = 'ada@example.com'"
            timed(READ, lambda: connection.execute("SELECT name " + by_email).fetchone())
            timed(
                UPDATE,
                lambda: connection.execute("UPDATE contacts SET name = upper(name) WHERE email = 'ada@example.com'"),
            )
        written = _written(uri)
        if written != parent.written:
            raise Nonsense(f"A branch holds {written}, and its parent {parent.written}.")
        _write(uri, self._next)
        node = Node(made["branch"]["id"], uri, (*written, self._next), server.size(f"^{database['physical_name']}$"))
        self._next += 1
        return node


class Crowd:
    """So many projects that all make snapshots and restore them, at once."""

    def __init__(self, size: int, megabytes: int) -> None:
        self.milliseconds: dict[str, list[float]] = defaultdict(list)
        self.errors: list[str] = []
        self._members = []
        for number in range(size):
            made = projects.create(f"crowd {number}")
            uri = server.uri(made["database"]["physical_name"], made["role"])
            content.fill(uri, megabytes)
            self._members.append((made["project"]["id"], uri, number))

    def work(self, turns: int) -> float:
        """Let all of them work, each in a thread, and return how many seconds it took."""
        server.settle()
        together = threading.Barrier(len(self._members) + 1)
        threads = [
            threading.Thread(target=self._work, args=[together, turns, *member], daemon=True)
            for member in self._members
        ]
        for thread in threads:
            thread.start()
        together.wait()
        begun = time.perf_counter()
        for thread in threads:
            thread.join()
        return time.perf_counter() - begun

    def leave(self) -> None:
        """Delete the projects."""
        for project_id, _, _ in self._members:
            projects.delete(project_id)
        upkeep.run()

    def _work(self, together: threading.Barrier, turns: int, project_id: str, uri: str, number: int) -> None:
        together.wait()
        try:
            for turn in range(turns):
                self._turn(project_id, uri, number * 1000 + turn)
        except Exception as error:
            self.errors.append(f"{type(error).__name__}: {error}")

    def _turn(self, project_id: str, uri: str, mark: int) -> None:
        """Keep a mark, lose it, and have it back."""
        _write(uri, mark)
        expected = _written(uri)
        begun = time.perf_counter()
        snapshot, _ = snapshots.create(project_id, _default(project_id))
        self.milliseconds[SNAPSHOT].append((time.perf_counter() - begun) * 1000)
        with psycopg.connect(uri) as connection:
            connection.execute("DROP TABLE marks")
        begun = time.perf_counter()
        snapshots.restore(project_id, snapshot["id"], target_branch_id=_default(project_id), finalize=True)
        self.milliseconds[RESTORE].append((time.perf_counter() - begun) * 1000)
        if (found := _written(uri)) != expected:
            raise Nonsense(f"After a restore there is {found} and not {expected}.")


def _default(project_id: str) -> str:
    with store.connection() as connection:
        return str(store.one(connection, store.BRANCHES + " AND b.is_default", project_id)["id"])


def _write(uri: str, mark: int) -> None:
    with psycopg.connect(uri) as connection:
        connection.execute("CREATE TABLE IF NOT EXISTS marks (mark bigint)")
        connection.execute("INSERT INTO marks VALUES (%s)", [mark])


def _written(uri: str) -> tuple[int, ...]:
    with psycopg.connect(uri) as connection:
        return tuple(mark for (mark,) in connection.execute("SELECT mark FROM marks ORDER BY mark"))


def measure_shapes(megabytes: int, places: Sequence[int], tries: int) -> list[Row]:
    """Grow a tree of each shape, and measure the branches that come at some places."""
    results = []
    for shape in SHAPES:
        tree = Tree(shape, megabytes)
        for place in places:
            report.say(f"{megabytes} MB, {shape}: branch {place}")
            tree.grow_to(place - 1)
            milliseconds, sizes = tree.measure(tries)
            figures = {measure: report.figures(values) for measure, values in milliseconds.items()}
            results.append(
                {"size_mb": megabytes, "shape": shape, "branch": place, "milliseconds": figures, "bytes": max(sizes)}
            )
        tree.leave()
    return results


def measure_crowds(megabytes: int, crowds: Sequence[int], turns: int) -> list[Row]:
    """Let more and more projects snapshot and restore at once."""
    results = []
    for projects_at_once in crowds:
        report.say(f"{megabytes} MB: {projects_at_once} projects at once")
        crowd = Crowd(projects_at_once, megabytes)
        seconds = crowd.work(turns)
        crowd.leave()
        if crowd.errors:
            raise Nonsense(f"{len(crowd.errors)} of {projects_at_once} projects failed, the first: {crowd.errors[0]}")
        figures = {measure: report.figures(values) for measure, values in crowd.milliseconds.items()}
        a_second = projects_at_once * turns / seconds
        results.append(
            {"size_mb": megabytes, "projects": projects_at_once, "milliseconds": figures, "turns_a_second": a_second}
        )
    return results


def tables(shapes: Sequence[Row], crowds: Sequence[Row]) -> str:
    """Return a table of the shapes and one of the crowds, in milliseconds."""
    measures = (CREATE, CONNECT, READ, UPDATE)
    headings = ["size", "shape", "branch", *(f"{name}, {which}" for name in measures for which in ("p50", "p95")), "MB"]
    of_shapes = [
        [
            *(f"{row['size_mb']} MB", row["shape"], row["branch"]),
            *(each for name in measures for each in (row["milliseconds"][name].p50, row["milliseconds"][name].p95)),
            row["bytes"] / content.MEGABYTE,
        ]
        for row in shapes
    ]
    headings_of_crowds = ["size", "projects at once", "", "p50", "p95", "max", "snapshot and restore a second"]
    of_crowds = [
        [
            *(f"{row['size_mb']} MB", row["projects"], measure),
            *(figures.p50, figures.p95, figures.max, row["turns_a_second"]),
        ]
        for row in crowds
        for measure, figures in row["milliseconds"].items()
    ]
    return "\n\n".join([report.table(headings, of_shapes), report.table(headings_of_crowds, of_crowds)])


def draw(path: Path, shapes: Sequence[Row], crowds: Sequence[Row]) -> None:
    """Draw them for the smallest size."""
    size = min(row["size_mb"] for row in shapes)
    panels: dict[tuple[str, str], dict[str, dict[int, Figures]]] = {
        (measure, "branches"): {
            shape: {
                row["branch"]: row["milliseconds"][measure]
                for row in shapes
                if (row["size_mb"], row["shape"]) == (size, shape)
            }
            for shape in SHAPES
        }
        for measure in (CREATE, CONNECT, READ)
    }
    panels["snapshot, restore", "projects at once"] = {
        measure: {row["projects"]: row["milliseconds"][measure] for row in crowds if row["size_mb"] == size}
        for measure in (SNAPSHOT, RESTORE)
    }
    report.lines(path, panels)


def main() -> int:
    """Measure, say what was found, and fail on nonsense."""
    parser = report.arguments("branching", __doc__)
    parser.add_argument("--sizes", type=int, nargs="+", metavar="MB", default=[7], help="sizes (default: 7)")
    wanted = parser.parse_args()
    places, crowds, tries, turns = ([1, 10], [1, 10], 2, 1) if wanted.quick else (PLACES, CROWDS, TRIES, TURNS)
    server.start()
    about = {
        "machine": report.machine(settings.DATA_DIR),
        "versions": {**server.version(), **report.versions("psycopg")},
        "unit": "ms",
    }
    of_shapes: list[Row] = []
    of_crowds: list[Row] = []
    try:
        for megabytes in wanted.sizes:
            of_shapes += measure_shapes(megabytes, places, tries)
            of_crowds += measure_crowds(megabytes, crowds, turns)
            report.write(wanted.out, "branching", about, [*of_shapes, *of_crowds])
    except Nonsense as error:
        report.say(f"Nonsense: {error}")
        return 1
    draw(wanted.out / "branching.svg", of_shapes, of_crowds)
    print(tables(of_shapes, of_crowds))
    return 0


if __name__ == "__main__":
    sys.exit(main())
