"""How a connection begins: what is no startup packet is refused, and nonsense harms nobody."""

import struct
from urllib.parse import urlsplit

import pytest

from neon.local.startup import Refusal, read_parameters
from tests.neon.local import plane
from tests.neon.local.packets import SSL_REQUEST, say, startup


@pytest.fixture(scope="module")
def project(api):
    """A project that the tests of this module share."""
    with plane.project(api) as made:
        yield made


def port_of(project):
    return urlsplit(project.uri).port


def test_a_refusal_has_postgres_codes(project):
    port = port_of(project)
    heard = say(port, startup(user="nobody", database="neondb"), b"p\0\0\0\x08abcd")
    assert heard.startswith(b"R")  # a name that is not there is asked for its password as any other
    assert b"SFATAL\0VFATAL\0C28P01\0" in heard
    assert b"C0A000\0" in say(port, struct.pack("!ii", 8, 2 << 16))
    assert b"C08P01\0" in say(port, struct.pack("!ii", 10, 3 << 16) + b"x\0")


@pytest.mark.parametrize(
    "packets",
    [
        [b"GET / HTTP/1.1\r\n\r\n"],
        [struct.pack("!ii", 10_001, 3 << 16)],
        [struct.pack("!ii", -1, 3 << 16)],
        [SSL_REQUEST + startup(user="neondb_owner")],  # in the clear, to be taken for what comes encrypted
        [startup(user="neondb_owner", database="neondb"), b"p" + struct.pack("!i", 2**31 - 1)],
        [startup(user="neondb_owner", database="neondb"), b"Q\0\0\0\x05\0"],
        [startup(user="neondb_owner", database="neondb"), b"p\0\0\0\x08abcd"],
    ],
)
def test_nonsense_is_cut_off_and_harms_nobody(project, packets, caplog):
    heard = say(port_of(project), *packets)
    assert b"neondb_owner" not in heard.replace(b'for user "neondb_owner"', b"")
    assert project.sql("SELECT 1") == [(1,)]
    assert not caplog.records


@pytest.mark.parametrize("content", [b"", b"\0\0\0", b"user\0", b"user\0a\0", b"user\0a", b"\0a\0\0"])
def test_a_malformed_startup_packet_is_refused(content):
    with pytest.raises(Refusal):
        read_parameters(content)


def test_a_startup_packet_may_be_empty_or_have_empty_values():
    assert read_parameters(b"\0") == {}
    assert read_parameters(b"user\0a\0options\0\0\0") == {b"user": b"a", b"options": b""}
