"""A record that answers a look-up by our key and does not say its own: nobody can tell whether it is ours.

To call it absent would make a second document for each field that a site hides or renames; so it is an outage
that names the field, until somebody lets us read it. A record that says another key is left out, as ever.
"""

from __future__ import annotations

from hub.errors import ErpUnavailable


def unsaid(erp: str, record: object, field: str, key: str, place: str) -> ErpUnavailable:
    """`record`: how a clerk finds it; `place`: where the configuration speaks of it."""
    return ErpUnavailable(
        f"{erp} was asked for {key} and shows {record} without its {field}, so whether that is the one is"
        f" unknown: this user has no right to read {field}, or it was renamed; see {place}"
    )
