"""What the site asks the meta database past the ORM: a statement in a file."""

from pathlib import Path


def statement(name: str) -> str:
    """Return the statement of that name."""
    return Path(__file__).with_name(f"{name}.sql").read_text(encoding="utf-8")
