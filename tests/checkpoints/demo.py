"""``manage.py start_demo``, as somebody runs it: a process with a data folder of its own."""

import os
import re
import signal
import subprocess
import sys
import time
from contextlib import contextmanager
from pathlib import Path

import httpx
from django.conf import settings

from tests.waiting import until

NEVER_SHOWN = re.compile(r"postgres(ql)?://|s3cret|Traceback \(", re.IGNORECASE)


class Demo:
    """One call of the command, and what it has written so far."""

    def __init__(self, folder, *options, **variables):
        # The settings module of the tests would choose a data folder by itself.
        own = {"DJANGO_SETTINGS_MODULE": "config.settings", "DATA_DIR": str(folder)}
        place = next(parent for parent in folder.parents if parent.is_dir())
        self._output = place / f"output-{time.monotonic_ns()}"
        self._begun = time.monotonic()
        with self._output.open("w") as file:
            self._process = subprocess.Popen(
                [sys.executable, "manage.py", "start_demo", *options],
                cwd=settings.BASE_DIR,
                env=os.environ | own | variables,
                stdin=subprocess.DEVNULL,
                stdout=file,
                stderr=subprocess.STDOUT,
            )

    @property
    def output(self):
        """What it has written, colours left out."""
        text = self._output.read_text()
        assert not NEVER_SHOWN.search(text), text
        return re.sub(r"\x1b\[\d*m", "", text)

    def find(self, pattern):
        """Return the first group of *pattern* as soon as it has been written."""

        def look():
            found = re.search(pattern, self.output)
            assert found or self._process.poll() is None, self.output
            return found

        return until(look, seconds=30)[1]

    def announced(self):
        """Wait until it serves, and remember where."""
        self.checkpoint = self.find(r"Checkpoint +(\S+)\n")
        self.sign_in = self.find(r"Sign in +(\S+)\n")
        self.seconds = time.monotonic() - self._begun
        self.site = self.sign_in.partition("/demo/")[0]
        self.port = self.site.rpartition(":")[2]
        return self

    @contextmanager
    def visitor(self):
        """Lend a browser that has used the sign-in link."""
        with httpx.Client(base_url=self.site, follow_redirects=True) as browser:
            browser.landed = browser.get(self.sign_in)
            yield browser

    def ended(self):
        """Wait until it has ended by itself."""
        self.code = self._process.wait(30)
        return self

    @property
    def last_line(self):
        """The last line that it has written."""
        return self.output.splitlines()[-1]

    def stop(self, number=signal.SIGTERM):
        """Send a signal, and return exit code and seconds until it has ended."""
        begun = time.monotonic()
        self._process.send_signal(number)
        return self._process.wait(30), time.monotonic() - begun


def processes_of(folder):
    """Return the command lines, by id, of all processes that work in a data folder."""
    found = {}
    for process in Path("/proc").glob("[0-9]*"):
        try:
            if bytes(folder) in (process / "environ").read_bytes() + (process / "cmdline").read_bytes():
                found[int(process.name)] = (process / "cmdline").read_bytes().replace(b"\0", b" ").decode()
        except OSError:  # it has just ended
            continue
    return found
