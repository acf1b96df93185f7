"""The command neon_local: what it says, serves and refuses, and how it ends."""

import os
import re
import signal
import socket
import subprocess
import sys
import time
from pathlib import Path

import httpx
import psycopg
import pytest
from django.conf import settings
from django.core.management.base import CommandError

from neon.local.address import is_taken
from neon.local.faults import HEADER
from neon.local.management.commands import neon_local
from neon.local.postgres import EmbeddedPostgres
from tests.neon.local import plane

KEY = "a-key-of-my-own"


class Command:
    """The command, running on a data folder; its output so far is in *output*."""

    def __init__(self, folder, *arguments, **variables):
        ours = dict.fromkeys(("ALLOWED_HOSTS", "DATABASE_URL", "NEON_API_KEY", "LOCAL_POSTGRES_URL"), "")
        environment = os.environ | ours | {"DATA_DIR": str(folder), "DJANGO_SETTINGS_MODULE": "config.settings"}
        for name in ("NEON_LOCAL_API_KEY", "NEON_LOCAL_FAULTS", "NEON_LOCAL_OPERATION_SECONDS"):
            environment.pop(name, None)
        self._reading, writing = os.pipe()
        self._process = subprocess.Popen(
            [sys.executable, "manage.py", "neon_local", *map(str, arguments)],
            cwd=settings.BASE_DIR,
            env=environment | variables,
            stdin=subprocess.DEVNULL,
            stdout=writing,
            stderr=subprocess.STDOUT,
        )
        os.close(writing)
        self.output = ""

    def _read(self):
        """Read some more of the output; False at its end."""
        piece = os.read(self._reading, 4096).decode()
        self.output += piece
        return bool(piece)

    def announced(self):
        """Wait until it serves."""
        while "Ctrl-C stops it." not in self.output:
            assert self._read(), self.output
        self.url = re.search(r"^Neon's API +(\S+)$", self.output, re.MULTILINE).group(1)
        self.port = int(re.search(r":(\d+)/", self.url).group(1))
        return self

    def client(self, key=KEY, **headers):
        return httpx.Client(base_url=self.url, headers={"Authorization": f"Bearer {key}", **headers}, timeout=20)

    def ended(self):
        """Wait until it ends; its exit code."""
        while self._read():
            pass
        os.close(self._reading)
        return self._process.wait(20)

    def stop(self, number):
        """Send it a signal; its exit code and the seconds that it took."""
        began = time.monotonic()
        self._process.send_signal(number)
        return self.ended(), time.monotonic() - began

    def kill(self):
        """End it whatever it does."""
        if self._process.poll() is None:
            self._process.send_signal(signal.SIGTERM)
            self.ended()


# One data folder, from a first run on a machine that has seen none; each fixture is the next thing done with it.


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    return tmp_path_factory.mktemp("neon_local") / "data"


@pytest.fixture(scope="module")
def taken():
    """A port that somebody else listens on."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        yield listener.getsockname()[1]


@pytest.fixture(scope="module")
def first(folder, taken):
    """The first run."""
    command = Command(folder, "--port", taken, "--api-key", KEY, "--faults")
    yield command.announced()
    command.kill()


@pytest.fixture(scope="module")
def project(first):
    """A project made in the first run; it is never deleted."""
    with first.client() as client:
        answer = client.post("projects", json={"project": {"name": "kept"}})
        assert answer.status_code == 201
        made = plane.Project(client, answer.json())
        made.sql("CREATE TABLE kept AS SELECT 1 AS n")
        yield made


@pytest.fixture(scope="module")
def stopped(first, project, folder):
    """The first run is told to stop while a client is connected; its exit code and seconds."""
    with project.connect():
        return first.stop(signal.SIGTERM)


@pytest.fixture(scope="module")
def second(stopped, folder):
    """The second run, with the key that is derived."""
    command = Command(folder, "--port", 8901)
    yield command.announced()
    command.kill()


def test_a_taken_port_is_said_and_the_next_one_used(first, taken):
    assert first.port > taken
    assert f"Port {taken} is taken, so the API is on {first.port}\n" in first.output


def test_it_says_how_to_point_clients_there(first):
    assert f"Neon's API   {first.url}\nKey          {KEY}\n" in first.output
    assert f"npx neon projects list --api-host {first.url} --api-key {KEY}\n" in first.output
    assert f'createNeonClient({{ apiKey: "{KEY}", baseUrl: "{first.url}" }})\n' in first.output
    assert f"curl -H 'Authorization: Bearer {KEY}' {first.url}/projects\n" in first.output


def test_it_answers_those_who_have_the_key(first, project):
    with first.client() as client:
        assert [each["id"] for each in client.get("projects").json()["projects"]] == [project.id]
    with first.client("another") as client:
        assert client.get("projects").status_code == 401


def test_it_serves_the_api_and_nothing_of_the_site(first):
    root = first.url.removesuffix("/api/v2")
    for path in ("/", "/admin/", "/accounts/login/", "/static/x", "/api/v3/projects"):
        answer = httpx.get(f"{root}{path}")
        assert (answer.status_code, answer.content) == (404, b"")
        assert "set-cookie" not in answer.headers


def raw(first, request):
    """Return all that is answered to some bytes until the connection is closed."""
    with socket.create_connection(("127.0.0.1", first.port), timeout=5) as connection:
        connection.sendall(request.encode())
        heard = b""
        while piece := connection.recv(65536):
            heard += piece
    return heard


def test_a_connection_serves_several_requests(first):
    line = f"GET /api/v2/projects HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer {KEY}\r\n"
    heard = raw(first, f"{line}\r\n{line}Connection: close\r\n\r\n")
    assert heard.count(b"HTTP/1.1 200 OK\r\n") == 2


def test_a_body_of_unknown_length_is_refused_rather_than_overlooked(first):
    request = "POST /api/v2/projects HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n2\r\n{}\r\n0\r\n\r\n"
    assert raw(first, request).startswith(b"HTTP/1.1 411 ")


def test_a_drop_that_was_asked_for_sends_not_a_byte(first):
    head = f"GET /api/v2/projects HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer {KEY}\r\n"
    assert raw(first, f"{head}{HEADER}: drop\r\n\r\n") == b""


def test_clients_that_go_away_or_talk_nonsense_leave_no_trace_in_the_output(first):
    for request in (
        b"",
        b"GET /api/v2/proj",
        b"nonsense\r\n\r\n",
        b"POST /api/v2/projects HTTP/1.1\r\nContent-Length: 9",
    ):
        with socket.create_connection(("127.0.0.1", first.port)) as connection:
            connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, b"\1\0\0\0\0\0\0\0")  # goes with a reset
            connection.sendall(request)
    with first.client() as client:
        assert client.get("projects").is_success


def test_a_second_one_on_the_same_data_is_refused(first, folder):
    refused = Command(folder, "--api-key", KEY)
    assert refused.ended() == 1
    assert refused.output == f"CommandError: Another neon_local serves {folder} already.\n"


@pytest.mark.parametrize(
    ("options", "sentence"),
    [
        ({"host": "192.0.2.1"}, "--host lets other machines in: choose a key for them with --api-key."),
        *(
            ({"host": host, "api_key": KEY}, "--host takes an address that clients can connect to, not ")
            for host in ("0.0.0.0", "::", "0", "0:0:0:0:0:0:0:0", "::ffff:0.0.0.0", "")
        ),
        ({"port": 0}, "--port takes a number from 1 to 65535."),
        ({"api_key": ""}, "--api-key takes a key that is not empty."),
        ({"operation_seconds": -1.0}, "--operation-seconds takes a number from 0 to 86400."),
        ({"operation_seconds": float("nan")}, "--operation-seconds takes a number from 0 to 86400."),
        ({"host": "192.0.2.1", "api_key": KEY}, "--host 192.0.2.1 --port 8901 cannot be listened on: "),
        ({"host": "no.such.host.invalid", "api_key": KEY}, "--host no.such.host.invalid --port 8901 cannot be "),
    ],
)
def test_a_bad_option_is_refused(options, sentence, settings):
    defaults = {"host": "127.0.0.1", "port": 8901, "api_key": None, "operation_seconds": None, "faults": False}

    settings.NEON_LOCAL_API_KEY = settings.NEON_LOCAL_API_KEY  # so that it is put back

    def begin():
        command = neon_local.Command()
        command._apply(defaults | options)
        command._port(defaults | options)

    with pytest.raises(CommandError) as caught:
        begin()
    assert str(caught.value).startswith(sentence)


def test_a_host_of_ones_own_needs_a_key_of_ones_own(settings):
    options = {"host": "192.0.2.1", "port": 8901, "api_key": None, "operation_seconds": 2.0, "faults": False}
    settings.NEON_LOCAL_API_KEY_GIVEN = True
    settings.NEON_LOCAL_OPERATION_SECONDS = 0
    neon_local.Command()._apply(options)
    assert settings.NEON_LOCAL_OPERATION_SECONDS == 2


def test_a_refusal_is_one_line(tmp_path):
    refused = Command(tmp_path / "data", "--host", "0.0.0.0")
    assert refused.ended() == 1
    assert refused.output == "CommandError: --host takes an address that clients can connect to, not 0.0.0.0.\n"


def test_a_server_that_will_not_do_is_one_sentence(tmp_path):
    refused = Command(tmp_path / "data", LOCAL_POSTGRES_URL="postgresql://ada:s3cret@127.0.0.1:9/postgres")
    assert refused.ended() == 1
    assert refused.output.startswith("CommandError: The server of LOCAL_POSTGRES_URL cannot be used: ")
    assert "s3cret" not in refused.output
    assert refused.output.count("\n") == 1


def test_a_signal_stops_it_in_time_and_the_server_with_it(stopped, first, folder):
    code, seconds = stopped
    assert code == 0
    assert seconds < 5
    assert "Traceback" not in first.output
    assert first.output.endswith("Ctrl-C stops it.\n")
    assert not is_taken(int((folder / "postgres" / "port").read_text()))


def test_what_was_made_is_there_again_at_the_same_address(second, project):
    assert project.sql("TABLE kept") == [(1,)]


def test_without_a_key_of_ones_own_one_is_derived(second):
    key = re.search(r"^Key +(\S+)$", second.output, re.MULTILINE).group(1)
    assert f"--api-key {key}\n" in second.output
    with second.client(key) as client:
        assert client.get("projects").is_success


def test_faults_are_off_unless_asked_for(second):
    key = re.search(r"^Key +(\S+)$", second.output, re.MULTILINE).group(1)
    with second.client(key, **{HEADER: "drop"}) as client:
        assert client.get("projects").is_success


def test_beside_another_user_of_the_server_it_leaves_that_running(second, folder, project):
    with_demo = EmbeddedPostgres(folder / "postgres", {})
    where = with_demo.address()
    try:
        code, seconds = second.stop(signal.SIGINT)
        assert code == 0
        assert seconds < 5
        psycopg.connect(**where, dbname="postgres").close()
    finally:
        with_demo.leave()
    assert not is_taken(where["port"])


def test_a_port_of_an_endpoint_that_is_taken_is_exchanged_for_another(second, folder, project):
    before = int(re.search(r":(\d+)/", project.uri).group(1))
    with socket.create_server(("127.0.0.1", before)):
        third = Command(folder, "--api-key", KEY, "--operation-seconds", "0").announced()
        try:
            with third.client() as client:
                names = {"database_name": "neondb", "role_name": "neondb_owner"}
                uri = client.get(f"projects/{project.id}/connection_uri", params=names).json()["uri"]
            assert f":{before}/" not in uri
            with psycopg.connect(uri) as connection:
                assert connection.execute("TABLE kept").fetchone() == (1,)
        finally:
            third.kill()
    assert Path(folder, "tls", "key.pem").stat().st_mode & 0o777 == 0o600


def has_ipv6():
    """Tell whether this machine can be reached by IPv6, at least by itself."""
    try:
        socket.create_server(("::1", 0), family=socket.AF_INET6).close()
    except OSError:
        return False
    return True


@pytest.mark.skipif(not has_ipv6(), reason="this machine has no IPv6 loopback")
def test_an_address_of_ipv6_leads_to_the_api_and_to_the_databases(second, folder, project):
    command = Command(folder, "--host", "::1", "--api-key", KEY, "--operation-seconds", "0").announced()
    try:
        assert command.url == f"http://[::1]:{command.port}/api/v2"
        with command.client() as client:
            names = {"database_name": "neondb", "role_name": "neondb_owner"}
            uri = client.get(f"projects/{project.id}/connection_uri", params=names).json()["uri"]
            (endpoint,) = client.get(f"projects/{project.id}/endpoints").json()["endpoints"]
            made = client.post("projects", json={"project": {"name": "new"}}).json()
        assert f"@{endpoint['host']}/neondb" in uri
        assert endpoint["host"].startswith("[::1]:")
        (details,) = made["connection_uris"]
        assert details["connection_parameters"]["host"] in details["connection_uri"]
        with psycopg.connect(uri) as connection:
            assert connection.execute("TABLE kept").fetchone() == (1,)
        with psycopg.connect(details["connection_uri"], sslmode="require") as connection:
            assert connection.execute("SELECT 1").fetchone() == (1,)
    finally:
        command.kill()
