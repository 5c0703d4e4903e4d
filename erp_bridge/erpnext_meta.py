"""What a site says of its DocTypes: their fields, with those that it has added, and their labels."""

from __future__ import annotations

import logging
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, TypeVar

from erp_bridge.erpnext_answers import ErpNextTrouble
from erp_bridge.erpnext_client import ErpNextClient, Row
from hub.errors import ErpRefused
from hub.ports import Clock

log = logging.getLogger(__name__)

Answer = TypeVar("Answer")
STANDARD = frozenset({"name", "owner", "creation", "modified", "modified_by", "docstatus", "idx", "parent"})
_MEMORY = 300.0  # seconds that what a DocType looks like is believed


@dataclass(frozen=True, slots=True)
class Meta:
    """Fields of a DocType by name. `whole`: with those that the site has added. `captions`: their labels in
    the language of our user, where the site gives them."""

    fields: Mapping[str, Row] = field(default_factory=dict)
    whole: bool = False
    captions: Mapping[str, str] = field(default_factory=dict)

    def lacks(self, name: str) -> bool:
        """For certain: a field we could not be told of may be there."""
        if name in STANDARD or name in self.fields or not self.fields:
            return False
        return self.whole or not name.startswith("custom_")


class Metas:
    """`listed`: how documents are listed, for the site's own fields."""

    def __init__(
        self, client: ErpNextClient, clock: Clock, listed: Callable[..., Awaitable[list[Row]]]
    ) -> None:
        self._client = client
        self._clock = clock
        self._listed = listed
        self._known: dict[str, tuple[float, Meta]] = {}

    async def of(self, doctype: str) -> Meta:
        """Nothing known where this user may not ask: then every field is believed to be there."""
        at, known = self._known.get(doctype, (-_MEMORY, Meta()))
        now = self._clock.monotonic()
        if now - at < _MEMORY:
            return known
        meta = await self._form_meta(doctype) or await self._document_meta(doctype) or Meta()
        self._known[doctype] = now, meta
        return meta

    def forget(self) -> None:
        """What a DocType looks like is asked for again."""
        self._known.clear()

    async def _form_meta(self, doctype: str) -> Meta | None:
        """As the form is told, with the site's own fields."""
        method = "frappe.desk.form.load.getdoctype"
        body = await if_allowed(self._client.ask(method, {"doctype": doctype})) or {}
        message = body.get("message")
        docs = body.get("docs") or (message.get("docs") if isinstance(message, dict) else None)
        found = _one_of(docs, doctype)
        return Meta(_by_name(found.get("fields")), whole=True, captions=_captions(docs)) if found else None

    async def _document_meta(self, doctype: str) -> Meta | None:
        """As it was delivered, and the site's own fields where this user may see them."""
        found = await if_allowed(self._client.one("DocType", doctype))
        if not found:
            return None
        names = ["fieldname", "fieldtype", "options", "unique", "allow_on_submit", "label", "read_only"]
        own = await if_allowed(self._listed("Custom Field", [["dt", "=", doctype]], names))
        return Meta(_by_name(found.get("fields")) | _by_name(own), whole=own is not None)


async def if_allowed(asked_for: Awaitable[Answer]) -> Answer | None:
    try:
        return await asked_for
    except ErpRefused as refusal:
        log.debug("ERPNext does not tell us: %s", refusal)
    except ErpNextTrouble as trouble:
        if not trouble.of_this_call:
            raise
        log.debug("ERPNext cannot tell us: %s", trouble)
    return None


def _by_name(fields: Any) -> dict[str, Row]:
    rows = fields if isinstance(fields, list) else []
    return {str(f["fieldname"]): f for f in rows if isinstance(f, dict) and f.get("fieldname")}


def _one_of(docs: Any, doctype: str) -> Row:
    rows = docs if isinstance(docs, list) else []
    return next((d for d in rows if isinstance(d, dict) and d.get("name") == doctype), {})


def _captions(docs: Any) -> dict[str, str]:
    """Label -> label in the user's language, as the form is told (`__messages`)."""
    rows = docs if isinstance(docs, list) else []
    told = [d.get("__messages") for d in rows if isinstance(d, dict)]
    return {str(n): str(t) for one in told if isinstance(one, dict) for n, t in one.items() if t}
