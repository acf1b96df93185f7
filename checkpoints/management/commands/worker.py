"""The worker: executes runs and periodic tasks until it is told to stop."""

from typing import Any

from django.core.management.base import BaseCommand
from procrastinate.contrib.django import app
from procrastinate.contrib.django.django_connector import DjangoConnector

from checkpoints import runs


class Command(BaseCommand):
    """Take up what a killed worker left, then work."""

    help = "Execute runs and periodic tasks; any number of workers may run."

    def handle(self, *args: Any, **options: Any) -> None:
        """Work until SIGTERM or SIGINT."""
        runs.resume()
        # For this process only: a web process that swapped its connector would defer outside its transactions.
        with app.replace_connector(DjangoConnector().get_worker_connector()) as worker_app:
            worker_app.run_worker(name="worker")
