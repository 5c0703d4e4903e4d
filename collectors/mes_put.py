"""What the record holds of files that were put away, and of those that were refused (pure)."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any

from collectors.mes_faults import Unreadable
from collectors.mes_folder import DONE
from collectors.mes_letters import Unfit
from hub.model.intake import Fault
from hub.model.words import Words


@dataclass(frozen=True, slots=True)
class Put:
    """A file as it was put away. Its writer may only have paused, and goes on in the moved file."""

    name: str
    size: int
    changed: int
    digest: str  # of these bytes
    first: str  # digest of what was put away first
    until: float  # seconds since 1970
    place: str = DONE
    held: float = 0.0  # until then its last row may go on; 0: nothing is held back
    last: Sequence[Mapping[str, Any]] | None = None  # that row; the file may be moved away before it is time
    dropped: str = ""  # its name in the folder; in done there may have been one of that name

    @property
    def where(self) -> tuple[str, str]:
        return self.place, self.name

    @property
    def called(self) -> str:
        """By this name it is told what it holds."""
        return self.dropped or self.name


def written(puts: Iterable[Put]) -> str:
    return json.dumps([asdict(p) for p in puts])


def read(mark: str) -> dict[tuple[str, str], Put]:
    found = [Put(**p) for p in json.loads(mark or "[]")]
    return {p.where: p for p in found}


GONE = Words(
    "文件已不在 failed 中；请重新放入文件夹，或搁置此条",
    "is no longer in failed; drop it into the folder once more, or put this aside",
)


def refusal(name: str, kept: str, digest: str, content: bytes, why: Unfit) -> dict[str, Any]:
    """What a refused file is among the rejects. `digest` names it, however often it is looked at."""
    begins = content[:400].decode("utf-8", "backslashreplace").lstrip("\ufeff").splitlines() or [""]
    words = why.words.as_dict()
    return {"refused": name, "digest": digest, "begins": begins[0][:200], "kept": kept, "why": words}


def refused(record: Mapping[str, Any]) -> Unreadable:
    why = record.get("why") or {}
    zh, en = str(why.get("zh", "")), str(why.get("en", ""))
    made = Unreadable(Fault("", Words(f"整个文件未收下：{zh}", f"the whole file was not taken: {en}")))
    made.kind, made.name = "file", str(record["refused"])
    return made
