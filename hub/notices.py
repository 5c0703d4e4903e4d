"""What people have to hear that is no alarm: a rush order, a change on the floor, books that disagree."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from hub.model.alarm import Priority
from hub.model.intent import Intent, IntentKind
from hub.model.people import Person, Role
from hub.model.words import Words
from hub.ports import Plant


@dataclass(frozen=True, slots=True)
class Notices:
    """Writes the intents that tell people of one thing, one for each notifier in `notifiers`.

    `link` is where the message leads when a notice names no place of its own.
    """

    plant: Plant
    notifiers: tuple[str, ...] = ()
    link: str = ""

    def about(
        self,
        key: str,
        title: Words,
        *,
        where: Words,
        lines: Sequence[tuple[Words, Words]] = (),
        people: Iterable[Person] = (),
        priority: Priority = Priority.MEDIUM,
        link: str = "",
    ) -> list[Intent]:
        """`key` names the thing told: told twice under one key is told once. `title` is a sentence that
        stands alone in a lock-screen preview; `lines` are (label, text); `people` are called by the carriers
        that can."""
        payload = {
            "event": "notice",
            "where": where.as_dict(),
            "title": title.as_dict(),
            "priority": int(priority),
            "lines": [{"label": label.as_dict(), "text": text.as_dict()} for label, text in lines],
            "people": [called(person) for person in people],
            "link": link or self.link,
            "time_zone": self.plant.time_zone,
        }
        return [
            Intent(
                IntentKind.TELL, f"notice:{key}:{name}", f"notice:{name}:{key}",
                payload | {"notifier": name}, priority=priority,
            )
            for name in self.notifiers
        ]  # fmt: skip

    def holders(self, roles: Iterable[Role], node: str = "") -> list[Person]:
        """People with one of these roles who are responsible for this node of the plant tree ("": any)."""
        wanted = frozenset(roles)
        found = (p for p in self.plant.people.values() if p.roles & wanted)
        return sorted((p for p in found if not node or p.may_see(node)), key=lambda p: p.id)


def called(person: Person) -> dict[str, object]:
    """A person as a message's payload names them: with the ids by which carriers make a phone ring."""
    return {
        "id": person.id,
        "name": person.name.as_dict(),
        "phone": person.phone,
        "wecom_id": person.wecom_id,
        "dingtalk_id": person.dingtalk_id,
    }
