"""Keys and certificates for tests, made on the spot."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from typing import Any

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import rsa
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

from hub.clock import SystemClock

Days = tuple[int, int]


def _name(name: str) -> x509.Name:
    return x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)])


def _draft(name: str, issuer: str, key: Any, days: Days) -> x509.CertificateBuilder:
    now = SystemClock().now()
    return (
        x509.CertificateBuilder()
        .subject_name(_name(name))
        .issuer_name(_name(issuer))
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now + timedelta(days=days[0]))
        .not_valid_after(now + timedelta(days=days[1]))
    )


def _application(draft: x509.CertificateBuilder, uri: str) -> x509.CertificateBuilder:
    usage = x509.KeyUsage(True, True, True, True, False, False, False, False, False)
    both = x509.ExtendedKeyUsage([ExtendedKeyUsageOID.SERVER_AUTH, ExtendedKeyUsageOID.CLIENT_AUTH])
    names = x509.SubjectAlternativeName([x509.UniformResourceIdentifier(uri), x509.DNSName("localhost")])
    return (
        draft.add_extension(names, False)
        .add_extension(x509.BasicConstraints(False, None), True)
        .add_extension(usage, True)
        .add_extension(both, False)
    )


@dataclass(frozen=True)
class Owner:
    """An application with its certificate (.der) and key (.pem)."""

    certificate: Path
    key: Path
    content: x509.Certificate

    @classmethod
    def make(cls, folder: Path, name: str, uri: str, days: Days = (-1, 365)) -> Owner:
        """Self-signed; made once per folder and name."""
        where = folder / f"{name}.der"
        if where.exists():
            return cls(where, folder / f"{name}.pem", x509.load_der_x509_certificate(where.read_bytes()))
        key = rsa.generate_private_key(65537, 2048)
        return cls.write(
            folder, name, key, _application(_draft(name, name, key, days), uri).sign(key, hashes.SHA256())
        )

    @classmethod
    def write(cls, folder: Path, name: str, key: Any, content: x509.Certificate) -> Owner:
        certificate, secret = folder / f"{name}.der", folder / f"{name}.pem"
        certificate.write_bytes(content.public_bytes(serialization.Encoding.DER))
        secret.write_bytes(
            key.private_bytes(
                serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
            )
        )
        return cls(certificate, secret, content)

    @property
    def thumbprint(self) -> str:
        return self.content.fingerprint(hashes.SHA1()).hex().upper()

    def put_into(self, folder: Path) -> None:
        (folder / self.certificate.name).write_bytes(self.certificate.read_bytes())


@dataclass(frozen=True)
class Authority:
    key: Any
    content: x509.Certificate

    @classmethod
    def make(cls) -> Authority:
        key = rsa.generate_private_key(65537, 2048)
        draft = _draft("plant authority", "plant authority", key, (-100, 365))
        return cls(
            key, draft.add_extension(x509.BasicConstraints(True, None), True).sign(key, hashes.SHA256())
        )

    def issue(self, folder: Path, name: str, uri: str, days: Days) -> Owner:
        key = rsa.generate_private_key(65537, 2048)
        draft = _application(_draft(name, "plant authority", key, days), uri)
        return Owner.write(folder, name.replace(" ", "-"), key, draft.sign(self.key, hashes.SHA256()))

    def put_into(self, folder: Path) -> None:
        (folder / "authority.pem").write_bytes(self.content.public_bytes(serialization.Encoding.PEM))

    def revoke(self, owner: Owner, folder: Path) -> None:
        folder.mkdir(exist_ok=True)
        now = SystemClock().now()
        entry = (
            x509.RevokedCertificateBuilder()
            .serial_number(owner.content.serial_number)
            .revocation_date(now)
            .build()
        )
        crl = (
            x509.CertificateRevocationListBuilder()
            .issuer_name(self.content.subject)
            .last_update(now)
            .next_update(now + timedelta(days=30))
            .add_revoked_certificate(entry)
            .sign(self.key, hashes.SHA256())
        )
        (folder / "plant.crl").write_bytes(crl.public_bytes(serialization.Encoding.DER))
