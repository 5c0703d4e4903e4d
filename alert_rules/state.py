"""Rules on discrete signals: machine states and fault codes. Pure."""

from __future__ import annotations

from pydantic import Field

from alert_rules.rule import Codes, Rule, RuleConfig, matching
from alert_rules.state_words import States
from hub.errors import ConfigError
from hub.model.equipment import Equipment
from hub.model.state_words import STATE_WORDS
from hub.model.words import Words
from hub.ports import Plant


def _machines(pattern: str, plant: Plant, where: str) -> list[Equipment]:
    paths = [m.path for m in plant.machines()]
    return [plant.equipment[p] for p in matching(pattern, paths, f"{where}.equipment")]


class StateRule(RuleConfig):
    """Alarm while a machine is in one of `states` for longer than `on_delay`."""

    equipment: str = Field(description="machine path; + stands for one level")
    states: States

    def expand(self, plant: Plant, where: str) -> list[Rule]:
        out = []
        wanted = set(self.states)
        for machine in _machines(self.equipment, plant, where):
            if not machine.state_tag:
                raise ConfigError(f"{where}.equipment: {machine.path} has no state: block; add one")
            codes = frozenset(c for c, s in machine.state_map.items() if s in wanted)
            if not codes:
                raise ConfigError(f"{where}.states: no code of {machine.path} means {', '.join(self.states)}")
            said = STATE_WORDS[self.states[0]]
            title = self.title.words() if self.title else Words(f"设备{said.zh}", f"Machine {said.en}")
            out.append(
                Rule(
                    self.name,
                    machine.path,
                    machine.path,
                    Codes(codes),
                    self.rank,
                    title,
                    plant.tags[machine.state_tag],
                    self.on_delay,
                    self.off_delay,
                    self.ticket,
                    self.tell,
                    self.advice,
                )
            )
        return out


class FaultCodeRule(RuleConfig):
    """One alarm for each fault code of a machine: `301` and `302` are two conditions, not one.

    Codes that the machine's `fault.texts` does not name share one alarm, so that none goes unseen.
    """

    equipment: str = Field(description="machine path; + stands for one level")
    codes: tuple[int, ...] = Field((), description="only these codes; none given: all of them")

    def expand(self, plant: Plant, where: str) -> list[Rule]:
        out = []
        for machine in _machines(self.equipment, plant, where):
            if not machine.fault_tag:
                raise ConfigError(f"{where}.equipment: {machine.path} has no fault: block; add one")
            known = {c: t for c, t in machine.fault_texts.items() if c != 0}
            wanted = self.codes or tuple(known)
            for code in wanted:
                text = known.get(code, Words(f"故障代码 {code}", f"Fault code {code}"))
                out.append(self._rule(plant, machine, Codes(frozenset({code})), text, f"#{code}"))
            if not self.codes:
                other = Words("未登记的故障代码", "Fault code not in the table")
                out.append(self._rule(plant, machine, Codes(frozenset({0, *known}), True), other, "#other"))
        return out

    def _rule(self, plant: Plant, machine: Equipment, codes: Codes, text: Words, mark: str) -> Rule:
        return Rule(
            self.name,
            machine.fault_tag + mark,
            machine.path,
            codes,
            self.rank,
            self.title.words() if self.title else text,
            plant.tags[machine.fault_tag],
            self.on_delay,
            self.off_delay,
            self.ticket,
            self.tell,
            self.advice,
        )
