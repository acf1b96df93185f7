"""Ids in Neon's form."""

import secrets
import string

ADJECTIVES = ("aged", "autumn", "bold", "calm", "cool", "crimson", "gentle", "misty", "quiet", "young")
NOUNS = ("bird", "brook", "cloud", "field", "forest", "lake", "leaf", "meadow", "moon", "river")


def new_id(prefix: str) -> str:
    """Return a fresh id: two words and eight characters, which are digits for a project (no prefix)."""
    alphabet = string.ascii_lowercase + string.digits if prefix else string.digits
    tail = "".join(secrets.choice(alphabet) for _ in range(8))
    return f"{prefix}{secrets.choice(ADJECTIVES)}-{secrets.choice(NOUNS)}-{tail}"
