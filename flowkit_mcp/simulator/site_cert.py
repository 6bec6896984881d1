"""A certificate for names that are not ours, worth something to one browser on this machine alone.

It is self-signed, made anew for each run, and trusted only by a browser that is told its fingerprint
(`--ignore-certificate-errors-spki-list`).
"""

from __future__ import annotations

import base64
import hashlib
import os
from collections.abc import Iterable
from datetime import UTC, datetime, timedelta
from pathlib import Path

from flowkit_mcp.clock import Clock

LIFE = timedelta(days=30)


def make_certificate(folder: Path, hosts: Iterable[str], clock: Clock) -> tuple[Path, str]:
    """A file with certificate and key (0600), and the fingerprint as Chromium wants it.

    The fingerprint is base64(SHA-256(SubjectPublicKeyInfo)).

    Raises:
        OSError: the folder cannot be written.
    """
    # late: a tenth of a second that only a browser run needs. Always there: the MCP SDK needs it too.
    from cryptography import x509
    from cryptography.hazmat.primitives import hashes
    from cryptography.hazmat.primitives.asymmetric import ec
    from cryptography.hazmat.primitives.serialization import (
        Encoding,
        NoEncryption,
        PrivateFormat,
        PublicFormat,
    )
    from cryptography.x509.oid import NameOID  # late: as above

    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "FlowKit simulator")])
    now = datetime.fromtimestamp(clock.now() / 1000, UTC)
    certificate = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - timedelta(days=1))
        .not_valid_after(now + LIFE)
        .add_extension(x509.SubjectAlternativeName([x509.DNSName(host) for host in hosts]), False)
        .sign(key, hashes.SHA256())
    )
    folder.mkdir(parents=True, exist_ok=True)
    file = folder / "site.pem"
    file.unlink(missing_ok=True)
    with os.fdopen(os.open(file, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "wb") as pem:
        pem.write(certificate.public_bytes(Encoding.PEM))
        pem.write(key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()))
    spki = key.public_key().public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)
    return file, base64.b64encode(hashlib.sha256(spki).digest()).decode("ascii")
