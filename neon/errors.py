"""What can go wrong with Neon, told apart by whose fault it is.

NeonError
├── RequestError          our request
│   ├── BadRequest            Neon refuses it: 400, 422 and other 4xx
│   └── NotFound              no such project, branch, snapshot: 404
│       └── ProjectGone           the project itself is no longer there
├── AccountError          our key, organisation or plan
│   ├── Unauthorized          the key is refused: 401, 403
│   ├── PersonalKeyRequired   an organisation's key may not do this
│   ├── OrganisationRequired  a personal key needs NEON_ORG_ID
│   └── PlanLimit             the plan holds no more of something
├── BusyError             Neon's state; the same request works later
│   ├── Locked                other operations of the project are running: 423
│   └── RateLimited           too many requests: 429, or our own pace
└── ServiceError          Neon's fault
    ├── ServerError           5xx
    ├── NoSpace               the server's disk is full: 507, from the local control plane only
    ├── Unreachable           no connection, or it dropped
    ├── Timeout               no answer in time, from Neon or from a proxy before it: 504, 524
    ├── UnexpectedResponse    an answer that we cannot read
    ├── OperationFailed       an accepted operation did not succeed
    └── WaitTimeout           accepted operations did not finish in time

`str(error)` is for logs: method, path, status and what Neon said. `error.sentence` is for people.
`error.effect_unknown` says that the request may have had its effect all the same.
"""

from __future__ import annotations

import re

SECRETS = re.compile(
    r"postgres(?:ql)?://\S+"  # a connection string, with its password
    r"|\bBearer\s+\S+"
    r"|\b(?:napi|npg)_\w+",  # how Neon's keys and passwords begin
    re.IGNORECASE,
)
LIMIT_CODE = re.compile(r"([A-Z_]+)_LIMIT_EXCEEDED")
LIMIT_MESSAGE = re.compile(r"\b(projects|(?:root )?branches|snapshots|endpoints|roles|databases) limit exceeded")
# A proxy before Neon gave up waiting; Neon may still be at it.
TOO_SLOW = frozenset({504, 524})
# Neon refused the request before it did anything.
NOT_DONE = frozenset({501, 503})
REASON_LENGTH = 200


def scrub(text: str) -> str:
    """Take keys and connection strings out of a text that somebody else wrote."""
    return SECRETS.sub("***", text)


class NeonError(Exception):
    """Anything that went wrong with Neon."""

    _sentence = "Something went wrong with Neon."

    def __init__(
        self, detail: str, *, status: int | None = None, code: str = "", request_id: str | None = None
    ) -> None:
        super().__init__(scrub(detail))
        self.status = status
        self.code = scrub(code)
        self.request_id = request_id and scrub(request_id)

    @property
    def effect_unknown(self) -> bool:
        """Whether the request may have had its effect: then look before asking again."""
        return False

    @property
    def sentence(self) -> str:
        """What happened, and what to do, in words for people."""
        return self._sentence.format(error=self)


class RequestError(NeonError):
    """Our request is at fault."""


class BadRequest(RequestError):
    """Neon refuses the request as it is."""

    _sentence = "Neon refused the request."


class NotFound(RequestError):
    """The project, branch, snapshot or operation does not exist."""

    _sentence = "Neon does not know this project, branch or snapshot."


class ProjectGone(NotFound):
    """The project itself is no longer there: somebody deleted it, or the key is of another account."""

    _sentence = "Neon no longer has this project."


class AccountError(NeonError):
    """The account, its key or its plan is at fault."""


class Unauthorized(AccountError):
    """Neon refuses the API key."""

    _sentence = "Neon refused the API key. Check NEON_API_KEY."


class PersonalKeyRequired(AccountError):
    """The key belongs to an organisation, and the call is for persons only."""

    _sentence = "Neon does not allow this with an organisation's API key. Set NEON_API_KEY to a personal key."


class OrganisationRequired(AccountError):
    """The key belongs to a person, and Neon wants to know for which organisation the call is."""

    _sentence = "Neon needs to know the organisation. Set NEON_ORG_ID."


class PlanLimit(AccountError):
    """The plan holds no more of something; `limit` says of what, for example "snapshots"."""

    _sentence = "This Neon plan holds no more {error.limit}. Delete one or use a larger plan."

    @property
    def limit(self) -> str:
        """What there is too much of, in words."""
        match = LIMIT_CODE.fullmatch(self.code) or LIMIT_MESSAGE.search(str(self))
        return match[1].replace("_", " ").lower() if match else "of this"


class BusyError(NeonError):
    """Neon is busy; the same request works later."""


class Locked(BusyError):
    """Other operations of the project are running."""

    _sentence = "Neon is still working on this project. Try again in a moment."


class RateLimited(BusyError):
    """The account has sent too many requests."""

    _sentence = "Neon gets too many requests from this account. Try again in a minute."


class ServiceError(NeonError):
    """Neon, or the way to it, is at fault."""


class ServerError(ServiceError):
    """Neon answered that it failed."""

    _sentence = "Neon has a fault on its side. Try again later."

    @property
    def effect_unknown(self) -> bool:
        """Whether it failed half way, and not before it began."""
        return self.status not in NOT_DONE


class NoSpace(ServiceError):
    """The disk of the database server is full."""

    _sentence = "The disk of the database server is full. Make room on it, then try again."


class Unreachable(ServiceError):
    """No connection to Neon, or one that dropped."""

    _sentence = "Neon cannot be reached right now."

    def __init__(self, detail: str, *, sent: bool = False) -> None:
        super().__init__(detail)
        self.sent = sent

    @property
    def effect_unknown(self) -> bool:
        """Whether something had been sent before the connection dropped."""
        return self.sent


class Timeout(ServiceError):
    """No answer in time; Neon may still be at it."""

    _sentence = "Neon took too long to answer."

    @property
    def effect_unknown(self) -> bool:
        """Always."""
        return True


class UnexpectedResponse(ServiceError):
    """An answer that is not what the API promises; it is never quoted, as it may hold a password."""

    _sentence = "Neon gave an answer that could not be understood."

    @property
    def effect_unknown(self) -> bool:
        """Whether the answer may have been a success."""
        return self.status is None or 200 <= self.status < 300


class OperationFailed(ServiceError):
    """An operation that Neon had accepted did not succeed; `reason` is what Neon says of it, if it does."""

    def __init__(self, action: str, status: str, reason: str = "") -> None:
        reason = scrub(" ".join(reason.split()))
        super().__init__(": ".join(filter(None, (f"operation {action} ended as {status}", reason))))
        self.action = scrub(action)
        self.operation_status = status
        self.reason = reason[:REASON_LENGTH].rstrip(".")

    @property
    def sentence(self) -> str:
        """Which operation failed, and why."""
        return ": ".join(filter(None, (f"Neon could not finish its operation {self.action}", self.reason))) + "."


class WaitTimeout(ServiceError):
    """Operations that Neon had accepted did not finish by the deadline."""

    _sentence = "Neon did not finish its work in time. It may still do so."


def kind_of(status: int, code: str, message: str) -> type[NeonError]:
    """Say which error an answer is, from its status and from what its body says."""
    if status == 423:
        return Locked
    if status == 429:
        return RateLimited
    if status in TOO_SLOW:
        return Timeout
    if status == 507:
        return NoSpace
    if status >= 500:
        return ServerError
    if status < 400:
        return UnexpectedResponse
    if LIMIT_CODE.fullmatch(code) or (status == 422 and LIMIT_MESSAGE.search(message)):
        return PlanLimit
    if "not allowed for organization API keys" in message:
        return PersonalKeyRequired
    if "org_id is required" in message:
        return OrganisationRequired
    if status in {401, 403}:
        return Unauthorized
    return NotFound if status == 404 else BadRequest
