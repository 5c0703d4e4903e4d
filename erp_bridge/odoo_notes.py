"""Notes in a document's chatter, each once: found again by its words."""

from __future__ import annotations

import html
import logging
from collections.abc import Sequence
from typing import Any

from erp_bridge.odoo_answers import ACCESS, NOT_FOUND, OdooRefused
from erp_bridge.odoo_records import Records
from erp_bridge.odoo_values import Row, spaced, stamp, words

log = logging.getLogger(__name__)

ESCAPES_SINCE = 17  # from here on Odoo takes a text as a text; before, as HTML
MODEL = "mail.message"


class Notes:
    def __init__(self, records: Records) -> None:
        self._records = records

    async def add(self, model: str, record: int, text: str) -> None:
        """Unless a note with these words is there."""
        if await self._there(model, record, text):
            return
        await self._records.client.meet()
        body = text if self._records.client.release[0] >= ESCAPES_SINCE else html.escape(text, quote=False)
        await self._records.client.write(
            model, "message_post", [record], body=body, message_type="comment", subtype_xmlid="mail.mt_note"
        )

    async def _there(self, model: str, record: int, text: str) -> bool:
        try:
            rows = await self._records.search(
                MODEL, [["model", "=", model], ["res_id", "=", record]], ["body", "model", "res_id"],
                most=200, newest=True,
            )  # fmt: skip
        except OdooRefused as refusal:
            if refusal.name not in (ACCESS, NOT_FOUND):
                raise
            log.info("notes cannot be read, a repeated one would stand there twice: %s", refusal)
            return False
        here = [row for row in rows if (row.get("model"), row.get("res_id")) == (model, record)]
        return spaced(text) in [words(row["body"]) for row in here]

    async def marked(self, model: str, marker: str, records: Sequence[int] | None) -> list[Row]:
        """Notes that begin with the marker: on these records, or on any within `look_back`."""
        since = self._records.clock.now() - self._records.config.look_back
        where: list[Any] = (
            [["res_id", "in", list(records)]] if records is not None else [["date", ">=", stamp(since)]]
        )
        domain = [["model", "=", model], *where, ["body", "ilike", _fit(marker)]]
        rows = await self._records.search(MODEL, domain, ["body", "model", "res_id", "date"])
        here = [r for r in rows if records is None or r.get("res_id") in records]
        kept = [
            row
            for row in here
            if row.get("model") == model and f"{words(row['body'])} ".startswith(f"{marker} ")
        ]
        if not kept:
            self._records.all_say(MODEL, "body", marker, rows)
        return kept


def _fit(marker: str) -> str:
    return html.escape(marker, quote=False).replace("\\", "_").replace("%", "_")
