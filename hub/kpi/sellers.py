"""Whose customer it is (pure)."""

from __future__ import annotations

from collections.abc import Mapping

from hub.model.people import Person


def seller_of(said: str, customer: str, people: Mapping[str, Person], by_customer: Mapping[str, str]) -> str:
    """The person's id: of whom the ERP names as the seller (`erp_id`, login name or name, when it is one
    person's alone), else of whom the configuration names for the customer; "" for nobody known."""
    return _named(said, people) or by_customer.get(customer, "")


def _named(said: str, people: Mapping[str, Person]) -> str:
    if not said:
        return ""
    for names in (_erp_ids, _logins, _names):
        found = [person.id for person in people.values() if said in names(person)]
        if len(found) == 1:
            return found[0]
    return ""


def _erp_ids(person: Person) -> tuple[str, ...]:
    return (person.erp_id,)


def _logins(person: Person) -> tuple[str, ...]:
    return (person.id,)


def _names(person: Person) -> tuple[str, ...]:
    return person.name.zh, person.name.en
