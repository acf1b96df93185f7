"""All contacts, page by page, as somebody reads them who goes through the list."""

from contacts import paging
from contacts.types import Wanted


def everybody(uri, version):
    """Return all contacts by name."""
    found, wanted = [], Wanted()
    while wanted:
        page = paging.read(uri, version, wanted)
        found += page.contacts
        wanted = page.next
    return found
