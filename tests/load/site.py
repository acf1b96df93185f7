"""The site as it runs for people: the product's own web server and workers, on the test's database."""

import threading
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from django.contrib.auth.models import User
from django.db import connection
from django.test import Client
from procrastinate.contrib.django.models import ProcrastinateWorker

from checkpoints import processes, services
from checkpoints.models import Project, Run
from neon import service as neon
from tests.checkpoints import flows
from tests.load.browser import Window
from tests.neon.local import plane
from tests.waiting import until

HOST = "127.0.0.1"


class Site:
    """A web server and workers, and the people who use them."""

    def __init__(self, log, temporary, workers=1):
        self._log, self.temporary = log, temporary
        self.people = []
        self._windows = []
        self.port = processes.free_port(HOST, 20000 + int(time.monotonic() * 1000) % 20000)
        self.web = processes.web_server(HOST, self.port)
        self.workers = [processes.worker() for _ in range(workers)]

    def await_ready(self):
        """Wait until they are at work."""
        until(lambda: processes.answers(HOST, self.port), seconds=60)
        until(lambda: ProcrastinateWorker.objects.count() == len(self.workers), seconds=60)

    def stop(self):
        """Stop web server and workers, and everybody's windows."""
        for window in self._windows:
            window.close()
        children = [self.web, *self.workers]
        for child in children:
            child.ask_to_stop()
        for child in children:
            child.stop()

    @property
    def log(self):
        """What web server and workers have logged, warnings and worse."""
        return Path(self._log).read_text() if Path(self._log).exists() else ""

    def person(self):
        """Make a person with an account."""
        user = User.objects.create_user(f"person-{len(self.people)}@example.com")
        self.people.append(user)
        return user

    def window(self, person, *, htmx=True):
        """Open a window in which that person is signed in."""
        client = Client()
        client.force_login(person)
        return self.tab(client.cookies["sessionid"].value, htmx=htmx)

    def tab(self, session, *, htmx=True):
        """Open one more window of a session."""
        self._windows.append(Window(f"http://{HOST}:{self.port}", session, htmx=htmx))
        return self._windows[-1]

    def settle(self):
        """Wait until nothing is at work and all clean-ups are done."""
        until(lambda: not Run.objects.unfinished().exists(), seconds=60)
        until(lambda: not Run.objects.with_leftovers().exists(), seconds=90)

    def verify(self):
        """Hold every person's databases against what the site says of them, and look for what was left behind."""
        self.settle()
        for person in self.people:
            projects = Project.objects.filter(owner=person).select_related("head")
            assert flows.neon_projects(person) == {project.neon_project_id for project in projects}
            for project in projects:
                assert flows.branches(project) == {"main"}
                assert flows.snapshots(project) == set(project.checkpoints.values_list("snapshot_id", flat=True))
        neon.upkeep()
        # In the end: there may be spares to be built, one after the other.
        until(lambda: plane.memory("SELECT 1 FROM leftovers") == [], seconds=60)
        until(lambda: plane.names_in_cluster() == plane.names_in_memory(), seconds=60)
        assert "Traceback" not in self.log, self.log

    def delete_everything(self):
        """Delete the people's projects, in Neon too."""
        for person in self.people:
            for project_id in flows.neon_projects(person):
                neon.connect().delete_project(project_id)
        neon.upkeep()
        with connection.cursor() as cursor:  # Django does not empty tables that it does not manage
            cursor.execute("TRUNCATE procrastinate_jobs, procrastinate_workers RESTART IDENTITY CASCADE")


def is_as_recorded(project):
    """Tell whether an app database is exactly what its head has recorded, schema and rows."""
    return not services.differs(project, project.head)


def sessions(database=""):
    """Return how many sessions of clients the server has, in databases whose name begins like that."""
    query = "SELECT count(*) FROM pg_stat_activity WHERE backend_type = 'client backend' AND starts_with(datname, %s)"
    with flows.superuser() as server:
        return server.execute(query, [database]).fetchone()[0]


def at_once(*works):
    """Do things at the same moment, each in a thread of its own, and return what they return."""
    begin = threading.Barrier(len(works))

    def work(each):
        begin.wait()
        return each()

    with ThreadPoolExecutor(len(works)) as threads:
        return [future.result() for future in [threads.submit(work, each) for each in works]]
