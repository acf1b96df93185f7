"""The way to the local control plane, with faults on it."""

import re

import httpx

from neon.local.transport import LocalTransport


class Wire(httpx.BaseTransport):
    """Hands requests to the plane, but for those that a test has something against."""

    def __init__(self):
        self._plane = LocalTransport()
        self._faults = []

    def fails(self, request, fault):
        """Let requests whose method and path match fail, before they have had any effect.

        A fault is the status and the code of a refusal, an exception, or something to call.
        """
        self._faults.append((request, fault, False))

    def loses_the_answer(self, request, fault=None):
        """Let requests whose method and path match have their effect, and their answer get lost."""
        self._faults.append((request, fault or httpx.ReadTimeout("too late"), True))

    def mend(self):
        """Let everything pass again."""
        self._faults.clear()

    def handle_request(self, request):
        """Answer one request."""
        fault, too_late = next(
            (
                (fault, too_late)
                for pattern, fault, too_late in self._faults
                if re.search(pattern, f"{request.method} {request.url.path}")
            ),
            (None, False),
        )
        answer = self._plane.handle_request(request) if too_late or fault is None or callable(fault) else None
        if isinstance(fault, Exception):
            raise fault
        if isinstance(fault, tuple):
            status, code = fault
            return httpx.Response(status, json={"code": code, "message": "no"})
        return answer
