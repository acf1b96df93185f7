"""The router: gives each endpoint a port, and connections there the names that the cluster knows.

A client on an endpoint's port speaks of ``neondb`` and ``neondb_owner``. The router lets it prove its password, puts
the names in the cluster into the startup packet, logs in at the server with what the client has proven, and from
then on hands on bytes as they come. It runs in a thread of its own, on the port of every endpoint of the plane.
"""

import asyncio
import contextlib
import functools
import logging
import struct
import threading
import weakref
from collections.abc import Callable, Coroutine, Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import TypeVar

from django.conf import settings

from neon.local import certificate, login, ports, postgres, routes, scram, startup
from neon.local.address import Address
from neon.local.given import GivenPostgres
from neon.local.pipe import End
from neon.local.routes import Route
from neon.local.startup import Refusal, authentication, packet

logger = logging.getLogger(__name__)

T = TypeVar("T")

# How long a client may take to say what it wants, and to prove its password; and the server, to let us in.
OPENING_SECONDS = 10.0
# A database is closed while it is copied or swapped; that long a connection waits rather than being refused.
CLOSED_SECONDS = 30.0
CLOSED_LOOK_SECONDS, CLOSED_LOOK_MOST_SECONDS = 0.02, 0.5
LOOK_AROUND_SECONDS = 10.0
LOOKING = 16  # how many threads wait for the plane's memory

_active: "Router | None" = None


def active() -> "Router | None":
    """Return the router of this process, while the plane is served."""
    return _active


@contextlib.contextmanager
def routing(host: str) -> Iterator["Router"]:
    """Run the router of this process, listening on the address *host*."""
    global _active
    router = Router(host)
    try:
        router.start()
        _active = router
        yield router
    finally:
        _active = None
        router.stop()


class Router:
    """Listens for every endpoint; see the module."""

    def __init__(self, host: str) -> None:
        self.host = host
        self.certificate = certificate.kept(settings.DATA_DIR / "tls")
        self._mutex = threading.Lock()
        self._listening: dict[str, tuple[asyncio.Server, int]] = {}
        self._clients: weakref.WeakSet[End] = weakref.WeakSet()
        self._tasks: set[asyncio.Task[None]] = set()
        self._looking = ThreadPoolExecutor(LOOKING, "router-looking")
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever, name="router", daemon=True)

    def start(self) -> None:
        """Begin to listen on the ports that the endpoints have."""
        self._thread.start()
        for endpoint_id in ports.endpoints():
            self.port(endpoint_id)
        self._loop.call_soon_threadsafe(self._spawn, self._look_around())

    def stop(self) -> None:
        """Close everything."""
        with self._mutex:
            asyncio.run_coroutine_threadsafe(self._close(), self._loop).result()
            self._loop.call_soon_threadsafe(self._loop.stop)
            self._thread.join()
            self._loop.close()
        self._looking.shutdown(wait=False, cancel_futures=True)

    def port(self, endpoint_id: str) -> int:
        """Return the port of an endpoint, which accepts connections from now on if it has not so far."""
        with self._mutex:
            if endpoint_id in self._listening:
                return self._listening[endpoint_id][1]
            if self._loop.is_closed():
                return 0
            listener = ports.listen(self.host, endpoint_id)
            if listener is None:
                return 0  # the endpoint has been deleted meanwhile
            try:
                opening = self._loop.create_server(
                    lambda: End(lambda end: self._begin(endpoint_id, end)), sock=listener
                )
                server = asyncio.run_coroutine_threadsafe(opening, self._loop).result()
            except BaseException:
                listener.close()
                raise
            port = int(listener.getsockname()[1])
            self._listening[endpoint_id] = server, port
            return port

    def _begin(self, endpoint_id: str, client: End) -> None:
        self._clients.add(client)
        self._spawn(self._serve(endpoint_id, client))

    async def _serve(self, endpoint_id: str, client: End) -> None:
        """Bring a client to the server, or tell it why not."""
        try:
            server = await self._bring(endpoint_id, client)
        except Refusal as refusal:
            client.transport.write(refusal.packet)
        except (OSError, login.Told):  # the client went, or was too slow, or knows why the server would not
            pass
        except Exception:
            logger.exception("The router failed a connection")
        else:
            client.join(server)
            return
        client.transport.close()

    async def _bring(self, endpoint_id: str, client: End) -> End:
        async with asyncio.timeout(OPENING_SECONDS):
            code, content = await login.hear(client, self.certificate)
        if code == startup.CANCEL:  # the keys are the server's own
            server, _ = await self._connect()
            server.transport.write(packet(code, content))
            return server
        parameters = startup.read_parameters(content)
        role = parameters.get(b"user", b"")
        database = parameters.get(b"database") or role
        names = database.decode(errors="replace"), role.decode(errors="replace")
        route = await self._route(endpoint_id, *names)
        verifier = _verifier(route, endpoint_id, names[1])
        try:
            async with asyncio.timeout(OPENING_SECONDS):
                key = await login.let_prove(client, verifier, self.certificate)
        except scram.Refused as error:
            raise Refusal("28P01", f'password authentication failed for user "{names[1]}"') from error
        route = await self._wait_until_open(endpoint_id, *names, route, client)
        if not route.role or not route.database:
            raise Refusal("3D000", f'database "{names[0]}" does not exist')
        if route.asleep:
            await self._ask(routes.wake, endpoint_id)
        renamed = {b"user": route.role.encode(), b"database": route.database.encode()}
        opening = packet(code, startup.write_parameters(parameters | renamed))
        return await self._log_in(client, opening, scram.Client(verifier, key))

    async def _log_in(self, client: End, opening: bytes, exchange: scram.Client) -> End:
        server, where = await self._connect()
        try:
            async with asyncio.timeout(OPENING_SECONDS):
                await login.log_in(server, client, where, opening, exchange)
        except (OSError, scram.Refused, ValueError, struct.error) as error:
            server.transport.abort()
            reason = error if isinstance(error, scram.Refused) else type(error).__name__
            logger.warning("The router could not log in at the Postgres server: %s", reason)
            raise Refusal("08006", "the router could not log in at the Postgres server") from error
        except BaseException:
            server.transport.close()
            raise
        client.transport.write(authentication(startup.DONE))
        return server

    async def _route(self, endpoint_id: str, database: str, role: str) -> Route:
        try:
            route = await self._ask(routes.resolve, endpoint_id, database, role)
        except Exception as error:
            logger.warning("The router cannot tell where to go: %s", type(error).__name__)
            raise Refusal("57P03", "the local control plane cannot be asked right now") from error
        if route is None:
            await self._ask(self._forget, endpoint_id)
            raise Refusal("08004", f"endpoint {endpoint_id} has been deleted")
        return route

    async def _wait_until_open(self, endpoint_id: str, database: str, role: str, route: Route, client: End) -> Route:
        """Return the route once its database accepts connections, or after a while as it is."""
        deadline, delay = self._loop.time() + CLOSED_SECONDS, CLOSED_LOOK_SECONDS
        while route.database and not route.open and not client.ended and self._loop.time() < deadline:
            await asyncio.sleep(delay)
            delay = min(delay * 1.5, CLOSED_LOOK_MOST_SECONDS)
            route = await self._route(endpoint_id, database, role)
        return route

    async def _connect(self) -> tuple[End, Address]:
        """Connect to the server; one that does not answer is looked for, and started, once more."""
        server = postgres.server()
        try:
            return await self._connect_once(server)
        except (OSError, postgres.PostgresError):
            await self._ask(server.forget)
        try:
            return await self._connect_once(server)
        except (OSError, postgres.PostgresError) as error:
            raise Refusal("57P03", "the Postgres server of the local control plane cannot be reached") from error

    async def _connect_once(self, server: postgres.EmbeddedPostgres | GivenPostgres) -> tuple[End, Address]:
        where = await self._ask(server.address)  # may have to start it
        async with asyncio.timeout(OPENING_SECONDS):
            return await login.connect(where), where

    async def _look_around(self) -> None:
        """Stop listening for endpoints that there are no more, from time to time."""
        while True:
            await asyncio.sleep(LOOK_AROUND_SECONDS)
            try:
                for endpoint_id in await self._ask(ports.gone, list(self._listening)):
                    await self._ask(self._forget, endpoint_id)
            except Exception as error:  # the server may be away for a while
                logger.warning("The router could not look for deleted endpoints: %s", type(error).__name__)

    def _forget(self, endpoint_id: str) -> None:
        """Stop listening for an endpoint; not to be called by the loop, which a holder of the mutex may wait for."""
        with self._mutex:
            server, _ = self._listening.pop(endpoint_id, (None, 0))
            if server is not None:
                self._loop.call_soon_threadsafe(server.close)

    async def _close(self) -> None:
        while self._listening:
            self._listening.popitem()[1][0].close()
        for task in self._tasks:
            task.cancel()
        for client in self._clients:
            client.transport.abort()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        await asyncio.sleep(0)  # lets the transports tell their protocols

    def _spawn(self, work: Coroutine[None, None, None]) -> None:
        task = self._loop.create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def _ask(self, question: Callable[..., T], *arguments: object) -> T:
        """Call a function that may wait, for the database or a mutex, in a thread that nobody waits for."""
        return await self._loop.run_in_executor(self._looking, functools.partial(question, *arguments))


def _verifier(route: Route, endpoint_id: str, role: str) -> scram.Verifier:
    """Return what a role proves its password by; one that there is not is asked as well, lest names be guessed."""
    if not route.role or not route.verifier:
        return scram.Verifier.of_nobody(f"{endpoint_id}\0{role}", settings.SECRET_KEY, route.iterations)
    try:
        return scram.Verifier.parse(route.verifier)
    except scram.Refused as error:
        raise Refusal("28P01", f'the password of user "{role}" is not kept for SCRAM-SHA-256: set it anew') from error
