"""Passwords: what is good enough, how they are kept (argon2id), and the first ones."""

from __future__ import annotations

import asyncio
import base64
import json
import os
import secrets
import unicodedata
from collections.abc import Iterable
from pathlib import Path

from argon2 import PasswordHasher
from argon2.exceptions import InvalidHashError, VerificationError
from argon2.low_level import ARGON2_VERSION

from hub.api.common_passwords import is_common
from hub.api.texts import LONGEST_PASSWORD as LONGEST
from hub.api.texts import SHORTEST_PASSWORD as SHORTEST
from hub.api.texts import TEXTS
from hub.model.people import Person
from hub.model.words import Words
from hub.ports import PeopleStore

_CONSONANTS, _VOWELS, _DIGITS = "bdfgkmnprstvz", "aeiou", "23456789"  # nothing that looks like something else
_hasher = PasswordHasher()  # argon2id with RFC 9106's second parameters: 64 MiB, three passes


def _nobodys() -> str:
    """What no password matches and what takes as long to compare as any: random bytes in place of a hash."""
    salt, digest = (
        base64.b64encode(secrets.token_bytes(size)).decode().rstrip("=")
        for size in (_hasher.salt_len, _hasher.hash_len)
    )
    costs = f"m={_hasher.memory_cost},t={_hasher.time_cost},p={_hasher.parallelism}"
    return f"$argon2id$v={ARGON2_VERSION}${costs}${salt}${digest}"


_NOBODY = _nobodys()


def normal(password: str) -> str:
    """An input method may have typed full-width letters: the same keys give the same password."""
    return unicodedata.normalize("NFKC", password)


def fault(password: str, person: Person) -> str:
    """What is wrong with a new password, as a code of hub.api.texts; "" when nothing is."""
    text = normal(password)
    if not SHORTEST <= len(text) <= LONGEST:
        return "password-length"
    if is_common(text, (person.id, person.name.en.replace(" ", ""), person.name.zh, person.phone)):
        return "password-common"
    return ""


def complaint(password: str, person: Person) -> Words | None:
    """The same in words, or None."""
    code = fault(password, person)
    return TEXTS[code] if code else None


async def hashed(password: str) -> str:
    return await asyncio.to_thread(_hasher.hash, normal(password))


async def matches(stored: str | None, password: str) -> bool:
    """Takes as long for a person who does not exist (`stored` None) as for one who does."""
    known = stored is not None
    text = normal(password)
    right = await asyncio.to_thread(_verify, stored if stored is not None else _NOBODY, text)
    return right and known and len(text) <= LONGEST


def outdated(stored: str) -> bool:
    """Kept with parameters of an earlier release: hash it anew at the next login."""
    return _hasher.check_needs_rehash(stored)


def _verify(stored: str, text: str) -> bool:
    try:
        return _hasher.verify(stored, text)
    except (VerificationError, InvalidHashError):
        return False


def readable() -> str:
    """`kalu-meri-tosu-4827`: about 48 bits, and somebody in gloves can type it."""
    words = (
        "".join(secrets.choice(_CONSONANTS) + secrets.choice(_VOWELS) for _ in range(2)) for _ in range(3)
    )
    return "-".join((*words, "".join(secrets.choice(_DIGITS) for _ in range(4))))


async def ensure_passwords(
    people: Iterable[Person], store: PeopleStore, file: Path | None = None
) -> dict[str, str]:
    """Give a password to everybody without one; person id -> password, for the caller to print.

    With `file` (made readable by its owner alone) the next start can print them again: what stands there and
    still is that person's password is returned too. Without it they are told once and never again.
    """
    before = await asyncio.to_thread(_read, file)
    have = await store.people_with_password()
    told: dict[str, str] = {}
    for person in people:
        if person.id not in have:
            told[person.id] = readable()
            await store.set_password(person.id, await hashed(told[person.id]))
        elif person.id in before and await matches(await store.password(person.id), before[person.id]):
            told[person.id] = before[person.id]
    if file is not None and told != before:
        await asyncio.to_thread(_write, file, told)
    return told


def _read(file: Path | None) -> dict[str, str]:
    if file is None or not file.exists():
        return {}
    try:
        found = json.loads(file.read_text(encoding="utf-8"))
    except ValueError:
        return {}
    return {str(k): str(v) for k, v in found.items()} if isinstance(found, dict) else {}


def _write(file: Path, told: dict[str, str]) -> None:
    file.parent.mkdir(parents=True, exist_ok=True)
    new = file.with_name(file.name + ".new")
    new.unlink(missing_ok=True)
    with os.fdopen(os.open(new, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w", encoding="utf-8") as out:
        json.dump(told, out, ensure_ascii=False, indent=1)
    new.replace(file)
