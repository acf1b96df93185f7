"""The header that asks the plane for a fault, and what a fault may have left."""

HEADER = "X-Neon-Local-Fault"


def asking(fault):
    """Return the header that asks for a fault."""
    return {"headers": {HEADER: fault}}


def snapshots(project):
    """Return the names of the project's snapshots."""
    return {row["name"] for row in project.did("GET", "/snapshots")["snapshots"]}
