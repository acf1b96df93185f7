"""Traps in a project's database for whoever comes with more rights: nothing of it is run but as its own role."""

import contextlib

import psycopg
import pytest
from psycopg import sql

from contacts import fingerprint, schema, versions
from contacts.errors import AppDatabaseError
from neon.local.engine import upkeep
from tests.contacts.everybody import everybody
from tests.neon.local import plane

# Each writes down as whom it is run, and takes what it can get.
TRAP = """
CREATE TABLE public.caught (who text, what text);
GRANT INSERT ON public.caught TO PUBLIC;
CREATE FUNCTION public.spring(what text) RETURNS void LANGUAGE plpgsql SET search_path = pg_catalog AS $$
BEGIN
    INSERT INTO public.caught VALUES (current_user || '/' || session_user, what);
    BEGIN
        EXECUTE format('ALTER ROLE %s SUPERUSER', (SELECT nspowner::regrole FROM pg_namespace WHERE nspname = 'mine'));
    EXCEPTION WHEN OTHERS THEN NULL;
    END;
END $$;
CREATE SCHEMA mine;
"""
# Functions and operators with the names and arguments of those that a dump, the site, the plane and drivers use.
SHADOWS = [
    ("set_config(text, text, boolean)", "text", "''::text"),
    ("format_type(oid, integer)", "text", "''::text"),
    ("pg_get_viewdef(oid)", "text", "''::text"),
    ("pg_get_expr(pg_node_tree, oid)", "text", "''::text"),
    ("pg_get_constraintdef(oid)", "text", "''::text"),
    ("pg_get_functiondef(oid)", "text", "''::text"),
    ("pg_get_indexdef(oid)", "text", "''::text"),
    ("quote_ident(text)", "text", "''::text"),
    ("lower(text)", "text", "''::text"),
    ("current_setting(text)", "text", "''::text"),
    ("array_to_string(anyarray, text)", "text", "''::text"),
    ("version()", "text", "''::text"),
    ("count(text)", "bigint", "0::bigint"),
    ("pg_is_in_recovery()", "boolean", "false"),
    ("same(oid, oid)", "boolean", "true"),
    ("same(name, name)", "boolean", "true"),
    ("same(text, text)", "boolean", "true"),
]
# What is run when rows, defaults, views, policies, indexes, constraints and types are looked at or written.
OBJECTS = """
CREATE FUNCTION public.bait(n int) RETURNS boolean LANGUAGE plpgsql IMMUTABLE SET search_path = pg_catalog AS $$
BEGIN PERFORM public.spring('bait'); RETURN true; END $$;
CREATE FUNCTION public.pull() RETURNS trigger LANGUAGE plpgsql SET search_path = pg_catalog AS $$
BEGIN PERFORM public.spring('trigger'); RETURN new; END $$;
CREATE TABLE public.t (n int DEFAULT (public.bait(1)::int), CHECK (public.bait(n)));
CREATE INDEX ON public.t (public.bait(n));
CREATE TRIGGER pull BEFORE INSERT OR UPDATE ON public.t FOR EACH ROW EXECUTE FUNCTION public.pull();
ALTER TABLE public.t ENABLE ROW LEVEL SECURITY;
CREATE POLICY p ON public.t USING (public.bait(n));
CREATE DOMAIN public.d AS int CHECK (public.bait(VALUE));
CREATE VIEW public.v AS SELECT public.bait(1) AS n;
CREATE MATERIALIZED VIEW public.m AS SELECT public.bait(1) AS n WITH NO DATA;
CREATE STATISTICS public.s ON (public.bait(n)) FROM public.t;
CREATE RULE r AS ON INSERT TO public.v DO INSTEAD SELECT public.bait(1);
INSERT INTO public.t VALUES (1);
TRUNCATE public.caught;
"""


@pytest.fixture
def trapped(project):
    """A project whose owner has laid traps wherever they may, on the search path before everything else."""
    uri, role = project.uri, sql.Identifier(project.parameters["role"])
    schema.apply(uri, versions.FIRST)
    with project.connect() as connection:
        connection.execute(TRAP)
        for signature, returns, value in SHADOWS:
            connection.execute(
                f"CREATE FUNCTION public.{signature} RETURNS {returns} LANGUAGE plpgsql SET search_path = pg_catalog AS"
                f" $$ BEGIN PERFORM public.spring('{signature}'); RETURN {value}; END $$"
            )
        for kind in ("oid", "name", "text"):
            connection.execute(
                f"CREATE OPERATOR public.= (LEFTARG = {kind}, RIGHTARG = {kind}, FUNCTION = public.same)"
            )
        connection.execute(OBJECTS)
        for place in ("DATABASE {}", "ROLE {}"):
            name = sql.Identifier(project.parameters["database"]) if "DATABASE" in place else role
            connection.execute(sql.SQL("ALTER " + place + " SET search_path = public, pg_catalog").format(name))
    return project


def caught(project):
    """Return as whom the traps have been run, seen without stepping into one."""
    with plane.superuser(project.parameters["database"]) as superuser:
        superuser.execute("SET search_path = ''")
        return {who for (who,) in superuser.execute("SELECT who FROM public.caught").fetchall()}


def is_superuser(project):
    query = "SELECT rolsuper FROM pg_roles WHERE rolname = %s"
    return plane.memory(query, [project.parameters["role"]]) != [{"rolsuper": False}]


def test_no_verb_of_the_plane_and_nothing_of_the_site_runs_it_with_more_rights(trapped):
    own = {f"{trapped.parameters['role']}/{trapped.parameters['role']}"}
    branch = f"/branches/{trapped.default['id']}"
    trapped.did("GET", f"{branch}/schema", params={"db_name": "neondb", "role": "neondb_owner"})
    snapshot_id = trapped.snapshot()
    dev = trapped.branch("dev")["id"]
    trapped.did("GET", f"/branches/{dev}/compare_schema", params={"db_name": "neondb"})
    trapped.did("POST", f"{branch}/roles", json={"role": {"name": "second"}})
    trapped.did("POST", f"{branch}/databases", json={"database": {"name": "shop", "owner_name": "second"}})
    trapped.did("PATCH", f"{branch}/databases/neondb", json={"database": {"owner_name": "second"}})
    upkeep.run()
    assert not is_superuser(trapped)
    assert caught(trapped) <= own
    trapped.restore(snapshot_id)
    for look in (fingerprint.take, lambda uri: everybody(uri, versions.FIRST)):
        with contextlib.suppress(AppDatabaseError):  # whatever the site makes of it: it is the owner's own fault
            look(trapped.uri_of())
    assert not is_superuser(trapped)
    assert caught(trapped) <= own


def test_the_servers_own_upkeep_runs_it_as_its_owner(trapped):
    with plane.superuser(trapped.parameters["database"]) as superuser:
        superuser.execute("VACUUM ANALYZE")
    assert not is_superuser(trapped)
    role = trapped.parameters["role"]
    assert caught(trapped) <= {f"{role}/{role}", f"{role}/postgres"}


def test_a_superuser_who_took_no_care_would_be_caught(trapped):
    with plane.superuser(trapped.parameters["database"]) as superuser:
        superuser.execute("SELECT lower('X')")
    assert is_superuser(trapped)


def test_the_traps_do_spring(trapped):
    with trapped.connect() as connection:
        connection.execute("SELECT lower('X'), version()")
        connection.execute("TABLE v")
    assert caught(trapped) == {f"{trapped.parameters['role']}/{trapped.parameters['role']}"}


@pytest.mark.parametrize("setting", ["role", "session_authorization"])
def test_a_role_that_the_database_sets_for_everybody_is_not_put_on_by_a_dump(project, setting):
    project.sql("CREATE TABLE mine (n int)")
    path = f"/branches/{project.default['id']}"
    project.did("POST", f"{path}/roles", json={"role": {"name": "second"}})
    ((second,),) = plane.sql(project.uri_of(role="second"), "SELECT current_user")
    names = sql.Identifier(project.parameters["database"]), sql.Identifier(setting), sql.Literal(second)
    with plane.superuser("postgres") as superuser:  # the owner may set it to roles that they are a member of
        superuser.execute(sql.SQL("ALTER DATABASE {} SET {} = {}").format(*names))
    answer = project.call("GET", f"{path}/schema", params={"db_name": "neondb", "role": "neondb_owner"})
    assert "CREATE TABLE public.mine" in answer.text


@pytest.mark.parametrize("setting", ["role", "session_authorization"])
def test_to_be_the_superuser_may_be_wished_for_and_is_not_granted(project, setting):
    names = [sql.Identifier(project.parameters[key]) for key in ("database", "role")]
    for wish in ("ALTER DATABASE {0} SET {2} = 'postgres'", "ALTER ROLE {1} IN DATABASE {0} SET {2} = 'postgres'"):
        with contextlib.suppress(psycopg.errors.InsufficientPrivilege):
            project.sql(sql.SQL(wish).format(*names, sql.Identifier(setting)))
    role = project.parameters["role"]
    assert project.sql("SELECT current_user, session_user, current_setting('is_superuser')") == [(role, role, "off")]


@pytest.mark.parametrize(
    "plant",
    [
        "CREATE EVENT TRIGGER t ON ddl_command_end EXECUTE FUNCTION public.pull_all()",
        "CREATE EVENT TRIGGER t ON login EXECUTE FUNCTION public.pull_all()",
        "CREATE FUNCTION public.c() RETURNS int LANGUAGE c AS 'libc', 'system'",
        "CREATE FUNCTION public.i() RETURNS int LANGUAGE internal AS 'pg_reload_conf'",
        "CREATE FUNCTION pg_catalog.lower(int) RETURNS int LANGUAGE sql AS 'SELECT 1'",
        "CREATE TABLE pg_catalog.t (n int)",
        "ALTER FUNCTION pg_catalog.lower(text) RENAME TO upper2",
        "CREATE LANGUAGE plpython3u",
        "UPDATE pg_catalog.pg_proc SET prosecdef = true",
        "ALTER DATABASE {db} SET session_preload_libraries = 'x'",
        "ALTER ROLE postgres IN DATABASE {db} SET search_path = public, pg_catalog",
        "ALTER ROLE ALL SET search_path = public, pg_catalog",
        "ALTER ROLE ALL IN DATABASE {db} SET log_statement = 'all'",
        "ALTER FUNCTION public.pull_all() OWNER TO postgres",
        "ALTER TABLE public.bait OWNER TO postgres",
        "SECURITY LABEL FOR x ON DATABASE {db} IS 'x'",
    ],
)
def test_what_would_run_for_others_cannot_be_planted_at_all(project, plant):
    project.sql("CREATE TABLE public.bait (n int)")
    project.sql("CREATE FUNCTION public.pull_all() RETURNS event_trigger LANGUAGE plpgsql AS 'BEGIN END'")
    statement = sql.SQL(plant).format(db=sql.Identifier(project.parameters["database"]))
    with pytest.raises(psycopg.Error) as refusal:
        project.sql(statement)
    assert not isinstance(refusal.value, psycopg.errors.SyntaxError), refusal.value
