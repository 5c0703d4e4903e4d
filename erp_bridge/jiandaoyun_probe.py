"""A look at an app that changes nothing: are we let in, is every form and every field there?"""

from __future__ import annotations

from collections.abc import Iterable

from erp_bridge.fieldmap import asked
from erp_bridge.jiandaoyun_forms import Forms
from erp_bridge.jiandaoyun_maps import NEEDED
from erp_bridge.jiandaoyun_values import SYSTEM, UNWRITABLE
from hub.errors import ErpRefused


async def probed(forms: Forms, names: Iterable[str]) -> dict[str, str]:
    """Raises ErpUnavailable when nobody answers or nobody is let in. Forms are looked at anew."""
    forms.forget()
    return {name: await _looked_at(forms, name) for name in names}


async def _looked_at(forms: Forms, name: str) -> str:
    kind = forms.kinds[name]
    optional = name == "lot" and not kind.chosen
    try:
        form = await (forms.optional(name) if optional else forms.of(name))
    except ErpRefused as refusal:
        return f"✗ {refusal}"
    if form is None:
        return f"{kind.block.form}: not there, lots are not recorded apart"
    writing = [n for n, text in kind.block.write.items() if text]
    wanted = list(dict.fromkeys([*writing, *(n for n in asked(kind.block) if n not in SYSTEM)]))
    lost = set(form.layout.unknown(wanted))
    lost |= {n for n in writing if (w := form.layout.find(n)) is not None and w.type in UNWRITABLE}
    needed = NEEDED.get(name, frozenset()) & set(wanted) | kind.chosen | {kind.key}
    if wrong := [n for n in wanted if n in lost and n in needed]:
        return f"✗ {kind.block.form} ({form.entry_id}) has no writable {', '.join(wrong)}"
    rest = [n for n in wanted if n in lost]
    told = f"{kind.block.form} ({form.entry_id}): {len(wanted) - len(rest)} fields"
    return told + (f", without {', '.join(rest)}" if rest else "")
