"""What goes where between our fields and the ERP's, as versions that people save, activate and take back."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import Any

FROM_FILE = 0  # the version that the configuration file holds


class MappingState(StrEnum):
    SAVED = "saved"  # never used yet
    ACTIVE = "active"
    RETIRED = "retired"  # was active once


@dataclass(frozen=True, slots=True)
class MappingVersion:
    """`documents`: blocks of `erp.with.documents`. A document named here is wholly as it says, whatever the
    file says of it; every other document is the file's."""

    number: int
    kind: str  # of the connector: a block says nothing to another ERP
    documents: Mapping[str, Any]
    by: str
    at: datetime
    note: str
    state: MappingState = MappingState.SAVED
    activated_at: datetime | None = None
    activated_by: str = ""


@dataclass(frozen=True, slots=True)
class ErpField:
    """A field of one of the ERP's documents, as the ERP itself tells of it."""

    name: str
    title: str = ""  # as its clerks know it
    type: str = ""
    group: str = ""  # the entry it belongs to; "" in the head
    write: str = ""  # how a map names it when it is written; "" where that is not possible
    read: str = ""  # an expression that reads it


@dataclass(frozen=True, slots=True)
class Targets:
    """What one document's map writes. `fields`: each under its name, and under its title where known."""

    document: str
    meaning: str
    fields: Mapping[str, str]
