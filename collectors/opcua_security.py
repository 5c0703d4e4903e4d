"""Which OPC UA servers we trust, and how the line to them is protected."""

from __future__ import annotations

import contextlib
import os
import socket
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path
from typing import Literal

from cryptography import x509
from cryptography.exceptions import InvalidSignature, UnsupportedAlgorithm
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import rsa
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    PrivateFormat,
    load_der_private_key,
    load_pem_private_key,
)
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID
from pydantic import Field, SecretStr, model_validator

from hub.config import Block
from hub.errors import ConfigError, SourceRefused

_WARN_AHEAD = timedelta(days=30)
_MOST_REJECTED = 20  # a stranger may show another certificate each time
OUTDATED = ("Basic256", "Basic128Rsa15")


class SecurityBlock(Block):
    """Protected line: our certificate and key, and the folder of the servers we trust.

    `trust_folder` holds certificates (.der, .pem, .crt) of servers or of the authorities that signed them;
    its subfolder `crl` holds revocation lists.
    """

    policy: Literal[
        "Basic256Sha256", "Aes128Sha256RsaOaep", "Aes256Sha256RsaPss", "Basic256", "Basic128Rsa15"
    ] = "Basic256Sha256"
    outdated_policy: bool = Field(False, description="Basic256, Basic128Rsa15: an exception, with an alarm")
    mode: Literal["SignAndEncrypt", "Sign"] = "SignAndEncrypt"
    certificate: Path
    key: Path
    key_password: SecretStr | None = None
    trust_folder: Path = Field(description="certificates of trusted servers; its subfolder crl: revocations")
    server_certificate: Path | None = Field(
        None,
        description="of a server that does not show it to strangers; the only one trusted is tried anyway",
    )

    @model_validator(mode="after")
    def _not_broken(self) -> SecurityBlock:
        if (self.policy in OUTDATED) is not self.outdated_policy:
            broken = (
                f"policy: {self.policy} can be broken; choose Basic256Sha256,"
                " or write outdated_policy: true if the server knows nothing better"
            )
            needless = f"outdated_policy: is not needed for {self.policy}; leave it out"
            raise ValueError(broken if self.policy in OUTDATED else needless)
        return self


_YEARS = 5


def make_certificate(folder: Path, name: str, now: datetime) -> tuple[Path, Path, str]:
    """(certificate, key, thumbprint) of this hub, self-signed and good for five years (part 6, clause 6.2.2).

    `name` is the hub's in its application URI. Raises ConfigError rather than replace one that servers trust.
    """
    certificate, key = folder / "opcua.der", folder / "opcua.pem"
    if taken := next((p for p in (certificate, key) if p.exists()), None):
        raise ConfigError(
            f"{taken} is there already and servers may trust it; name another folder with --into"
        )
    folder.mkdir(parents=True, exist_ok=True)
    secret = rsa.generate_private_key(public_exponent=65537, key_size=2048)
    made = _signed(secret, f"urn:andon-hub:{name}", now)
    private = secret.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, serialization.NoEncryption())
    for path, mode, content in (
        (key, 0o600, private),
        (certificate, 0o644, made.public_bytes(Encoding.DER)),
    ):
        with os.fdopen(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, mode), "wb") as file:
            file.write(content)
    return certificate, key, thumbprint(made)


def _signed(secret: rsa.RSAPrivateKey, uri: str, now: datetime) -> x509.Certificate:
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "Andon Hub")])
    usage = x509.KeyUsage(
        digital_signature=True, content_commitment=True, key_encipherment=True, data_encipherment=True,
        key_agreement=False, key_cert_sign=True, crl_sign=False, encipher_only=False, decipher_only=False,
    )  # fmt: skip
    names = [x509.UniformResourceIdentifier(uri), x509.DNSName(socket.gethostname())]
    public = secret.public_key()
    return (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(public)
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - timedelta(days=1))
        .not_valid_after(now + timedelta(days=365 * _YEARS))
        .add_extension(x509.SubjectAlternativeName(names), critical=False)
        .add_extension(x509.BasicConstraints(ca=False, path_length=None), critical=True)
        .add_extension(usage, critical=True)
        .add_extension(x509.ExtendedKeyUsage([ExtendedKeyUsageOID.CLIENT_AUTH]), critical=False)
        .add_extension(x509.SubjectKeyIdentifier.from_public_key(public), critical=False)
        .sign(secret, hashes.SHA256())
    )


def read_certificate(path: Path) -> x509.Certificate:
    """Raises SourceRefused with the remedy."""
    try:
        return _certificate(path.read_bytes())
    except OSError as cause:
        raise SourceRefused(f"certificate {path} cannot be read ({cause.strerror})") from None
    except ValueError:
        raise SourceRefused(f"{path} is no certificate; give X.509 as .pem or .der") from None


def read_key(path: Path, password: SecretStr | None, certificate: x509.Certificate) -> rsa.RSAPrivateKey:
    """The private key of this certificate; raises SourceRefused with the remedy."""
    secret = password.get_secret_value().encode() if password else None
    try:
        data = path.read_bytes()
        read = load_pem_private_key if data.lstrip().startswith(b"-----BEGIN") else load_der_private_key
        key = read(data, secret)
    except OSError as cause:
        raise SourceRefused(f"key {path} cannot be read ({cause.strerror})") from None
    except (TypeError, ValueError, UnsupportedAlgorithm):
        wish = "is its password right?" if password else "one that is protected wants its password, too"
        raise SourceRefused(f"{path} is no private key that can be read as .pem or .der; {wish}") from None
    if not isinstance(key, rsa.RSAPrivateKey) or key.public_key() != certificate.public_key():
        raise SourceRefused(f"{path} is not the RSA key of the certificate beside it; give the two together")
    return key


def _certificate(data: bytes) -> x509.Certificate:
    if data.lstrip().startswith(b"-----BEGIN"):
        return x509.load_pem_x509_certificate(data)
    return x509.load_der_x509_certificate(data)


def thumbprint(certificate: x509.Certificate) -> str:
    """SHA-1 in hex, as OPC UA (part 6, clause 6.2.2) and the servers' own screens show it."""
    return certificate.fingerprint(hashes.SHA1()).hex().upper()  # noqa: S303  named by the standard


def application_uri(certificate: x509.Certificate) -> str:
    """The URI the certificate was issued for; "" when it names none."""
    try:
        names = certificate.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
    except x509.ExtensionNotFound:
        return ""
    return next(iter(names.get_values_for_type(x509.UniformResourceIdentifier)), "")


def expiry(certificate: x509.Certificate, now: datetime, *, of_user: bool = False) -> str:
    """A complaint from thirty days before the end on; "" before that."""
    left = certificate.not_valid_after_utc - now
    if left >= _WARN_AHEAD:
        return ""
    if of_user:
        return f"our user certificate ends in {left.days} days; renew it, let the server trust the new one"
    return (
        f"our OPC UA certificate ends in {left.days} days; renew it (andon certificate), let servers trust it"
    )


@dataclass(frozen=True, slots=True)
class TrustFolder:
    """What a folder held when it was read."""

    trusted: tuple[x509.Certificate, ...]
    revocations: tuple[x509.CertificateRevocationList, ...]
    where: Path

    @classmethod
    def read(cls, folder: Path) -> TrustFolder:
        """Raises SourceRefused when the folder is missing or holds a file that cannot be used."""
        if not folder.is_dir():
            raise SourceRefused(f"trust_folder: {folder} is no folder; make it and put certificates in")
        certificates = tuple(read_certificate(path) for path in _files(folder))
        return cls(certificates, tuple(_revocations(folder / "crl")), folder)

    @property
    def only(self) -> Path | None:
        """The one certificate there is, when it is one."""
        files = _files(self.where)
        return files[0] if len(files) == 1 else None

    def knows(self, server: x509.Certificate) -> bool:
        """It is one of ours, whether still good or not: nobody else tells us when to wake people."""
        return server in self.trusted or any(_issued(server, c) for c in self.trusted)

    def check(self, server: x509.Certificate, uri: str, now: datetime) -> None:
        """Raise SourceRefused unless this is a server we trust, now, under the name it gives itself."""
        shown = f"server certificate {thumbprint(server)} ({server.subject.rfc4514_string()})"
        issuers = [c for c in self.trusted if _issued(server, c)]
        if server not in self.trusted and not issuers:
            offered = _kept(server, self.where / "rejected")
            raise SourceRefused(
                f"{shown} is not trusted; compare its thumbprint with the server's own screen and, when it is"
                f" the same, {f'move {offered}' if offered else 'put the certificate'} into {self.where}"
            )
        if not server.not_valid_before_utc <= now <= server.not_valid_after_utc:
            raise SourceRefused(
                f"{shown} is valid from {server.not_valid_before_utc:%Y-%m-%d} to"
                f" {server.not_valid_after_utc:%Y-%m-%d} only; renew it on the server or correct the clock"
            )
        if any(not i.not_valid_before_utc <= now <= i.not_valid_after_utc for i in issuers):
            raise SourceRefused(f"{shown}: its authority's certificate has expired; renew it")
        if application_uri(server) != uri or not uri:
            raise SourceRefused(
                f"{shown} was issued for {application_uri(server)!r}, but the server calls itself {uri!r};"
                " correct the application URI on the server"
            )
        if self._revoked(server, issuers):
            raise SourceRefused(f"{shown} has been revoked; the server needs a new one")

    def _revoked(self, server: x509.Certificate, issuers: Iterable[x509.Certificate]) -> bool:
        keys = [i.public_key() for i in issuers]
        if server.issuer == server.subject:
            keys.append(server.public_key())
        for known in self.revocations:
            signed = any(known.is_signature_valid(k) for k in keys)  # type: ignore[arg-type]
            if signed and known.get_revoked_certificate_by_serial_number(server.serial_number):
                return True
        return False


def _kept(offered: x509.Certificate, folder: Path) -> Path | None:
    """Where a person finds the certificate that a stranger showed; None where it cannot be kept."""
    place = folder / f"{thumbprint(offered)}.der"
    with contextlib.suppress(OSError):  # a trust folder that we may only read
        folder.mkdir(exist_ok=True)
        if place.exists():
            return place
        if len(_files(folder)) < _MOST_REJECTED:
            with place.open("wb") as file:
                file.write(offered.public_bytes(Encoding.DER))
            return place
    return None


def _files(folder: Path) -> list[Path]:
    return sorted(p for p in folder.iterdir() if p.suffix.lower() in (".der", ".pem", ".crt", ".cer"))


def _revocations(folder: Path) -> Iterable[x509.CertificateRevocationList]:
    if not folder.is_dir():
        return
    for path in sorted(p for p in folder.iterdir() if p.is_file() and not p.name.startswith(".")):
        data = path.read_bytes()
        try:
            if data.lstrip().startswith(b"-----BEGIN"):
                yield x509.load_pem_x509_crl(data)
            else:
                yield x509.load_der_x509_crl(data)
        except ValueError:  # to go on without it would let a revoked server in
            raise SourceRefused(f"{path} is no revocation list; replace it or take it away") from None


def _issued(server: x509.Certificate, authority: x509.Certificate) -> bool:
    try:
        basic = authority.extensions.get_extension_for_class(x509.BasicConstraints).value
        if not basic.ca:
            return False
        server.verify_directly_issued_by(authority)
    except (x509.ExtensionNotFound, ValueError, TypeError, InvalidSignature):
        return False
    return True
