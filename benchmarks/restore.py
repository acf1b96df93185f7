"""Snapshot and restore: our engine beside DSLR, pg_dump and createdb, round by round on the same server.

``uv run --group bench python -m benchmarks.restore [--quick] [--large] [--sizes MB ...] [--dslr-connected]
[--out FOLDER]``
"""

import shutil
import sys
import time
from collections import defaultdict
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import psycopg
from django.conf import settings

from benchmarks import content, report, server
from benchmarks.client import Client
from benchmarks.contestants import CREATEDB, DSLR, DUMP, OURS, OURS_WITHOUT, Contestant, Createdb, Dslr, Dump, Ours
from benchmarks.report import Figures, Nonsense
from neon.local.engine import projects

SIZES, LARGE_SIZE, QUICK_SIZES = [7, 100, 1024], 5 * 1024, [7, 100]
SMALL = 100  # megabytes, up to which there are many rounds
TRIES = 5  # of a snapshot or restore that a client at work is in the way of
# What all of them keep at once, and room for the server's log of writes.
COPIES_AT_ONCE, ROOM_BYTES = 10, 3 * 2**30

SNAPSHOT, RESTORE, VISIT = "snapshot", "restore", "first query after restore"
SHUT_BY_SNAPSHOT, SHUT_BY_RESTORE = "no writes during snapshot", "no writes during restore"
MEASURES = (SNAPSHOT, RESTORE, VISIT, SHUT_BY_SNAPSHOT, SHUT_BY_RESTORE)


@dataclass(frozen=True)
class Result:
    """What one contestant needs at one size: milliseconds by measure, and bytes."""

    size: str
    contestant: str
    milliseconds: dict[str, Figures]
    bytes: int  # of its database alone
    kept: int  # between snapshot and restore: database, snapshot, spare
    kept_after: int  # after the restore, until what it replaced has been dropped
    refused: int  # attempts that failed because a client was at work


class Rounds:
    """What has been measured of one contestant at one size, round by round."""

    def __init__(self, contestant: Contestant) -> None:
        self.contestant = contestant
        self.milliseconds: dict[str, list[float]] = defaultdict(list)
        self.bytes: dict[str, int] = defaultdict(int, bytes=contestant.bytes())
        self.refused = 0

    def alone(self, expected: content.Content) -> None:
        """Snapshot, go on, restore, while no client is connected."""
        one = self.contestant
        self._check(expected)
        server.settle()
        self._time(SNAPSHOT, one.snapshot)
        self._go_on(expected)
        self._measure("kept")
        server.settle()
        self._time(RESTORE, one.restore)
        self._time(VISIT, lambda: content.visit(one.uri))
        self._check(expected)
        self._measure("kept_after")
        one.tidy()

    def beside_client(self, expected: content.Content) -> None:
        """The same while a client writes all the time: for how long could it not?"""
        one = self.contestant
        server.settle()
        with Client(one.uri, away=one.away) as client:
            self._time_without_writes(SHUT_BY_SNAPSHOT, client, one.snapshot)
            self._go_on(expected)
            self._time_without_writes(SHUT_BY_RESTORE, client, one.restore)
        self._check(expected)
        one.tidy()

    def result(self, size: str) -> Result:
        """Sum up."""
        milliseconds = {measure: report.figures(self.milliseconds[measure]) for measure in MEASURES}
        return Result(size, self.contestant.name, milliseconds, **self.bytes, refused=self.refused)

    def _time(self, measure: str, work: Callable[[], None]) -> None:
        begun = time.perf_counter()
        work()
        self.milliseconds[measure].append((time.perf_counter() - begun) * 1000)

    def _time_without_writes(self, measure: str, client: Client, work: Callable[[], None]) -> None:
        for attempt in range(1, TRIES + 1):
            begun = time.perf_counter()
            try:
                work()
                break
            except (psycopg.errors.ObjectInUse, RuntimeError):
                if attempt == TRIES:
                    raise
                self.refused += 1
        self.milliseconds[measure].append(client.longest_gap(begun, time.perf_counter()) * 1000)

    def _go_on(self, expected: content.Content) -> None:
        content.change(self.contestant.uri)
        if content.look(self.contestant.uri) == expected:
            raise Nonsense(f"{self.contestant.name}: the change before the restore changed nothing.")
        self.contestant.prepare()

    def _check(self, expected: content.Content) -> None:
        if (found := content.look(self.contestant.uri)) != expected:
            raise Nonsense(f"{self.contestant.name}: there is {found} and not {expected}.")

    def _measure(self, name: str) -> None:
        self.bytes[name] = max(self.bytes[name], self.contestant.bytes())


def measure(megabytes: int, rounds: int, rounds_beside: int, *, with_dump: bool, dslr_connected: bool) -> list[Result]:
    """Measure all at one size; one after the other in every round, so that the machine's moods meet all alike."""
    made = projects.create("bench")
    contestants: list[Contestant] = [Ours(made, spare=True), Dslr(connected=dslr_connected)]
    contestants += [Ours(made, spare=False), Createdb()]
    contestants += [Dump()] if with_dump else []
    for uri in dict.fromkeys(each.uri for each in contestants):
        content.fill(uri, megabytes)
    expected = content.look(contestants[0].uri)
    server.settle()
    measured = [Rounds(contestant) for contestant in contestants]
    for number in range(1 + rounds):
        report.say(f"{label(megabytes)}: round {number} of {rounds}")
        # Each is first as often. Those behind it come in turns in one order and the other: the disk remembers.
        first = number % len(measured)
        others = measured[first + 1 :] + measured[:first]
        for each in [measured[first], *(others if number % 2 else reversed(others))]:
            with each.contestant.turn():
                each.alone(expected)
                if number <= rounds_beside:  # the first round is apart there, too
                    each.beside_client(expected)
    for contestant in contestants:
        contestant.leave()
    return [each.result(label(megabytes)) for each in measured]


def nonsense(results: Sequence[Result]) -> list[str]:
    """Say in sentences which results cannot be; that they are slow is none of it."""
    sentences = []
    for size in dict.fromkeys(result.size for result in results):
        of = {result.contestant: result for result in results if result.size == size}
        if of[OURS].kept < 2.5 * of[OURS].bytes:
            sentences.append(f"{size}: there was no spare in the series with one.")
        times = report.ratio(of[OURS].milliseconds[RESTORE], of[DSLR].milliseconds[RESTORE])
        if of[OURS].bytes > SMALL / 2 * content.MEGABYTE and times < 1:
            sentences.append(f"{size}: DSLR restores {1 / times:.1f} times as fast as we do with a spare.")
    return sentences


def tables(results: Sequence[Result]) -> str:
    """Return a table of times and one of bytes."""
    ours = {result.size: result.milliseconds for result in results if result.contestant == OURS}
    without = {result.size: result.milliseconds for result in results if result.contestant == OURS_WITHOUT}
    times = [
        [
            *(result.size, measure, result.contestant, figures.first, figures.p50, figures.p95, figures.max),
            *(report.ratio(series[result.size][measure], figures) for series in (ours, without)),
        ]
        for size in ours
        for measure in MEASURES
        for result in results
        if result.size == size
        for figures in [result.milliseconds[measure]]
    ]
    megabytes = [
        [
            *(result.size, result.contestant),
            *(each / content.MEGABYTE for each in (result.bytes, result.kept, result.kept_after)),
            result.refused,
        ]
        for result in results
    ]
    headings = ["size", "ms", "", "first", "p50", "p95", "max", "times ours, spare", "times ours, no spare"]
    kept = ["size", "MB", "database", "with snapshot", "after restore", "refused"]
    return "\n\n".join([report.table(headings, times), report.table(kept, megabytes)])


def draw(path: Path, results: Sequence[Result]) -> None:
    """Draw what matters most of it."""
    sizes = list(dict.fromkeys(result.size for result in results))
    found = {(result.size, result.contestant): result.milliseconds for result in results}
    panels = {
        measure: {
            name: [found[size, name][measure] if (size, name) in found else None for size in sizes]
            for name in (OURS, OURS_WITHOUT, DSLR, CREATEDB, DUMP)
        }
        for measure in (RESTORE, SNAPSHOT, SHUT_BY_RESTORE, SHUT_BY_SNAPSHOT)
    }
    report.bars(path, sizes, panels)


def label(megabytes: int) -> str:
    """Name a size."""
    return f"{megabytes // 1024} GB" if megabytes % 1024 == 0 else f"{megabytes} MB"


def main() -> int:
    """Measure, say what was found, and fail on nonsense."""
    parser = report.arguments("restore", __doc__)
    parser.add_argument("--large", action="store_true", help="also 5 GB, which takes about 50 GB on disk")
    parser.add_argument("--sizes", type=int, nargs="+", metavar="MB", help="these sizes instead")
    parser.add_argument(
        "--dslr-connected", action="store_true", help="DSLR connects once, and not for each of its commands"
    )
    wanted = parser.parse_args()
    sizes = wanted.sizes or (QUICK_SIZES if wanted.quick else [*SIZES, *([LARGE_SIZE] if wanted.large else [])])
    server.start()
    free = shutil.disk_usage(settings.DATA_DIR).free
    if free < COPIES_AT_ONCE * max(sizes) * content.MEGABYTE + ROOM_BYTES:
        report.say(f"There is not enough room on disk for {label(max(sizes))}; TMPDIR may name another one.")
        return 2
    about = {
        "machine": report.machine(settings.DATA_DIR),
        "versions": {**server.version(), **report.versions("dslr", "psycopg")},
        "unit": "ms; the first round is apart, refused are attempts that failed for a client at work",
    }
    results: list[Result] = []
    try:
        for megabytes in sizes:
            rounds, beside = (1, 0) if wanted.quick else (20, 10) if megabytes <= SMALL else (5, 3)
            # A dump takes longest: in the quick form one of a small database has to do.
            with_dump = not wanted.quick or megabytes < SMALL
            results += measure(megabytes, rounds, beside, with_dump=with_dump, dslr_connected=wanted.dslr_connected)
            report.write(wanted.out, "restore", about, [vars(result) for result in results])
    except Nonsense as error:
        report.say(f"Nonsense: {error}")
        return 1
    draw(wanted.out / "restore.svg", results)
    print(tables(results))
    found = nonsense(results)
    for sentence in found:
        report.say(f"Nonsense: {sentence}")
    return 1 if found else 0


if __name__ == "__main__":
    sys.exit(main())
