"""The way to the local control plane, with faults on it."""

import re

import httpx

from neon.local.transport import LocalTransport


class Wire(httpx.BaseTransport):
    """Hands requests to the plane, and keeps count; a test says what happens before or after some of them."""

    def __init__(self):
        self.calls = []
        self._plane = LocalTransport()
        self._before, self._after = [], []

    def before(self, pattern, act, times=None):
        """Call *act* before a request such as "POST /projects$" has its effect, always or so many *times*."""
        self._before.append((pattern, _only(act, times)))

    def after(self, pattern, act, times=None):
        """Call *act* when it has had its effect, before the answer arrives."""
        self._after.append((pattern, _only(act, times)))

    def refuses(self, pattern, status=503, code="", times=None):
        """Let Neon refuse what matches."""
        self.before(pattern, lambda: httpx.Response(status, json={"code": code, "message": "no"}), times)

    def loses_the_answer(self, pattern, times=None):
        """Let what matches have its effect, and the answer never come."""
        self.after(pattern, _time_out, times)

    def mend(self):
        """Let everything pass again."""
        self._before.clear()
        self._after.clear()

    def handle_request(self, request):
        """Answer one request."""
        line = f"{request.method} {request.url.path}"
        self.calls.append(line)
        for pattern, act in self._before:
            if re.search(pattern, line) and (refusal := act()):
                return refusal
        answer = self._plane.handle_request(request)
        for pattern, act in self._after:
            if re.search(pattern, line):
                act()
        return answer


def _only(act, times):
    """Return what does *act* so many times, and then nothing."""
    if times is None:
        return act
    left = iter(range(times))
    return lambda: act() if next(left, None) is not None else None


def _time_out():
    raise httpx.ReadTimeout("no answer")
