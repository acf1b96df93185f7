"""What the workers do every few seconds: as quick with hundreds of thousands of runs, of which it reads few."""

import pytest
from asgiref.sync import async_to_sync
from django.db import connection, transaction

from checkpoints import runs, services, tasks
from tests.scale.sites import compare, is_within_twice, readings

pytestmark = pytest.mark.scale

TASKS = {
    "upkeep": lambda site: tasks.upkeep(0),
    "resume": lambda site: runs.resume(),
    "follow the server": lambda site: services.upkeep(),
    "clean up": lambda site: tasks.clean_up_all(0),
    "take stalled jobs off": lambda site: async_to_sync(forget_stalled)(),
}


async def forget_stalled():
    await tasks.forget_stalled(0)


@pytest.mark.parametrize("name", TASKS)
def test_it_takes_at_most_twice_as_long(small, full, name):
    seconds = compare(small, full, undone(TASKS[name]))
    assert is_within_twice(seconds), seconds


@pytest.mark.parametrize("name", [name for name in TASKS if "jobs" not in name])  # whose queries are not ours
def test_it_reads_few_rows(full, name):
    with full.visited():
        read = readings(lambda: undone(TASKS[name])(full))
    assert sum(each.rows for each in read) < 50, read


def test_it_finds_what_there_is_to_do(full):
    with full.visited(), transaction.atomic():
        runs.resume()
        runs.enqueue_clean_ups()
        with connection.cursor() as cursor:
            cursor.execute("SELECT task_name, count(*) FROM procrastinate_jobs GROUP BY 1 ORDER BY 1")
            queued = cursor.fetchall()
        transaction.set_rollback(True)
    assert queued == [("checkpoints.tasks.clean_up", 1), ("checkpoints.tasks.execute", 3)]


def undone(act):
    """Return what does something, and then lets it not have happened."""

    def do(site):
        with transaction.atomic():
            act(site)
            transaction.set_rollback(True)

    return do
