"""Answers that are not the ERP's own: a maintenance page, a portal's log-on, a firewall's refusal (pure).

They say nothing of the document that was sent. Nothing is given up for them: it waits until the ERP is back.
"""

from __future__ import annotations

from datetime import timedelta

import httpx

AWAY_PAUSE = timedelta(minutes=1)
CREDENTIALS_PAUSE = timedelta(
    minutes=5
)  # after a refused log-in: somebody has to mend it, and locks are near


def is_page(reply: httpx.Response) -> bool:
    """For people, not for programs."""
    kind = reply.headers.get("Content-Type", "").lower()
    return "html" in kind or reply.text.lstrip()[:14].lower().startswith(("<!doctype html", "<html"))


LONGEST_PAUSE = timedelta(days=1)


def asked_pause(reply: httpx.Response) -> timedelta | None:
    """What `Retry-After` asks for in seconds, a day at the most; None for a date or for what is none."""
    asked = reply.headers.get("Retry-After", "").strip()
    if not (asked.isascii() and asked.isdigit() and int(asked[:9])):
        return None
    return min(timedelta(seconds=int(asked[:9])), LONGEST_PAUSE)
