"""Pushes from an ERP that has no scheme of its own: a plug-in, an event mesh or a middleware sends
`{"subject": "orders", "documents": ["MO1"]}`, signed after Standard Webhooks (hub.webhooks)."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Annotated, Any

from pydantic import AfterValidator, SecretStr

from hub.errors import Refused
from hub.model.erp import ErpNews, ErpPush, ErpSubject
from hub.ports import Clock
from hub.webhooks import body_of, too_weak, verified


def _strong(secrets: list[SecretStr]) -> list[SecretStr]:
    """Two at most: the second while one is being changed."""
    for weak in filter(None, map(too_weak, secrets)):
        raise ValueError(f"a secret {weak}")
    if len(secrets) > 2:
        raise ValueError("has more than two secrets; keep the new one and the one that is being replaced")
    return secrets


PushSecrets = Annotated[list[SecretStr], AfterValidator(_strong)]


class OwnPushes:
    def __init__(self, secrets: Sequence[SecretStr], clock: Clock) -> None:
        self._secrets, self._clock = secrets, clock

    def __bool__(self) -> bool:
        return bool(self._secrets)

    def news(self, push: ErpPush) -> ErpNews:
        """Raises NotAllowed or Refused, as hub.ports.ErpConnector.pushed."""
        about = verified(push, self._secrets, self._clock.now())
        return ErpNews(about, *_told(body_of(push)))


def _told(body: Any) -> tuple[ErpSubject, tuple[str, ...]]:
    said = body if isinstance(body, dict) else {}
    try:
        subject = ErpSubject(str(said.get("subject")))
    except ValueError:
        words = ", ".join(s.value for s in ErpSubject)
        raise Refused("unreadable-push", f"subject is none of {words}") from None
    documents = said.get("documents", [])
    if not isinstance(documents, list):
        raise Refused("unreadable-push", "documents is no list of numbers")
    return subject, tuple(str(one) for one in documents)
