"""What a process that people wait for has loaded at its start is not gone through for garbage again and again."""

import pytest

from tests.checkpoints.test_checks import PRODUCTION, python

COUNT = "import gc\nprint(gc.get_freeze_count(), len(gc.get_objects()))"
WEB = f"import config.wsgi\n{COUNT}"
WORKER = f"""
from unittest.mock import patch
from django import setup
from django.core.management import call_command
setup()
from checkpoints.management.commands.worker import Command
with patch.object(Command, "_has_worked", side_effect=lambda: exec({COUNT!r}) or True):
    call_command("worker")
"""


@pytest.mark.parametrize("start", [WEB, WORKER], ids=["web", "worker"])
def test_most_objects_are_left_alone(start, tmp_path):
    run = python(["-c", start], PRODUCTION | {"DJANGO_SETTINGS_MODULE": "config.settings"}, tmp_path)
    assert run.returncode == 0, run.stderr
    left_alone, looked_at = map(int, run.stdout.split())
    assert left_alone > 10 * looked_at
