"""Which passwords are good enough, and how the first ones come about."""

from __future__ import annotations

import json
import stat
from itertools import product
from pathlib import Path

import pytest
from argon2 import PasswordHasher

from hub.api import passwords
from hub.api.auth import ensure_passwords
from hub.api.common_passwords import WORDS, is_common
from hub.api.passwords import complaint, hashed, matches, outdated, readable
from hub.model.people import Person, Role
from hub.model.words import Words
from tests.api_house import MemoryPeople

pytestmark = pytest.mark.anyio


@pytest.fixture
def quick_hashes(monkeypatch: pytest.MonkeyPatch) -> None:
    """Where only the course of things matters: argon2 as it is shipped takes a tenth of a second."""
    monkeypatch.setattr(passwords, "_hasher", PasswordHasher(time_cost=1, memory_cost=8, parallelism=1))


WANG = Person("wangxiu", Words("王秀", "Wang Xiu"), frozenset({Role.OPERATOR}), ("p1",), phone="13812345678")


@pytest.mark.parametrize(
    "guess",
    [
        "password", "Password1", "P@ssw0rd", "passw0rd!", "Pa55word", "12345678", "87654321",
        "11111111", "aaaaaaaa", "abababab", "abc12345", "abcd1234", "qwertyui", "Qwerty123",
        "1qaz2wsx", "1qaz@WSX", "!QAZ2wsx", "asdfghjkl", "zxcvbnm123", "147258369", "5201314520",
        "woaini1314", "woaini520", "iloveyou", "a1234567", "aa123456", "123456aa", "zhang123",
        "wang123456", "liu19850312", "19850312", "1985-03-12", "13812345678", "zhangwei88",
        "Admin@123", "admin888", "root1234", "andon2026", "Andon@2026", "siemens1", "factory!",
        "beijing2008", "xiaoming1", "wangxiu1", "WangXiu2026", "ａｂｃ１２３４５", "letmein!!", "q1w2e3r4",
        "mima1234",
    ],
)  # fmt: skip
def test_what_is_guessed_first_is_no_password(guess: str) -> None:
    assert complaint(guess, WANG) is not None


@pytest.mark.parametrize("name", ["technician-1", "8-24-7-9-31", "line2-op"])
def test_ones_own_login_name_is_no_password(name: str) -> None:
    assert is_common(name, (name,))
    assert is_common(name.upper(), (name,))


@pytest.mark.parametrize(
    "good",
    [
        "kalu-meri-tosu-4827",
        "Tief-blauer-Kran-7",
        "correct horse battery",
        "三号线的油温很高呀",
        "vT9#xq2Lm!",
        "7#9$2k!4&8*q",
    ],
)
def test_a_password_that_takes_guessing_is_taken(good: str) -> None:
    assert complaint(good, WANG) is None


def test_the_rules_stand_for_more_than_three_thousand_common_ones() -> None:
    tails = ("", "1", "12", "123", "1234", "12345678", "520", "1314", "666", "888", "2026", "!", "@123")
    guesses = {word + tail for word, tail in product(WORDS, tails) if len(word + tail) >= 8}
    assert len(guesses) > 3000
    assert [g for g in guesses if not is_common(g)] == []


@pytest.mark.parametrize(("length", "fine"), [(7, False), (8, True), (128, True), (129, False)])
def test_a_password_has_8_to_128_characters(length: int, fine: bool) -> None:
    text = ("vT9#xq2Lm!-" * 12)[:length]
    assert (complaint(text, WANG) is None) is fine


async def test_a_hash_is_argon2id_and_fits_its_password_alone() -> None:
    stored = await hashed("Tief-blauer-Kran-7")
    assert stored.startswith("$argon2id$")
    assert await matches(stored, "Tief-blauer-Kran-7")
    assert not await matches(stored, "Tief-blauer-Kran-8")
    assert not await matches(None, "Tief-blauer-Kran-7")
    assert not await matches("not a hash", "Tief-blauer-Kran-7")


@pytest.mark.usefixtures("quick_hashes")
async def test_full_width_letters_of_an_input_method_are_the_same_keys() -> None:
    assert await matches(await hashed("Tief-blauer-Kran-7"), "Ｔｉｅｆ-blauer-Kran-７")


async def test_nobody_is_verified_with_the_same_effort_as_somebody(monkeypatch: pytest.MonkeyPatch) -> None:
    checked = []

    def verify(stored: str, _: str) -> bool:
        checked.append(PasswordHasher().check_needs_rehash(stored))
        return False

    monkeypatch.setattr(passwords, "_verify", verify)
    await matches(None, "Tief-blauer-Kran-7")
    await matches(await hashed("x"), "Tief-blauer-Kran-7")
    assert checked == [False, False]


def test_a_hash_of_weaker_times_is_outdated() -> None:
    assert outdated(PasswordHasher(time_cost=1, memory_cost=8, parallelism=1).hash("x"))


def test_first_passwords_are_readable_and_differ() -> None:
    made = {readable() for _ in range(200)}
    assert len(made) == 200
    assert all(complaint(p, WANG) is None for p in made)


@pytest.mark.usefixtures("quick_hashes")
async def test_everybody_without_a_password_gets_one_and_the_next_start_can_tell_it_again(
    tmp_path: Path,
) -> None:
    store, file = MemoryPeople(), tmp_path / "first" / "passwords.json"
    li = Person("lilei", Words("李雷", "Li Lei"), frozenset({Role.TECHNICIAN}), ("p1",))
    await store.set_password("lilei", await hashed("his own, long since"))
    told = await ensure_passwords([WANG, li], store, file)
    assert set(told) == {"wangxiu"}
    assert await matches(store.passwords["wangxiu"], told["wangxiu"])
    assert told["wangxiu"] not in str(store.passwords)
    assert stat.S_IMODE(file.stat().st_mode) == 0o600
    assert await ensure_passwords([WANG, li], store, file) == told


@pytest.mark.usefixtures("quick_hashes")
async def test_a_password_that_was_changed_since_is_not_told(tmp_path: Path) -> None:
    store, file = MemoryPeople(), tmp_path / "passwords.json"
    await ensure_passwords([WANG], store, file)
    await store.set_password("wangxiu", await hashed("her own by now"))
    assert await ensure_passwords([WANG], store, file) == {}
    assert json.loads(file.read_text()) == {}


@pytest.mark.usefixtures("quick_hashes")
async def test_without_a_file_a_password_is_told_once_and_kept_nowhere() -> None:
    store = MemoryPeople()
    assert await ensure_passwords([WANG], store) != {}
    assert await ensure_passwords([WANG], store) == {}


@pytest.mark.usefixtures("quick_hashes")
async def test_a_damaged_file_does_not_stop_the_start(tmp_path: Path) -> None:
    file = tmp_path / "passwords.json"
    file.write_text("[1, 2")
    assert set(await ensure_passwords([WANG], MemoryPeople(), file)) == {"wangxiu"}
