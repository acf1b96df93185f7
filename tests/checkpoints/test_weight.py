"""How much a first visit loads: the pages, and what they refer to, compressed as they are served."""

import gzip
import re
from urllib.parse import urljoin

import pytest
from django.core.management import call_command
from django.test import Client

from config.settings import STORAGES

MOST_BYTES = 40_000
# What Django and the libraries bring for pages that are not part of a first visit.
ELSEWHERE = ["admin", "ext", "*-4*"]
GZIP = {"Accept-Encoding": "gzip, deflate, br"}


@pytest.fixture
def collected(settings, tmp_path):
    """Static files as the product has them: collected, hashed, compressed."""
    settings.STATIC_ROOT = tmp_path / "static"
    settings.STORAGES = STORAGES
    call_command("collectstatic", verbosity=0, interactive=False, ignore_patterns=ELSEWHERE)


def served(client, url):
    """Return an answer's bytes as they go over the wire, and as they are read."""
    answer = client.get(url, headers=GZIP)
    assert answer.status_code == 200, url
    sent = b"".join(answer.streaming_content) if answer.streaming else answer.content
    return answer, sent, gzip.decompress(sent) if answer.get("Content-Encoding") == "gzip" else sent


def referred_to(text):
    """Return the addresses of scripts, styles and images in a page or a stylesheet."""
    tags = re.findall(r"<(?:script|link|img|source)\b[^>]*>", text)
    addresses = [found for tag in tags for found in re.findall(r'\b(?:src|href)="([^"]+)"', tag)]
    return [*addresses, *re.findall(r"url\(['\"]?([^'\")]+)", text), *re.findall(r"@import ['\"]([^'\"]+)", text)]


def test_a_first_visit_loads_at_most_40_kb(collected, started, owner):
    checkpoint = started.projects.get().head.get_absolute_url()
    weights, queue = {}, ["/", checkpoint]
    for url in queue:
        client = owner if url == checkpoint else Client()
        answer, sent, text = served(client, url)
        weights[url] = len(sent)
        if answer["Content-Type"].startswith(("text/html", "text/css")):
            found = [urljoin(url, each) for each in referred_to(text.decode())]
            queue += [each for each in dict.fromkeys(found) if each not in queue and not each.startswith("data:")]
    assert {url.rpartition(".")[2] for url in weights if url.startswith("/static/")} == {"css", "js", "svg"}
    assert sum(weights.values()) <= MOST_BYTES, weights
