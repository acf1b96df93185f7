"""How many restores a minute one Neon account sustains, and how long people wait when more are asked for.

Real are the flows (`neon.service`), the client with its retries, its pauses (`neon.waiting`) and its pace
(`neon.pacing`), and the plane's views and tables with 30,000 projects: they answer in Neon's format, lock a project
while its operations run, and let these take 1.2 s. The site's own restore and clean-up run once, on a project that has
a database, and must make the calls that the simulation makes, at the same times.

Simulated are time (`benchmarks.virtual_time`), what a call takes, the account's limits, the queue (first come, first
served, as in procrastinate) with the worker's threads, and people, who come by chance, each with another project. The
other projects have no databases, so that nothing is copied; hence `connection_uri` is answered without the plane.

``uv run --group bench python -m benchmarks.neon_scale [--quick] [--processes N] [--out FOLDER]``
"""

import math
import random
import statistics
import sys
from collections.abc import Iterator, Mapping, Sequence
from functools import partial
from pathlib import Path
from unittest import mock

from django.apps import apps
from django.core.management import call_command
from django.test import override_settings

from benchmarks import report, server
from benchmarks.simulation import PER_MINUTE, PROJECTS, Account, Restore, Site, account_in, way_to
from benchmarks.virtual_time import Clock
from neon import service

OPERATION_SECONDS = 1.2
LOADS, QUICK_LOADS = (1, 2, 4), (1, 4)
# Of the simulated time: until the pace's minute is full, of a site that always has something to do, of each load.
WARM_UP_MINUTES, FULL_MINUTES, LOAD_MINUTES = 1, 3, 2.0
QUICK_FULL_MINUTES, QUICK_LOAD_MINUTES = 1, 0.5
PEOPLE = 40  # who ask again as soon as they have been served
# Who came at about the same time must have waited about as long: as long as the pace may hold up a call.
NEIGHBOURS, UNFAIR_SECONDS = 10, 60.0
LOOK_SECONDS = 5
HEADINGS = {
    "load": "load, times that",
    "asked": "asked",
    "longest_queue": "longest queue",
    "waited_p50": "wait p50, s",
    "waited_p95": "p95",
    "waited_max": "max",
    "max_by_p50": "max / p50",
    "served_after": "all served after, min",
    "refused": "calls refused (429)",
    "repeated": "clean-ups repeated",
}


def calls_of_the_site(clock: Clock, account: Account) -> list[tuple[float, str]]:
    """Let the site itself restore a project with a database, and return when it called what."""
    from django.contrib.auth.models import User  # models can be read only once Django is set up

    from checkpoints import runs
    from checkpoints.models import Project, Run

    made_at_once = {config.label: None for config in apps.get_app_configs() if config.label != "procrastinate"}
    with override_settings(MIGRATION_MODULES=made_at_once):
        call_command("migrate", verbosity=0, interactive=False, run_syncdb=True)
    neon = way_to(account, clock)
    with mock.patch.object(service, "connect", return_value=neon):
        user, project, target = User.objects.create_user("somebody"), None, None
        for kind in (Run.Kind.START, Run.Kind.ADVANCE, Run.Kind.RESTORE):
            if project:
                neon.settle(project.neon_project_id)
                target = project.checkpoints.earliest("created_at")
            begun, account.calls = clock(), []
            run = runs.begin(owner=user, kind=kind, project=project, target=target, queue=False)
            runs.execute(run.pk)
            runs.clean_up(run.pk)
            run.refresh_from_db()
            if run.status != Run.Status.SUCCEEDED:
                raise report.Nonsense(f"{run}: {run.error} {run.detail}")
            project = Project.objects.get(owner=user)
    return since(begun, account.calls)


def calls_of_the_simulation(clock: Clock, account: Account) -> list[tuple[float, str]]:
    """Let one restore be simulated while nobody else is there, and return when it called what."""
    begun, account.calls = clock(), []
    site = Site(clock, account)
    site.live(partial(site.ask, "scale-1"))
    return since(begun, account.calls)


def since(begun: float, calls: Sequence[tuple[float, str]]) -> list[tuple[float, str]]:
    """Return calls with the seconds since a moment."""
    return [(round(moment - begun, 3), route) for moment, route in calls]


def sustained(clock: Clock, account: Account, minutes: float, processes: int) -> tuple[float, float]:
    """Return how many restores a minute are done when there are always some to do, and how many calls each costs."""
    site = Site(clock, account, processes=processes)
    begun = clock() + WARM_UP_MINUTES * 60
    until = begun + minutes * 60
    projects = strangers()
    site.then = lambda: site.ask(next(projects))

    def come() -> None:
        for _ in range(PEOPLE):
            site.ask(next(projects))
        clock.sleep(until - clock())
        site.close()

    account.calls = []
    site.live(come)
    done = sum(begun <= restore.ended < until and not restore.error for restore in site.restores)
    return done / minutes, sum(begun <= moment < until for moment, _ in account.calls) / done


def busy(clock: Clock, account: Account, per_minute: float, minutes: float, processes: int) -> Site:
    """Let so many people a minute come for a while, and return the site once all is done."""
    site = Site(clock, account, processes=processes)
    chance, projects = random.Random(3), strangers()  # noqa: S311 - the same every time
    until = clock() + minutes * 60

    def come() -> None:
        while True:
            clock.sleep(chance.expovariate(per_minute / 60))
            if clock() > until:
                return
            site.ask(next(projects))

    site.live(come)
    return site


def strangers() -> Iterator[str]:
    """Yield one project after the other, by chance."""
    chance = random.Random(2)  # noqa: S311 - the same every time
    while True:
        yield f"scale-{chance.randint(1, PROJECTS)}"


def starved(restores: Sequence[Restore]) -> list[str]:
    """Say in sentences who was not served, or later than those who came at about the same time."""
    said = [f"A restore failed: {restore.error}." for restore in restores if restore.error]
    said += ["A restore never ended." for restore in restores if math.isinf(restore.ended)]
    if [each.began for each in restores] != sorted(each.began for each in restores):
        said.append("Somebody was served before somebody who had come first.")
    for place, restore in enumerate(restores):
        around = restores[max(0, place - NEIGHBOURS) : place + NEIGHBOURS + 1]
        if restore.waited > statistics.median(each.waited for each in around) + UNFAIR_SECONDS:
            said.append(f"Somebody waited for {restore.waited:.0f} s, those around much less.")
    return said


def queue(restores: Sequence[Restore]) -> dict[float, int]:
    """Return how many waited for their restore to begin, by the minutes since the first asked."""
    begun, ended = restores[0].asked, max(restore.ended for restore in restores)
    moments = [begun + LOOK_SECONDS * number for number in range(math.ceil((ended - begun) / LOOK_SECONDS) + 1)]
    return {
        (moment - begun) / 60: sum(restore.asked <= moment < restore.began for restore in restores)
        for moment in moments
    }


def draw(path: Path, queues: Mapping[int, Mapping[float, int]]) -> None:
    """Draw how the queue grows and is worked off."""
    import matplotlib as mpl
    from matplotlib.figure import Figure

    with mpl.rc_context(report.PLOT_SETTINGS):
        drawing = Figure(figsize=(6.4, 3.8), layout="constrained")
        axes = drawing.subplots()
        for load, waiting in queues.items():
            axes.plot(list(waiting), list(waiting.values()), label=f"{load} times the load")
        axes.set(xlabel="minutes", ylabel="restores waiting", ylim=(0, None))
        axes.grid(alpha=0.3)
        axes.legend(frameon=False)
        path.parent.mkdir(parents=True, exist_ok=True)
        drawing.savefig(path, format="svg", metadata=report.PLOT_METADATA)


def result(load: int, site: Site, waiting: Mapping[float, int]) -> dict[str, float]:
    """Sum up what came of one load."""
    waited = [restore.waited for restore in site.restores]
    p50, p95 = (report.percentile(waited, share) for share in (0.5, 0.95))
    return {
        "load": load,
        "asked": len(waited),
        "longest_queue": max(waiting.values()),
        "waited_p50": round(p50, 2),
        "waited_p95": round(p95, 2),
        "waited_max": round(max(waited), 2),
        "max_by_p50": round(max(waited) / p50, 2),
        "served_after": round(max(waiting), 2),
        "refused": site.refused,
        "repeated": site.repeated,
    }


def main() -> int:
    """Simulate, say what came of it, and fail when somebody starved."""
    parser = report.arguments("neon_scale", __doc__)
    parser.add_argument("--processes", type=int, default=1, help="worker processes (default: 1)")
    wanted = parser.parse_args()
    server.start()
    clock = Clock()
    with override_settings(NEON_LOCAL_OPERATION_SECONDS=OPERATION_SECONDS), account_in(clock) as account:
        real, alone = calls_of_the_site(clock, account), calls_of_the_simulation(clock, account)
        if real != alone:
            print(f"Nonsense: the site calls {real}, and the simulation {alone}.", file=sys.stderr)
            return 1
        full = QUICK_FULL_MINUTES if wanted.quick else FULL_MINUTES
        rate, cost = sustained(clock, account, full, wanted.processes)
        print(
            f"One account sustains {rate:.1f} restores a minute, at {cost:.1f} calls for each with its clean-up, of"
            f" {PER_MINUTE} a minute that Neon allows. When nobody else is there, it takes {len(alone)} calls.\n"
        )
        minutes = QUICK_LOAD_MINUTES if wanted.quick else LOAD_MINUTES
        sites = {}
        for load in QUICK_LOADS if wanted.quick else LOADS:
            clock.sleep(60)  # until the account's last minute is empty
            account.refused = 0
            sites[load] = busy(clock, account, rate * load, minutes, wanted.processes)
            sites[load].refused = account.refused
    queues = {load: queue(site.restores) for load, site in sites.items()}
    results = [result(load, site, queues[load]) for load, site in sites.items()]
    print(report.table(list(HEADINGS.values()), [[each[name] for name in HEADINGS] for each in results]))
    about = {
        "restores_per_minute": round(rate, 1),
        "calls_per_restore": round(cost, 1),
        "calls_when_alone": len(alone),
        "minutes_of_load": minutes,
        f"queue_every_{LOOK_SECONDS}_s": {str(load): list(waiting.values()) for load, waiting in queues.items()},
    }
    report.write(wanted.out, "neon_scale", about, results)
    draw(wanted.out / "neon_scale.svg", queues)
    said = [sentence for site in sites.values() for sentence in starved(site.restores)]
    for sentence in dict.fromkeys(said):
        print(f"Starved: {sentence}", file=sys.stderr)
    return 1 if said else 0


if __name__ == "__main__":
    sys.exit(main())
