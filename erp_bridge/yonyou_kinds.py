"""One of our documents at one of their interfaces: what is written, what is read, how it is found again."""

from __future__ import annotations

import base64
import hashlib
import logging
import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from erp_bridge import as_read
from erp_bridge.fieldmap import FieldMap, MapBlock, compiled
from erp_bridge.yonyou_answers import NO_ROUTE, U9Refusal, named, rows_in, text
from erp_bridge.yonyou_config import ServiceBlock, YonyouConfig
from erp_bridge.yonyou_list_maps import ENTITIES
from erp_bridge.yonyou_maps import DOCUMENTS, PREFIXES, SERVICE_OF, SERVICES
from hub.errors import ConfigError

log = logging.getLogger(__name__)

PLAIN = re.compile(r"^[0-9A-Za-z_\-./]{1,40}$")  # what may stand in SQL text and in a document's number
_ONE_CASE = re.compile(r"^(?:[^a-z]*|[^A-Z]*)$")
_NUMBERS = ("DocNo", "OperationNum", "DocLineNo", "SrcDocNo", "Code", "ItemInfo_ItemCode", "OtherID", "ID")
_SEGMENT = re.compile(r"^DescFlexField\.((?:Private|Pub)DescSeg\d+)$")


def reference(name: str, key: str) -> str:
    """What U9 keeps of our key: told apart by kind, a digest where the key is not plain. Its database does
    not tell a from A, so a key that mixes them is not plain either."""
    if not (PLAIN.match(key) and _ONE_CASE.match(key)):
        key = "AH-" + base64.b32encode(hashlib.sha256(key.encode()).digest()).decode()[:24]
    return PREFIXES.get(name, "") + key


@dataclass(frozen=True, slots=True)
class Kind:
    name: str
    block: MapBlock
    map: FieldMap
    own: frozenset[str]  # fields that the site itself has asked for

    @property
    def by_number(self) -> bool:
        """Whether the document's number is ours."""
        return self.block.write.get("DocNo", "").strip() == "reference"

    @property
    def segment(self) -> str:
        """The custom field that carries our number; "" for none."""
        found = (_SEGMENT.match(n) for n, text in self.block.write.items() if text.strip() == "reference")
        return next((m[1] for m in found if m), "")

    def read(self, record: Mapping[str, Any], of: str = "") -> dict[str, Any] | None:
        """In our fields, by input names; one that cannot be read must not hide the others. `of`: the document
        that it is a part of."""
        return self.read_plain(named(record), of)

    def read_plain(self, record: Mapping[str, Any], of: str = "") -> dict[str, Any] | None:
        return as_read.read(self.name, " ".join(filter(None, (of, number_of(record)))), self.map, record)


def number_of(record: Mapping[str, Any]) -> str:
    """What a clerk finds it by; columns of a list lie below their alias."""
    inner = [v for v in record.values() if isinstance(v, Mapping)]
    told = (text(one.get(name)) for name in _NUMBERS for one in (record, *inner))
    return next(filter(None, told), "?")


def kind_of(config: YonyouConfig, name: str) -> Kind:
    """Raises ConfigError with every expression that cannot be read."""
    base = ENTITIES.get(name, DOCUMENTS[name]) if config.reads == "entity" else DOCUMENTS[name]
    site = config.documents.get(name)  # type: ignore[call-overload]
    block: MapBlock = site.over(base) if site else base
    if name in ("operation", "order"):
        tables = {**block.tables, "work_centers": dict(config.work_centers)}
        block = block.model_copy(update={"tables": tables})
    where = f"erp.with.documents.{name}"
    kind = Kind(name, block, compiled(block, config.zone, where), frozenset(site.write if site else ()))
    findable = kind.by_number or kind.segment
    if name in SERVICE_OF and name not in ("ticket", "hours") and not findable:
        raise ConfigError(
            f"{where}.write: nothing carries `reference`, our number: write it into DocNo or into a"
            " DescFlexField.PrivateDescSeg1..30"
        )
    return kind


@dataclass(frozen=True, slots=True)
class Service:
    """Paths below webapi/, and how rows are put into a body and taken from an answer."""

    name: str
    block: ServiceBlock
    guessed: bool  # whether approve_body is ours and not the site's
    _shape: FieldMap
    _answer: FieldMap

    def path(self, action: str) -> str:
        return str(getattr(self.block, action) or "")

    def body(self, action: str, rows: list[Any]) -> Any:
        name = "approve_body" if action == "approve" and self.block.approve_body else "body"
        made = self._shape.written({"action": action, "rows": rows})
        return made.get(name, rows)

    def rows(self, data: Any) -> list[dict[str, Any]]:
        return rows_in(self.answered(data), self.path("query"))

    def absent(self, refusal: U9Refusal, document: str) -> U9Refusal:
        """What a person does where this site has no such interface, or it is called otherwise."""
        if refusal.code != NO_ROUTE:
            return refusal
        told = f"{refusal}; name the site's interface for documents.{document} in services.{self.name}"
        return U9Refusal(told, NO_ROUTE, refusal.said)

    def answered(self, data: Any) -> Any:
        return self._answer.read({"Data": data}).get("rows") if self.block.answer else data


def service_of(config: YonyouConfig, name: str) -> Service:
    site = config.services.get(name)  # type: ignore[call-overload]
    block: ServiceBlock = site.over(SERVICES[name]) if site else SERVICES[name]
    where = f"erp.with.services.{name}"
    shape = {n: text for n in ("body", "approve_body") if (text := getattr(block, n))}
    answer = f"Data.{block.answer}" if block.answer else "Data"
    return Service(
        name,
        block,
        bool(block.approve_body) and not (site and site.approve_body),
        compiled(MapBlock(write=shape), config.zone, where),
        compiled(MapBlock(read={"rows": answer}), config.zone, where),
    )


def known(config: YonyouConfig, fields: Mapping[str, Any], **more: Any) -> dict[str, Any]:
    """Our fields with those that a map may also want."""
    employee = config.employees.get(str(fields.get("person") or ""))
    return {**fields, "org": config.org_code, "employee": employee, **more}
