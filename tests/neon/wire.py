"""The client under test, with time that costs none."""

from neon.client import Client
from neon.pacing import Pacer

API = "https://neon.test/api/v2"
KEY = "napi_k3yk3yk3yk3yk3yk3yk3y"


class Time:
    """A clock that only sleeping moves, and what was slept."""

    def __init__(self) -> None:
        self.now = 1000.0
        self.slept: list[float] = []

    def clock(self) -> float:
        """Return the time."""
        return self.now

    def sleep(self, seconds: float) -> None:
        """Let the time pass."""
        self.slept.append(seconds)
        self.now += seconds


def client(time: Time, *, org_id: str | None = None, deadline: float = 60.0, pacer: Pacer | None = None) -> Client:
    """Return a client of the API at the wire, that always waits as long as it may."""
    return Client(
        KEY,
        base_url=API,
        org_id=org_id,
        deadline=deadline,
        pacer=pacer,
        clock=time.clock,
        sleep=time.sleep,
        random=lambda: 1.0,
    )
