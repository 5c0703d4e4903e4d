"""A look at a tenant that changes nothing: can we log in, is every form and every field there?"""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from erp_bridge.fieldmap import asked
from erp_bridge.kingdee_answers import KingdeeTrouble
from erp_bridge.kingdee_client import KingdeeClient
from erp_bridge.kingdee_kinds import Kind, column, columns_of
from erp_bridge.kingdee_maps import DOCUMENTS, NEEDED
from erp_bridge.kingdee_postings import Postings
from hub.errors import ErpRefused


async def probed(
    client: KingdeeClient, kinds: Iterable[Kind], postings: Iterable[Postings]
) -> dict[str, str]:
    """Raises ErpUnavailable when nobody answers or nobody is let in."""
    found: dict[str, str] = {}
    for kind in kinds:
        found[kind.name] = await _looked_at(client, kind)
    for posting in postings:
        if posting.way.source:
            said = await _fields(client, posting.way.source, posting.source_columns(), frozenset())
            found[f"{posting.name}.source"] = said
    return found


async def _looked_at(client: KingdeeClient, kind: Kind) -> str:
    needed = columns_of(kind, NEEDED.get(kind.name, frozenset()))
    standard = (
        frozenset(asked(DOCUMENTS[kind.name])) - needed
    )  # a column that the site has asked for is needed
    written = [column(field) for field, text in kind.block.write.items() if text]
    return await _fields(
        client, kind.form, list(dict.fromkeys([*kind.columns, *written])), standard | kind.extras
    )


async def _fields(client: KingdeeClient, form: str, keys: Sequence[str], optional: frozenset[str]) -> str:
    """All fields at once; one by one when the server does not know all of them."""
    if await _complaint(client, form, keys) is None:
        return f"{form}: {len(keys)} fields"
    whole = await _complaint(client, form, ["FDocumentStatus"])
    if whole is not None:
        return f"✗ {form}: {whole}"
    bad = [key for key in keys if await _complaint(client, form, [key]) is not None]
    missing = [key for key in bad if key not in optional]
    if missing:
        return f"✗ {form} has no {', '.join(missing)}"
    return f"{form}: {len(keys) - len(bad)} fields" + (f", without {', '.join(bad)}" if bad else "")


async def _complaint(client: KingdeeClient, form: str, keys: Sequence[str]) -> str | None:
    try:
        await client.query(form, keys, "", "", most=1)
    except (ErpRefused, KingdeeTrouble) as refusal:
        return str(refusal)
    return None
