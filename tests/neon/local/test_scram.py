"""SCRAM by itself: the example of RFC 7677, and what must be refused."""

import hashlib

import pytest

from neon.local import scram

RFC = {
    "client": "rOprNGfwEbeRWgbNEkqO",
    "server": "%hvYDpWUa2RaTCAfuxFIlj)hNlF$k0",
    "salt": "W22ZaJ0SNY7soEsUEjb6gQ==",
    "proof": "dHzbZapWIk4jUhN+Ute9ytag9zjfMHgsqmmiz7AndVQ=",
    "answer": b"v=6rriTRBi23WpRR/wtup+mMhUZUn/dB5nLTJRsjl95G4=",
}


@pytest.fixture
def exchange(monkeypatch):
    """The server's side of the RFC's example, after its challenge."""
    salted = hashlib.pbkdf2_hmac("sha256", b"pencil", scram.b64decode(RFC["salt"]), 4096)
    stored = hashlib.sha256(scram._sign(salted, "Client Key")).digest()
    monkeypatch.setattr(scram, "_nonce", lambda: RFC["server"])
    made = scram.Server(scram.Verifier(4096, RFC["salt"], stored, scram._sign(salted, "Server Key")), None)
    challenge = made.challenge(scram.MECHANISM, f"n,,n=user,r={RFC['client']}".encode())
    assert challenge == f"r={RFC['client']}{RFC['server']},s={RFC['salt']},i=4096".encode()
    return made


def final(header="biws", nonce=RFC["client"] + RFC["server"], proof=RFC["proof"]):
    return f"c={header},r={nonce},p={proof}".encode()


def test_the_example_of_the_rfc_is_accepted(exchange):
    answer, _ = exchange.accept(final())
    assert answer == RFC["answer"]


@pytest.mark.parametrize(
    "message",
    [
        final(header="eSws"),
        final(nonce=RFC["client"]),
        final(proof="AAAA"),
        final(proof="B" + RFC["proof"][1:]),
        final(proof="!"),
        b"",
        b"\xff",
    ],
)
def test_any_other_proof_is_refused(exchange, message):
    with pytest.raises(scram.Refused):
        exchange.accept(message)


@pytest.mark.parametrize(
    ("channel", "mechanism", "binding"),
    [
        (b"hash", scram.MECHANISM, "y"),  # the client was told that we cannot bind, and we can
        (b"hash", scram.PLUS, "n"),
        (b"hash", scram.PLUS, "p=tls-unique"),
        (None, scram.PLUS, scram.BINDING),
        (None, "PLAIN", "n"),
        (None, scram.MECHANISM, "n,a=somebody"),
    ],
)
def test_a_channel_is_bound_as_offered_or_not_at_all(channel, mechanism, binding):
    exchange = scram.Server(scram.Verifier(1, "c2FsdA==", b"0" * 32, b"1" * 32), channel)
    with pytest.raises(scram.Refused):
        exchange.challenge(mechanism, f"{binding},,n=,r=abc".encode())


def test_keys_are_in_no_repr():
    verifier = scram.Verifier.parse("SCRAM-SHA-256$4096:c2FsdA==$c3RvcmVk:c2VydmVy")
    assert "stored" not in repr(verifier)
    with pytest.raises(scram.Refused):
        scram.Verifier.parse("md5d41d8cd98f00b204e9800998ecf8427e")
