"""The processes that are killed, and those that come in their place."""

import json
import os

from django.db import connection

from neon.local import address, postgres
from tests.checkpoints import processes
from tests.neon.local import plane
from tests.waiting import until

EVERY = os.environ.get("KILL_POINTS") == "all"
# Of those that are tried when it is not every one: all, or one of eight.
NTH = 8 if os.environ.get("KILL_POINTS") == "few" else 1
# So that every clean-up after a restore prunes as well. Spares have kills of their own; here, one in the making would
# look like something left over.
KEPT = {"SAFETY_CHECKPOINTS": 1, "NEON_LOCAL_SPARE_BYTES": 0}
VARIABLES = {name: str(value) for name, value in KEPT.items()}


class Mortal(processes.Process):
    """A process that is told what to do, and where to be killed or to kill."""

    def __init__(self):
        super().__init__("-m", "tests.checkpoints.kills.mortal", LOG_LEVEL="CRITICAL")

    def order(self, what, arguments, at, *, victim="itself", settings=None):
        """Have it done, and return the places that it passed, and whether it was killed."""
        order = {"what": what, "arguments": arguments, "at": at, "victim": victim}
        answer = self.ask(json.dumps(order | {"settings": KEPT | (settings or {})}))
        if victim == "server":
            connection.close()
            postgres.embedded().forget()
        code, passed = json.loads(answer)
        return passed, code != 0


def nobody_is_left():
    """Wait until the server has noticed that they are dead: a session goes on with its statement to its end."""
    until(lambda: not plane.memory("SELECT 1 FROM pg_locks WHERE locktype = 'advisory' LIMIT 1"))


class Plane(processes.Process):
    """The plane as a process, and as its successors."""

    def __init__(self):
        self.port = address.free_port()
        super().__init__("-m", "tests.checkpoints.kills.served", str(self.port), LOG_LEVEL="CRITICAL", **VARIABLES)

    def serve(self, at=None, *, away=False):
        """Serve anew; return the places that the last one passed, and whether it was killed."""
        return json.loads(self.ask(json.dumps({"at": at, "away": away})))
