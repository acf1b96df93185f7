"""Pages as tests look at them: elements, their words, and the headers with which htmx asks."""

from dataclasses import dataclass
from html.parser import HTMLParser

HTMX = {"HX-Request": "true"}
TAB = HTMX | {"HX-Target": "tab"}
VOID = {"area", "base", "br", "col", "embed", "hr", "img", "input", "link", "meta", "source", "track", "wbr"}


@dataclass
class Element:
    """An element, and all text in it."""

    tag: str
    attributes: dict[str, str | None]
    text: str = ""

    def __getitem__(self, name):
        return self.attributes.get(name)

    @property
    def words(self):
        return " ".join(self.text.split())


class Page(HTMLParser):
    """The elements of an answer."""

    def __init__(self, response):
        super().__init__()
        self.elements = []
        self._open = []
        self.feed(response.content.decode())
        self.close()

    def handle_starttag(self, tag, attrs):
        element = Element(tag, dict(attrs))
        self.elements.append(element)
        if tag not in VOID:
            self._open.append(element)

    def handle_endtag(self, tag):
        while self._open and self._open.pop().tag != tag:
            pass

    def handle_data(self, data):
        for element in self._open:
            element.text += data

    def all(self, *tags, **attributes):
        return [
            element
            for element in self.elements
            if (not tags or element.tag in tags)
            and all(element[name.strip("_")] == value for name, value in attributes.items())
        ]

    def one(self, *tags, **attributes):
        (element,) = self.all(*tags, **attributes)
        return element

    @property
    def labels(self):
        """What can be clicked."""
        return [element.words for element in self.all("a", "button")]

    @property
    def headings(self):
        return [element.words for element in self.all("h1", "h2", "h3")]

    @property
    def alerts(self):
        """What is said about something that went wrong, the banner of base.html aside."""
        return [element.words for element in self.all(role="alert") if element["id"] != "offline"] + [
            element.words for element in self.all("ul", class_="errorlist")
        ]

    @property
    def is_whole(self):
        """Tell a page from a fragment."""
        return bool(self.all("html"))
