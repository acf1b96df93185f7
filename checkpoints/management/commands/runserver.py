"""Django's development server, with the databases prepared and a worker beside it."""

import atexit
import os
from typing import Any

from django.core.management import call_command
from django.core.management.commands.runserver import Command as RunserverCommand
from django.utils.autoreload import DJANGO_AUTORELOAD_ENV

from checkpoints import processes


class Command(RunserverCommand):
    """Reloads on change, the worker too."""

    def handle(self, *args: Any, **options: Any) -> None:
        """Prepare once, in the process that outlives the reloads."""
        if os.environ.get(DJANGO_AUTORELOAD_ENV) is None:
            call_command("migrate", verbosity=0, interactive=False)
            call_command("collectstatic", verbosity=0, interactive=False)
        super().handle(*args, **options)

    def inner_run(self, *args: Any, **options: Any) -> None:
        """Start the worker with each reload."""
        worker = processes.worker()
        atexit.register(worker.stop)
        super().inner_run(*args, **options)
