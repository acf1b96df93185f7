"""The errors that the plane answers with, as Neon words them."""

from http import HTTPStatus


class PlaneError(Exception):
    """A refusal with its status and Neon's machine-readable code, which is empty more often than not."""

    status = HTTPStatus.BAD_REQUEST
    code = ""

    def __init__(self, message: str, *, code: str = "") -> None:
        super().__init__(message)
        self.message = message
        self.code = code


class BadRequest(PlaneError):
    """The request cannot be understood."""


class Unauthorized(PlaneError):
    """The key is missing or wrong."""

    status = HTTPStatus.UNAUTHORIZED


class NotFound(PlaneError):
    """There is no such thing."""

    status = HTTPStatus.NOT_FOUND


class Conflict(PlaneError):
    """There is something of that name already."""

    status = HTTPStatus.CONFLICT


class PasswordNotStored(PlaneError):
    """The role has no password that could be shown."""

    status = HTTPStatus.PRECONDITION_FAILED


class Unprocessable(PlaneError):
    """The request is understood and refused: a limit, a rule."""

    status = HTTPStatus.UNPROCESSABLE_ENTITY


class Locked(PlaneError):
    """Another operation of the project is running."""

    status = HTTPStatus.LOCKED

    def __init__(self) -> None:
        super().__init__("project already has running conflicting operations, scheduling of new ones is prohibited")


class NotImplementedHere(PlaneError):
    """Neon can do this and the plane cannot."""

    status = HTTPStatus.NOT_IMPLEMENTED


class Unavailable(PlaneError):
    """The Postgres server is away; nothing was done, and the same request works later."""

    status = HTTPStatus.SERVICE_UNAVAILABLE


class DiskFull(PlaneError):
    """The Postgres server has no room on its disk; what was begun is undone, or swept later."""

    status = HTTPStatus.INSUFFICIENT_STORAGE


class InternalError(PlaneError):
    """The plane itself is at fault."""

    status = HTTPStatus.INTERNAL_SERVER_ERROR
