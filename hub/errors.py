"""Errors, named after what the caller does next.

AndonError
├── ConfigError                    refuse to start; names the YAML path and the remedy
├── Refused                        a person asked for what cannot be: tell them why (HTTP 4xx)
│   ├── NotAllowed                 403
│   ├── NotFound                   404
│   └── Conflict                   409: somebody was faster, or the state forbids it
├── Transient                      try again later (`retry_after`)
│   ├── RecordAway                 the database does not answer
│   │   └── Undone                 two met at the same rows: it has not happened, try at once
│   ├── SourceUnavailable          a collector lost its device
│   ├── DeliveryDeferred           a carrier is busy, limited or away
│   └── ErpUnavailable             the ERP is busy or away; `in_doubt` when it may have acted
└── Permanent                      tell a person
    ├── SourceRefused
    ├── DeliveryRefused
    └── ErpRefused
"""

from __future__ import annotations

from datetime import timedelta

from hub.model.words import Words


class AndonError(Exception):
    """Root of what we raise on purpose. Texts never hold a secret."""


class ConfigError(AndonError):
    """The configuration cannot be used: every complaint has its YAML path."""

    def __init__(self, *complaints: str) -> None:
        self.complaints = complaints
        super().__init__("\n".join(complaints))


class Refused(AndonError):
    """A person's wish that cannot be met. `code` is a stable word for clients, the text is for people."""

    status = 400

    def __init__(self, code: str, text: str | Words) -> None:
        self.code = code
        self.words = text if isinstance(text, Words) else None  # where it is said in both languages
        super().__init__(text.en if isinstance(text, Words) else text)


class NotAllowed(Refused):
    status = 403


class NotFound(Refused):
    status = 404


class Conflict(Refused):
    status = 409


class Transient(AndonError):
    def __init__(self, text: str, retry_after: timedelta | None = None) -> None:
        self.retry_after = retry_after
        super().__init__(text)


class RecordAway(Transient):
    """Whether what was asked for has happened is not known: asking again is harmless by design."""


class Undone(RecordAway):
    """The database undid all of it, so that another could go on that held what this one waited for and waited
    for what it held."""


class SourceUnavailable(Transient):
    pass


class DeliveryDeferred(Transient):
    """`limited`: the carrier's rate limit, which does not use up an attempt. `in_doubt`: the carrier may have
    delivered it all the same; said again, it is marked as a repeat."""

    def __init__(
        self,
        text: str,
        retry_after: timedelta | None = None,
        *,
        limited: bool = False,
        in_doubt: bool = False,
    ) -> None:
        self.limited = limited
        self.in_doubt = in_doubt
        super().__init__(text, retry_after)


class ErpUnavailable(Transient):
    """`in_doubt`: the ERP may have acted on what we sent; look before doing it again."""

    def __init__(self, text: str, retry_after: timedelta | None = None, *, in_doubt: bool = False) -> None:
        self.in_doubt = in_doubt
        super().__init__(text, retry_after)


class Permanent(AndonError):
    pass


class SourceRefused(Permanent):
    pass


class DeliveryRefused(Permanent):
    pass


class ErpRefused(Permanent):
    pass
