"""The queue's entry points."""

import uuid

from procrastinate.contrib.django import app
from procrastinate.jobs import Status

from checkpoints import runs, services

# Before the runs that wait: else those of workers that died would be resumed only when no others wait any more.
FIRST = 1


@app.task
def execute(run_id: str) -> None:
    """Execute one run."""
    runs.execute(uuid.UUID(run_id))


@app.task
def clean_up(run_id: str) -> None:
    """Delete in Neon what one run left."""
    runs.clean_up(uuid.UUID(run_id))


@app.periodic(cron="* * * * * */10")
@app.task(queueing_lock="upkeep", priority=FIRST)
def upkeep(timestamp: int) -> None:
    """Resume the runs of workers that died, and let the control plane sweep."""
    runs.resume()
    services.upkeep()


@app.periodic(cron="*/10 * * * *")
@app.task(queueing_lock="forget_stalled", priority=FIRST)
async def forget_stalled(timestamp: int) -> None:
    """Take the jobs of killed workers off the queue; their runs have been queued again."""
    for job in await app.job_manager.get_stalled_jobs():
        await app.job_manager.finish_job(job, Status.FAILED, delete_job=True)


@app.periodic(cron="* * * * *")
@app.task(queueing_lock="clean_up_all", priority=FIRST)
def clean_up_all(timestamp: int) -> None:
    """Repeat the clean-ups that failed."""
    runs.enqueue_clean_ups()
