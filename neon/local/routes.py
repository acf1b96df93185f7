"""Where a connection goes: from an endpoint, and the names that Neon has there, to the names in the cluster."""

from dataclasses import dataclass, field

from neon.local import store
from neon.local.engine import endpoints, restores

# A name that is not there leaves the other one known.
ROUTE = """
SELECT e.suspended_at IS NOT NULL AS asleep, r.physical_name AS role, p.rolpassword AS verifier,
       coalesce(current_setting('scram_iterations', true)::int, 4096) AS iterations,
       d.physical_name AS database, coalesce(c.datallowconn, false) AS open
FROM endpoints e
LEFT JOIN (memberships m JOIN roles r USING (physical_name)) ON m.branch_id = e.branch_id AND r.name = %(role)s
LEFT JOIN pg_authid p ON p.rolname = r.physical_name AND p.rolcanlogin
LEFT JOIN databases d ON d.branch_id = e.branch_id AND d.name = %(database)s
LEFT JOIN pg_database c ON c.datname = d.physical_name
WHERE e.id = %(endpoint)s
"""


@dataclass(frozen=True, slots=True)
class Route:
    """The names in the cluster, where there are any, and what the server keeps of the role's password."""

    role: str | None
    database: str | None
    verifier: str | None = field(repr=False)
    iterations: int  # how often the server hashes new passwords
    asleep: bool  # the endpoint is suspended
    open: bool  # False while the database is copied or swapped


def resolve(endpoint_id: str, database: str, role: str) -> Route | None:
    """Return the way to a database of the endpoint's branch as it is now; None when the endpoint is gone."""
    names = {"endpoint": endpoint_id, "database": database, "role": role}
    with store.connection() as connection:
        query = "SELECT project_id FROM endpoints WHERE id = %s"
        endpoint = connection.execute(query, [endpoint_id]).fetchone()
        if endpoint is None:
            return None
        restores.finish_due(connection, endpoint["project_id"])
        found = connection.execute(ROUTE, names).fetchone()
        return Route(**found) if found else None


def wake(endpoint_id: str) -> None:
    """Wake an endpoint, as a connection does whose password is right."""
    with store.connection() as connection:
        endpoints.wake(connection, endpoint_id)
