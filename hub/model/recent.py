"""What a source took lately, in a form that outlives the process: by it a repeat is known for one."""

from __future__ import annotations

from typing import NamedTuple


class Recent(NamedTuple):
    """Only the source itself knows what the bytes mean. They are kept where its samples are kept, at the
    same moment: what is on the disk is remembered, and what is remembered is on the disk."""

    readings: bytes = b""  # of these samples: added to what is remembered, the oldest goes
    under_way: bytes = b""  # of messages that nobody has confirmed yet: takes the place of what was there
    standing: bytes = b""  # of readings however old they are: takes the place of what was there, unless empty
