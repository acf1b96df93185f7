"""The way to the local control plane, with faults on it."""

import re

import httpx

from neon.local.transport import LocalTransport


class Wire(httpx.BaseTransport):
    """Hands requests to the plane; a test says what happens before or after those that match a pattern."""

    def __init__(self):
        self._plane = LocalTransport()
        self._before, self._after = [], []

    def before(self, pattern, act):
        """Call *act* before a request such as "POST /projects$" has its effect."""
        self._before.append((pattern, act))

    def after(self, pattern, act):
        """Call *act* when it has had its effect, before the answer arrives."""
        self._after.append((pattern, act))

    def refuses(self, pattern, status=503, code=""):
        """Let Neon refuse what matches."""
        self.before(pattern, lambda: httpx.Response(status, json={"code": code, "message": "no"}))

    def loses_the_answer(self, pattern):
        """Let what matches have its effect, and the answer never come."""
        self.after(pattern, _time_out)

    def mend(self):
        """Let everything pass again."""
        self._before.clear()
        self._after.clear()

    def handle_request(self, request):
        """Answer one request."""
        line = f"{request.method} {request.url.path}"
        for pattern, act in self._before:
            if re.search(pattern, line) and (refusal := act()):
                return refusal
        answer = self._plane.handle_request(request)
        for pattern, act in self._after:
            if re.search(pattern, line):
                act()
        return answer


def _time_out():
    raise httpx.ReadTimeout("no answer")
