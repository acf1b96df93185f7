"""The local control plane as a server of Neon's API, for Neon's own clients and any other."""

import contextlib
import errno
import fcntl
import io
import ipaddress
import json
import resource
import shlex
import signal
import socket
import sys
import threading
from argparse import ArgumentParser
from collections.abc import Iterator
from typing import Any, NoReturn

import psycopg
from django.conf import settings
from django.core.management.base import BaseCommand, CommandError

from neon.local import server
from neon.local.address import HOST

PORT = 8901
PORTS_TRIED = 50
STOP_SIGNALS = (signal.SIGTERM, signal.SIGINT, signal.SIGHUP)


class Command(BaseCommand):
    """Serve until somebody says stop."""

    help = "Serve Neon's API on this machine: projects, branches, snapshots, and their databases."

    def add_arguments(self, parser: ArgumentParser) -> None:
        """Take the options."""
        parser.add_argument("--port", type=int, default=PORT, help="port of the API (default: %(default)s)")
        parser.add_argument("--host", default=HOST, help="address to listen on (default: %(default)s)")
        parser.add_argument("--api-key", help="key to ask for (default: NEON_LOCAL_API_KEY, or a derived one)")
        parser.add_argument("--operation-seconds", type=float, help="how long operations take beyond their work")
        parser.add_argument("--faults", action="store_true", help="heed the header that asks for faults")

    def handle(self, *args: Any, **options: Any) -> None:
        """Say every expected failure in a sentence."""
        if isinstance(sys.stdout, io.TextIOWrapper):
            sys.stdout.reconfigure(line_buffering=True)  # at once, into a pipe as well
        for number in STOP_SIGNALS:
            signal.signal(number, _leave)
        try:
            self._apply(options)
            _allow_many_ports()
            with _alone(), server.serving(options["host"], self._port(options)) as served:
                self._announce(served)
                threading.Event().wait()
        except (psycopg.Error, OSError) as error:
            # The lines that may follow are the driver's advice.
            raise CommandError((str(error).strip() or type(error).__name__).splitlines()[0]) from error

    def _apply(self, options: dict[str, Any]) -> None:
        """Check the options and let them take the place of settings, in this process."""
        if not 1 <= options["port"] <= 65535:
            raise CommandError("--port takes a number from 1 to 65535.")
        if _is_wildcard(options["host"]):  # which would stand in the connection strings
            wrong = options["host"] or "an empty one"
            raise CommandError(f"--host takes an address that clients can connect to, not {wrong}.")
        if options["api_key"] == "":
            raise CommandError("--api-key takes a key that is not empty.")
        if not (_is_loopback(options["host"]) or options["api_key"] or settings.NEON_LOCAL_API_KEY_GIVEN):
            raise CommandError("--host lets other machines in: choose a key for them with --api-key.")
        if options["api_key"]:
            settings.NEON_LOCAL_API_KEY = options["api_key"]
        if options["operation_seconds"] is not None:
            if not 0 <= options["operation_seconds"] <= 86400:
                raise CommandError("--operation-seconds takes a number from 0 to 86400.")
            settings.NEON_LOCAL_OPERATION_SECONDS = options["operation_seconds"]
        if options["faults"]:
            settings.NEON_LOCAL_FAULTS = True

    def _port(self, options: dict[str, Any]) -> int:
        wanted: int = options["port"]
        port = _free_port(options["host"], wanted)
        if port is None:
            raise CommandError(f"No port is free from {wanted} on. Choose another with --port.")
        if port != wanted:
            self.stdout.write(f"Port {wanted} is taken, so the API is on {port}")
        return port

    def _announce(self, served: server.Served) -> None:
        """Say how to point clients here."""
        url, key = served.url, settings.NEON_LOCAL_API_KEY
        header = shlex.quote(f"Authorization: Bearer {key}")
        for name, text in (
            ("Neon's API", url),
            ("Key", key),
            ("CLI", f"npx neon projects list --api-host {url} --api-key {shlex.quote(key)}"),
            ("SDK", f'createNeonClient({{ apiKey: {json.dumps(key)}, baseUrl: "{url}" }})'),
            ("curl", f"curl -H {header} {url}/projects"),
            ("Certificate", f"{served.router.certificate.path} verifies the databases' TLS"),
        ):
            self.stdout.write(f"{name:11}  {text}")
        self.stdout.write("Ctrl-C stops it.")


def _is_loopback(host: str) -> bool:
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"


def _is_wildcard(host: str) -> bool:
    """Tell whether a host stands for all of this machine's addresses, in whichever spelling."""
    try:
        found = socket.getaddrinfo(host or "0", None, type=socket.SOCK_STREAM)
    except (OSError, UnicodeError):
        return False  # not one of ours at all, which is said when it is to be listened on
    addresses = [ipaddress.ip_address(where[0]) for *_, where in found]
    return any((getattr(address, "ipv4_mapped", None) or address).is_unspecified for address in addresses)


def _free_port(host: str, wanted: int) -> int | None:
    """Return the first free port from *wanted* on, or None; raises OSError when the address is not ours."""
    for port in range(wanted, min(wanted + PORTS_TRIED, 65536)):
        with socket.socket(socket.AF_INET6 if ":" in host else socket.AF_INET) as probe:
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            try:
                probe.bind((host, port))
            except OSError as error:
                if error.errno == errno.EADDRINUSE:
                    continue
                raise CommandError(f"--host {host} --port {port} cannot be listened on: {error.strerror}.") from error
            return port
    return None


@contextlib.contextmanager
def _alone() -> Iterator[None]:
    """Keep the endpoints' ports to one process."""
    settings.DATA_DIR.mkdir(parents=True, exist_ok=True)
    with open(settings.DATA_DIR / "neon_local.lock", "w") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise CommandError(f"Another neon_local serves {settings.DATA_DIR} already.") from None
        yield


def _allow_many_ports() -> None:
    """Let this process have as many files open as it may: each endpoint and each connection is one."""
    _, most = resource.getrlimit(resource.RLIMIT_NOFILE)
    with contextlib.suppress(ValueError, OSError):  # macOS does not tell the true limit
        resource.setrlimit(resource.RLIMIT_NOFILE, (most, most))


def _leave(number: int, frame: Any) -> NoReturn:
    """Turn a signal into an ordinary exit, which stops the embedded server as well."""
    for again in STOP_SIGNALS:
        signal.signal(again, signal.SIG_IGN)  # a second Ctrl-C must not leave half of it running
    raise SystemExit(0)
