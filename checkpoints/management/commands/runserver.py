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

    def on_bind(self, server_port: int) -> None:
        """Start the worker with each reload, once the port is ours: a server that cannot bind ends without a word."""
        super().on_bind(server_port)
        atexit.register(processes.worker().stop)
