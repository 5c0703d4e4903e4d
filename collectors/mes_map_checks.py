"""What the configuration of a table may not say, for no record could be taken by it (pure)."""

from __future__ import annotations

import difflib
import re
from collections.abc import Iterator, Mapping
from typing import Any
from zoneinfo import ZoneInfo

from pydantic import BaseModel, ValidationError, create_model

from collectors.mes_events import MODELS, JobIn
from collectors.mes_faults import faults_of
from collectors.mes_moments import moment
from hub.config import WordsBlock

_TIMES = ("at", "due_at")
_OF_JOB = "job."


def unfit(
    kind: str, constants: Mapping[str, Any], words: Mapping[str, Mapping[str, Any]], *, by_hand: bool
) -> list[str]:
    """Constants, and our words for theirs, that no event of this kind could hold."""
    told = [_told(kind, n, value, f"constants.{n}", by_hand) for n, value in constants.items()]
    told += [
        _told(kind, n, ours, f"words.{n}.{theirs}", by_hand)
        for n, known in words.items()
        for theirs, ours in known.items()
    ]
    return [t for t in told if t]


def shared(fields: Mapping[str, str]) -> Iterator[str]:
    """Fields of one thing that come from one column; an order and its operation may well share theirs."""
    by_column: dict[tuple[bool, str], list[str]] = {}
    for ours, column in fields.items():
        by_column.setdefault((ours.startswith(_OF_JOB), column), []).append(ours)
    for (_, column), names in by_column.items():
        if len(names) > 1:
            yield f"{' and '.join(names)} both come from column {column}; is that meant?"


def of_reads(config: Any) -> list[str]:
    """Of each of a source's reads, what may not be meant."""
    return [
        f"reads[{i}].fields: {note}" for i, read in enumerate(config.reads) for note in shared(read.fields)
    ]


def _told(kind: str, name: str, value: Any, where: str, by_hand: bool) -> str:
    """What is wrong with it; "" where nothing is. What is empty is left out of an event."""
    model, field = _field(kind, name)
    if value is None or value == "" or field not in model.model_fields:
        return ""
    wanted: Any = {field: (model.model_fields[field].annotation, model.model_fields[field])}
    asked: Any = create_model("Asked", **wanted)
    try:
        asked.model_validate({field: moment(value, ZoneInfo("UTC"), by_hand) if name in _TIMES else value})
    except ValidationError as cause:
        said = faults_of(cause)[0].text.en
        near = difflib.get_close_matches(str(value), re.findall(r"\w+", said.partition(" one of ")[2]), 1)
        return f"{where}: {value!r} {said}" + (f"; did you mean {near[0]!r}?" if near else "")
    return ""


def _field(kind: str, name: str) -> tuple[type[BaseModel], str]:
    """Where a field of this name stands: in the event, in its operation, in one language of a name."""
    model: type[BaseModel] = MODELS[kind]
    if name.startswith(_OF_JOB):
        model, name = JobIn, name.removeprefix(_OF_JOB)
    *_, last = name.split(".")
    return (WordsBlock, last) if "." in name else (model, name)
