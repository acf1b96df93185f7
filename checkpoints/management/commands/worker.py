"""The worker: executes runs and periodic tasks until it is told to stop."""

import asyncio
import gc
import logging
import signal
import time
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import psycopg
from django.conf import settings
from django.core.management.base import BaseCommand
from django.db import InterfaceError, OperationalError, connections
from procrastinate import App
from procrastinate.contrib.django import app
from procrastinate.contrib.django.django_connector import DjangoConnector
from procrastinate.exceptions import ConnectorException

from checkpoints import locks, runs
from checkpoints.models import Project
from neon import service as neon

logger = logging.getLogger(__name__)

# Beside those that execute jobs, as asyncio has them: to look up the name of a database's host, for one.
SPARE_THREADS = 4
AWAY = (OperationalError, InterfaceError, ConnectorException, psycopg.OperationalError)
PAUSE_SECONDS = 1.0


class Command(BaseCommand):
    """Take up what a killed worker left, then work."""

    help = "Execute runs and periodic tasks; any number of workers may run."

    def handle(self, *args: Any, **options: Any) -> None:
        """Work until SIGTERM or SIGINT; begin anew, with new connections, whenever the meta database was away."""
        with neon.attending():
            gc.freeze()  # as in config/wsgi.py: somebody may be waiting for a run
            while not self._has_worked():
                logger.error("The meta database is away; the worker tries again")
                connections.close_all()
                locks.end_idle_sessions()
                time.sleep(PAUSE_SECONDS)

    def _has_worked(self) -> bool:
        """Work until a signal says stop; False when it is the queue's connections that ended it."""
        try:
            Project.objects.first()  # a key that does not fit is said now, and not by each run
            runs.resume()
            # For this process only: a web process that swapped its connector would defer outside its transactions.
            with app.replace_connector(DjangoConnector().get_worker_connector()) as worker_app:
                asyncio.run(_work(worker_app))
        except asyncio.CancelledError:
            return True
        except AWAY:
            pass
        return False


async def _work(worker_app: App) -> None:
    """Work with a thread for each job: asyncio by itself has a few more than there are cores, whatever is asked for."""
    threads = ThreadPoolExecutor(settings.WORKER_CONCURRENCY + SPARE_THREADS, thread_name_prefix="job")
    asyncio.get_running_loop().set_default_executor(threads)
    async with worker_app.open_async():
        working = asyncio.ensure_future(worker_app.run_worker_async(name="worker", install_signal_handlers=False))
        for number in (signal.SIGTERM, signal.SIGINT):
            asyncio.get_running_loop().add_signal_handler(number, working.cancel)
        await working
