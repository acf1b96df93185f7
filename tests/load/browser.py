"""A window of somebody at a browser, with htmx or without, which does what the page would do."""

import html
import re
import time
import uuid
from collections import Counter

import httpx
from django.conf import settings

from tests.checkpoints.html import HTMX

TOKEN = "c" * 32  # any that cookie and header agree on
RUN = re.compile(r"/runs/([0-9a-f-]{36})/")
CHECKPOINT = re.compile(r"/checkpoints/([0-9a-f-]{36})/")
POLLS = re.compile(r'<div id="run" hx-get="([^"]+)"')
ALERT = re.compile(r'<div class="alert" role="alert">\s*<p>(.*?)</p>', re.DOTALL)
NEXT = re.compile(r'rel="next" href="([^"]+)"')
ROW = re.compile(r'<li id="contact-([0-9a-f-]{36})" class="contact">\s*<span class="name">(.*?)</span>', re.DOTALL)
PLACE = re.compile(r"Waiting for its turn: (\d+) other")
NO_WORKER = "No worker is running"


class Failed(Exception):
    """An action has failed; its text is the sentence that the page says."""


class Window:
    """One window; it bears no answer of 500 or more."""

    def __init__(self, url, session, *, htmx=True):
        self.session, self.htmx = session, htmx
        self.answers = Counter()
        self.places = []  # how many others the pages said to be first
        self._client = httpx.Client(
            base_url=url,
            cookies={settings.SESSION_COOKIE_NAME: session, settings.CSRF_COOKIE_NAME: TOKEN},
            headers={"X-CSRFToken": TOKEN} | (HTMX if htmx else {}),
            timeout=60,
        )

    def close(self):
        """Close the window."""
        self._client.close()

    def request(self, method, path, **data):
        """Send a request and return its answer."""
        answer = self._client.request(method, path, data=data or None)
        self.answers[answer.status_code] += 1
        assert answer.status_code < 500, f"{method} {path}: {answer.status_code}\n{answer.text}"
        assert "postgresql://" not in answer.text
        assert NO_WORKER not in answer.text
        if found := PLACE.search(answer.text):
            self.places.append(int(found[1]))
        return answer

    def get(self, path):
        """Look at a page."""
        return self.request("GET", path)

    def post(self, path, **data):
        """Press a button."""
        return self.request("POST", path, **data)

    def act(self, path, **data):
        """Press a button that begins a run, follow it to its end, and return the checkpoint that it led to."""
        return self.follow(self.post(path, **data))

    def follow(self, answer):
        """Do what the page does with an answer until its run has ended; raises Failed."""
        while True:
            where = answer.headers.get("HX-Push-Url") or answer.headers.get("Location", "")
            if found := CHECKPOINT.fullmatch(where):
                return found[1]
            if polled := POLLS.search(answer.text):
                if not self.htmx:
                    time.sleep(0.2)  # a page without JavaScript would wait a second
                answer = self.get(polled[1])
            elif RUN.fullmatch(where):
                answer = self.get(where)
            else:
                raise Failed(alert(answer) or f"{answer.status_code} {where} {answer.text}")

    def contacts(self, checkpoint):
        """Return the contacts on a checkpoint's pages: their ids by name."""
        found, where = {}, f"/checkpoints/{checkpoint}/"
        while where:
            page = self.get(where)
            assert page.status_code == 200, page
            assert alert(page) == ""
            found |= {html.unescape(name): uuid.UUID(id) for id, name in ROW.findall(page.text)}
            following = NEXT.search(page.text)
            where = following and html.unescape(following[1])
        return found

    def add(self, checkpoint, name):
        """Add a contact, and tell whether that was said to be done; else the answer says why not."""
        email = f"{re.sub(r'[^a-z0-9]+', '-', name.lower())}@example.com"
        return self.saved(self.post(f"/checkpoints/{checkpoint}/contacts/", name=name, email=email))

    def saved(self, answer):
        """Tell whether an edit was said to be done; a refusal must say something."""
        if answer.status_code in {200, 302}:
            return True
        assert answer.status_code in {409, 422, 502}, answer
        assert alert(answer) or 'role="alert"' in answer.text or "database is here" in answer.text, answer.text
        return False


def alert(answer):
    """Return what a page says in its alert, if it has one."""
    found = ALERT.search(answer.text)
    return html.unescape(found[1].strip()) if found else ""
