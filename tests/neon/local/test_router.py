"""The router: Neon's names on a port for each endpoint, whatever the client wants of TLS and SCRAM."""

import hashlib
import os
import socket
import threading
import time
from contextlib import closing
from urllib.parse import urlsplit

import psycopg
import pytest

from neon.local import cluster, postgres, store
from tests.neon.local import plane
from tests.neon.local.packets import say, startup
from tests.waiting import until


@pytest.fixture(scope="module")
def project(api):
    """A project that the tests of this module share."""
    with plane.project(api) as made:
        yield made


@pytest.fixture
def mine(api):
    """A project of the test's own."""
    with plane.project(api, "mine") as made:
        yield made


def physical(project):
    """Return the name of the project's database in the cluster."""
    (name,) = project.physical()["live"]
    return name


def sessions(project):
    """Return what the sessions of the project's database wait for."""
    query = "SELECT wait_event FROM pg_stat_activity WHERE datname = %s AND backend_type = 'client backend'"
    return [row["wait_event"] for row in plane.memory(query, [physical(project)])]


def port_of(project):
    return urlsplit(project.uri).port


def test_the_uri_has_neons_names_and_the_endpoints_own_port(project, api):
    uri = urlsplit(project.uri)
    assert (uri.username, uri.hostname, uri.path) == ("neondb_owner", "127.0.0.1", "/neondb")
    (endpoint,) = project.did("GET", "/endpoints")["endpoints"]
    assert endpoint["host"] == f"127.0.0.1:{uri.port}"
    assert uri.port != postgres.server().address()["port"]


def test_projects_with_the_same_names_do_not_meet(project, mine):
    assert port_of(project) != port_of(mine)
    for each in (project, mine):
        each.sql("CREATE TABLE whose AS SELECT %s::text AS id", [each.id])
    assert [each.sql("TABLE whose") for each in (project, mine)] == [[(project.id,)], [(mine.id,)]]
    stranger = project.uri.replace(f":{port_of(project)}/", f":{port_of(mine)}/")
    with pytest.raises(psycopg.OperationalError, match='password authentication failed for user "neondb_owner"'):
        psycopg.connect(stranger)


@pytest.mark.parametrize(
    ("wanted", "encrypted"),
    [
        ({}, True),
        ({"sslmode": "disable"}, False),
        ({"sslmode": "require"}, True),
        ({"sslmode": "require", "channel_binding": "require"}, True),  # as the official CLI writes it
        ({"sslmode": "require", "channel_binding": "disable"}, True),
        ({"sslmode": "verify-full"}, True),
        ({"gssencmode": "prefer", "require_auth": "scram-sha-256"}, True),
    ],
)
def test_clients_connect_with_and_without_tls_and_channel_binding(project, served, wanted, encrypted):
    if wanted.get("sslmode") == "verify-full":
        wanted = wanted | {"sslrootcert": str(served.router.certificate.path)}
    with project.connect(**wanted) as connection:
        assert connection.execute("SELECT current_database()").fetchone() == (physical(project),)
        assert bool(connection.pgconn.ssl_in_use) is encrypted


@pytest.mark.parametrize("sslmode", ["disable", "require"])
@pytest.mark.parametrize(
    ("wrong", "sentence"),
    [
        ({"password": "wrong"}, 'password authentication failed for user "neondb_owner"'),
        ({"user": "nobody"}, 'password authentication failed for user "nobody"'),
        ({"dbname": "missing"}, 'database "missing" does not exist'),
        ({"dbname": "missing", "password": "wrong"}, 'password authentication failed for user "neondb_owner"'),
    ],
)
def test_what_is_not_there_is_refused_with_neons_names(project, wrong, sentence, sslmode):
    with pytest.raises(psycopg.OperationalError, match=f"FATAL:  {sentence}"):
        project.connect(sslmode=sslmode, **wrong)


def test_names_in_the_cluster_do_not_work_on_a_port(project):
    with pytest.raises(psycopg.OperationalError, match="password authentication failed"):
        project.connect(user=plane.memory("SELECT physical_name FROM roles")[0]["physical_name"])


def test_without_a_database_it_is_the_one_called_like_the_user(project):
    parameters = psycopg.conninfo.conninfo_to_dict(project.uri)
    del parameters["dbname"]
    with pytest.raises(psycopg.OperationalError, match='database "neondb_owner" does not exist'):
        psycopg.connect(**parameters)


def test_other_parameters_are_handed_on(project):
    with project.connect(options="-c statement_timeout=1234", application_name="näme") as connection:
        assert connection.execute("SHOW statement_timeout").fetchone() == ("1234ms",)
        with project.connect() as other:
            query = "SELECT count(*) FROM pg_stat_activity WHERE application_name LIKE 'n%me'"
            assert other.execute(query).fetchone() == (1,)


@pytest.mark.parametrize("sslmode", ["disable", "require"])
def test_a_query_can_be_cancelled(project, sslmode):
    with project.connect(sslmode=sslmode) as connection:
        timer = threading.Timer(0.2, connection.cancel_safe)
        timer.start()
        with pytest.raises(psycopg.errors.QueryCanceled):
            connection.execute("SELECT pg_sleep(20)")
        timer.join()


@pytest.mark.parametrize("sslmode", ["disable", "require"])
def test_much_passes_unharmed_in_both_directions(project, sslmode):
    data = hashlib.shake_256(b"seed").digest(3_000_000)
    with project.connect(sslmode=sslmode) as connection:
        got, digest = connection.execute("SELECT %(d)s, md5(%(d)s::bytea)", {"d": data}).fetchone()
    assert digest == hashlib.md5(data).hexdigest()
    assert bytes(got) == data


def test_a_client_that_does_not_read_holds_the_server_up_and_not_our_memory(mine):
    with closing(mine.connect()) as connection:
        connection.pgconn.send_query(b"SELECT repeat('x', 10000) FROM generate_series(1, 20000)")
        until(lambda: sessions(mine) == ["ClientWrite"], seconds=10)


@pytest.mark.parametrize("sslmode", ["disable", "require"])
def test_each_side_goes_with_the_other(mine, sslmode):
    with closing(mine.connect(sslmode=sslmode)) as connection:
        until(lambda: len(sessions(mine)) == 1, seconds=10)
        with socket.socket(fileno=os.dup(connection.pgconn.socket)) as cut:
            cut.shutdown(socket.SHUT_RDWR)
        until(lambda: sessions(mine) == [], seconds=10)
    with mine.connect(sslmode=sslmode) as connection:
        query = "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = %s"
        plane.memory(query, [physical(mine)])
        with pytest.raises(psycopg.errors.AdminShutdown):
            connection.execute("SELECT 1")


def test_a_closed_database_is_waited_for(mine):
    name = physical(mine)
    with store.connection() as lent:
        cluster.allow_connections(lent, name, False)
        connected = []
        client = threading.Thread(target=lambda: connected.append(mine.sql("SELECT 1")))
        client.start()
        time.sleep(0.3)
        assert client.is_alive()
        cluster.allow_connections(lent, name, True)
    client.join(5)
    assert connected == [[(1,)]]


def test_a_connection_wakes_a_suspended_endpoint_only_with_the_password(mine):
    def asleep():
        return plane.memory("SELECT suspended_at FROM endpoints WHERE project_id = %s", [mine.id])[0]["suspended_at"]

    plane.memory("UPDATE endpoints SET suspended_at = now() WHERE project_id = %s RETURNING id", [mine.id])
    with pytest.raises(psycopg.OperationalError):
        mine.connect(password="wrong")
    assert asleep()
    assert mine.sql("SELECT 1") == [(1,)]
    assert not asleep()


def test_the_uri_reaches_what_was_restored(mine):
    mine.sql("CREATE TABLE kept AS SELECT 1 AS n")
    snapshot = mine.snapshot()
    mine.sql("DROP TABLE kept")
    mine.restore(snapshot)
    assert mine.sql("TABLE kept") == [(1,)]


def test_a_password_that_was_changed_in_sql_counts_from_then_on(mine):
    mine.sql("ALTER USER CURRENT_USER PASSWORD 'an0ther'")
    with pytest.raises(psycopg.OperationalError, match="password authentication failed"):
        mine.connect()
    mine.connect(password="an0ther").close()


def test_a_deleted_endpoint_says_so_and_its_port_is_given_up(mine):
    port = port_of(mine)
    plane.memory("DELETE FROM endpoints WHERE project_id = %s RETURNING id", [mine.id])
    assert b"has been deleted" in say(port, startup(user="neondb_owner"))
    until(lambda: refused(port), seconds=10)


def refused(port):
    with socket.socket() as probe:
        return probe.connect_ex(("127.0.0.1", port)) != 0


def test_an_endpoint_without_a_port_gets_one_that_accepts_at_once_however_many_ask(mine, served):
    (row,) = plane.memory("SELECT id, branch_id FROM endpoints WHERE project_id = %s", [mine.id])
    plane.memory("DELETE FROM endpoints WHERE id = %s RETURNING id", [row["id"]])
    query = "INSERT INTO endpoints (id, project_id, branch_id) VALUES ('ep-new', %s, %s) RETURNING id"
    plane.memory(query, [mine.id, row["branch_id"]])
    ports = []
    threads = [threading.Thread(target=lambda: ports.append(served.router.port("ep-new"))) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(set(ports)) == 1
    assert len(ports) == 8
    assert not refused(ports[0])
    assert plane.memory("SELECT port FROM ports WHERE endpoint_id = 'ep-new'") == [{"port": ports[0]}]


def test_fifty_connections_at_once(project):
    failures = []

    def use():
        try:
            assert project.sql("SELECT pg_backend_pid() > 0") == [(True,)]
        except Exception as error:
            failures.append(error)

    threads = [threading.Thread(target=use) for _ in range(50)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert failures == []
