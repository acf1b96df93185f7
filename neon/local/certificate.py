"""The router's certificate: self-signed, made once and kept."""

import datetime
import hashlib
import ipaddress
import secrets
import shutil
import ssl
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

YEARS = 10
NAMES = ("localhost", "127.0.0.1", "::1")


@dataclass(frozen=True)
class Certificate:
    """A certificate in use; clients may be given the file at *path* to verify it by."""

    path: Path
    context: ssl.SSLContext
    channel: bytes  # what SCRAM binds a channel by: the hash of the certificate


def kept(folder: Path) -> Certificate:
    """Return the certificate in *folder*, made when there is none."""
    if not folder.exists():
        folder.parent.mkdir(parents=True, exist_ok=True)
        fresh = folder.with_name(f"{folder.name}.{secrets.token_hex(4)}")
        _make(fresh)
        with suppress(OSError):  # another process was first
            fresh.rename(folder)  # never shows half of it
        shutil.rmtree(fresh, ignore_errors=True)
    path = folder / "certificate.pem"
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(path, folder / "key.pem")
    return Certificate(path, context, hashlib.sha256(ssl.PEM_cert_to_DER_cert(path.read_text())).digest())


def _make(folder: Path) -> None:
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "local control plane")])
    now = datetime.datetime.now(datetime.UTC)
    certificate = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - datetime.timedelta(days=1))
        .not_valid_after(now + datetime.timedelta(days=365 * YEARS))
        .add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
        .add_extension(x509.SubjectAlternativeName([_general(name) for name in NAMES]), critical=False)
        .sign(key, hashes.SHA256())  # SCRAM binds by this hash
    )
    folder.mkdir(mode=0o700)
    (folder / "certificate.pem").write_bytes(certificate.public_bytes(serialization.Encoding.PEM))
    (folder / "key.pem").touch(mode=0o600)
    (folder / "key.pem").write_bytes(
        key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
    )


def _general(name: str) -> x509.GeneralName:
    try:
        return x509.IPAddress(ipaddress.ip_address(name))
    except ValueError:
        return x509.DNSName(name)
