"""What somebody may send who means no good, and the traces that it would leave if it got through."""

from urllib.parse import quote, urlsplit

from hypothesis import strategies as st

from tests.checkpoints.html import Page

# Would become an element or an attribute of this name, wherever it is not escaped.
MARK = "x9q"
NASTY = {
    "nothing": "",
    "NUL": "a\x00b",
    "half a character": "a\ud800b",
    "element": f"<{MARK}>",
    "script": f"</script></textarea></title><script>{MARK}()</script>",
    "double quotes": f'" {MARK}="1',
    "single quotes": f"' {MARK}='1",
    "template": "{{ 7|add:1234567 }}{% debug %}",
    "format": "%s%n{0.__class__}%(x)s",
    "SQL": "'; DROP TABLE checkpoints_project CASCADE; --",
    "new lines": f"a\r\nX-{MARK}: 1\r\n\r\n<{MARK}>",
    "right to left": "\u202eevil\u202c\u200f",
    "emoji": "👩‍👩‍👧‍👦" * 20,
    "huge": "9" * 400,
    "negative": "-1",
    "not a number": "NaN",
    "path": "../../../../etc/passwd",
    "address": "//evil.example/",
    "scheme": f"javascript:{MARK}()",
    "brackets": "http://[x",
    "long": "x" * 2**20,
}
# What a server in front lets through in an address.
SHORT = NASTY | {"long": "x" * 10_000}
TEXT = st.text(max_size=30) | st.sampled_from([value for name, value in NASTY.items() if name != "long"])


def encode(text):
    """Quote a text for a URL or a form, half characters as what they would be if they could be written."""
    return quote(text.encode("utf-8", "surrogatepass"), safe="")


def traces(response):
    """What an answer shows of an attack that got through."""
    if response.status_code >= 500:
        yield f"status {response.status_code}"
    yield from {f"header {name}" for name in response.headers if MARK in name.lower()}
    if urlsplit(response.headers.get("Location", "/")).netloc:
        yield f"sent to {response['Location']}"
    if not response.headers.get("Content-Type", "").startswith("text/html"):
        return
    if "1234574" in response.content.decode():
        yield "template executed"
    for element in Page(response).elements:
        if element.tag == MARK or MARK in element.attributes or (element.tag == "script" and MARK in element.text):
            yield f"markup <{element.tag}>"
        if (element["href"] or element["action"] or element["src"] or "").startswith(("javascript:", "//evil")):
            yield f"address in <{element.tag}>"
