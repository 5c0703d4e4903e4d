"""What goes where between our fields and an ERP's is data: expressions, value tables, variants (pure).

A map holds two directions. `write`: the ERP's field -> an expression over our fields. `read`: our field -> an
expression over the ERP's record. Expressions are JMESPath (jmespath.org/specification.html) with the
functions of `Functions` below. A dot in a written field makes a nested object, `a.b[]` a list of one; what
comes out as null is left out, so an ERP never receives a field we know nothing about.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal, InvalidOperation
from typing import Annotated, Any
from zoneinfo import ZoneInfo

import jmespath
from jmespath import functions
from jmespath.exceptions import JMESPathError
from jmespath.parser import ParsedResult
from pydantic import BeforeValidator, Field

from erp_bridge.map_names import called, meant, tables_named
from hub.config import Block
from hub.errors import ConfigError, ErpRefused

Tables = Mapping[str, Mapping[str, Any]]


def _worded(table: Any) -> Any:
    """`4: 紧急` in YAML is a number's row: values are compared as words."""
    return {_word(ours): theirs for ours, theirs in table.items()} if isinstance(table, dict) else table


Table = Annotated[dict[str, Any], BeforeValidator(_worded)]


class VariantBlock(Block):
    """Other fields for some records: `when` is an expression over our fields, e.g.
    `starts_with(equipment_path, 'p1/stamping')` or `family == 'bearing'`."""

    when: str
    write: dict[str, str] = Field({})
    read: dict[str, str] = Field({})


class MapBlock(Block):
    """One document of the ERP. Given in the configuration, it is laid over the connector's own map field by
    field: an empty expression takes a field out, a new key adds one."""

    form: str = Field("", description="their name of the document; empty keeps the connector's")
    write: dict[str, str] = Field({}, description="their field: expression over our fields")
    read: dict[str, str] = Field({}, description="our field: expression over their record")
    tables: dict[str, Table] = Field({}, description="name: {our value: their value}")
    variants: list[VariantBlock] = Field([])

    def over(self, base: MapBlock) -> MapBlock:
        """This block laid over the connector's own."""
        return MapBlock(
            form=self.form or base.form,
            write=base.write | self.write,
            read=base.read | self.read,
            tables={name: base.tables.get(name, {}) | table for name, table in self.tables.items()}
            | {name: table for name, table in base.tables.items() if name not in self.tables},
            variants=[*base.variants, *self.variants],
        )


def compiled(block: MapBlock, zone: ZoneInfo, where: str) -> FieldMap:
    """Raises ConfigError with one complaint for every expression that cannot be read."""
    options = jmespath.Options(custom_functions=Functions(block.tables, zone))
    complaints: list[str] = []
    known = Functions.FUNCTION_TABLE

    def parsed(text: str, place: str) -> ParsedResult | None:
        try:
            made = jmespath.compile(text)
        except JMESPathError as cause:
            complaints.append(f"{where}.{place}: {text!r} cannot be read: {_plainly(cause)}")
            return None
        if too_much(made.parsed):
            complaints.append(f"{where}.{place}: {text[:40]!r}… asks for more work than any map needs")
            return None
        strange = [f"function {n}(); {meant(n, known)}" for n in called(made.parsed) if n not in known]
        strange += [
            f"table {n!r}; {meant(n, block.tables) or 'add it under tables'}"
            for n in tables_named(made.parsed)
            if n not in block.tables
        ]
        complaints.extend(f"{where}.{place}: {text!r}: there is no {words}" for words in strange)
        return made

    def side(fields: Mapping[str, str], place: str) -> dict[str, ParsedResult]:
        read = {name: parsed(text, f"{place}.{name}") for name, text in fields.items() if text}
        return {name: expression for name, expression in read.items() if expression is not None}

    write, read = side(block.write, "write"), side(block.read, "read")
    variants = []
    for at, variant in enumerate(block.variants):
        when = parsed(variant.when, f"variants[{at}].when")
        if when is not None:
            gone = frozenset(n for n, text in (variant.write | variant.read).items() if not text)
            sides = side(variant.write, f"variants[{at}].write"), side(variant.read, f"variants[{at}].read")
            variants.append(_Variant(when, *sides, gone))
    made = FieldMap(block.form, write, read, tuple(variants), options)
    if complaints:
        raise ConfigError(*complaints)
    return made


def asked(block: MapBlock) -> list[str]:
    """Every field of theirs that `read` names, each once: what an ERP that wants its columns listed is asked
    for. `FMaterialId.FNumber` is one; arguments of functions count, literals do not."""
    texts = [*block.read.values(), *(text for v in block.variants for text in v.read.values())]
    return list(dict.fromkeys(p for text in texts if text for p in _paths(jmespath.compile(text).parsed)))


MOST_NODES, DEEPEST, WIDEST = 1000, 80, 20_000


def too_much(tree: Mapping[str, Any]) -> bool:
    """More steps or more depth than any map needs, or lists of lists that grow with every step: their
    widths multiplied bound what an expression can make of one value. Looked at without recursion."""
    nodes, wide = 0, 1
    waiting = [(tree, 1)]
    while waiting:
        node, depth = waiting.pop()
        nodes += 1
        children = [child for child in node["children"] if isinstance(child, Mapping)]
        if node["type"] == "multi_select_list":
            wide *= max(1, len(children))
        if nodes > MOST_NODES or depth > DEEPEST or wide > WIDEST:
            return True
        waiting += ((child, depth + 1) for child in children)
    return False


_OF_LISTS = frozenset({"projection", "filter_projection", "value_projection", "flatten"})


def _paths(node: Mapping[str, Any]) -> Iterator[str]:
    if node["type"] == "field":
        yield node["value"]
        return
    inner = [child for child in node["children"] if isinstance(child, Mapping)]
    if node["type"] == "subexpression":
        found = [""]
        for child in inner:
            found = [f"{above}.{step}" for above in found for step in _paths(child)] or found
        yield from (path[1:] for path in found if path)
        return
    if node["type"] in _OF_LISTS:  # what stands in a list is not a column: the list is
        inner = inner[:1]
    for child in inner:
        yield from _paths(child)


@dataclass(frozen=True, slots=True)
class _Variant:
    when: ParsedResult
    write: dict[str, ParsedResult]
    read: Mapping[str, ParsedResult]
    gone: frozenset[str]


@dataclass(frozen=True, slots=True)
class FieldMap:
    """Compiled; the same for every record."""

    form: str
    _write: Mapping[str, ParsedResult]
    _read: Mapping[str, ParsedResult]
    _variants: tuple[_Variant, ...] = ()
    _options: Any = field(default=None, repr=False)

    def written(self, fields: Mapping[str, Any]) -> dict[str, Any]:
        """Our fields in the ERP's form. Raises ErpRefused naming the field whose expression fails."""
        source = plain(fields)
        wanted = dict(self._write)
        for variant in self._chosen(source):
            wanted = {n: e for n, e in (wanted | variant.write).items() if n not in variant.gone}
        out: dict[str, Any] = {}
        for name, expression in wanted.items():
            value = self._value(name, expression, source)
            if value is not None:
                _put(out, name, value)
        return out

    def read(self, record: Mapping[str, Any]) -> dict[str, Any]:
        """Their record in our fields; a variant's `when` sees the fields as read so far."""
        source = plain(record)
        out = {name: self._value(name, expression, source) for name, expression in self._read.items()}
        for variant in self._chosen(plain(out)):
            out |= {name: self._value(name, expression, source) for name, expression in variant.read.items()}
        return {name: value for name, value in out.items() if value is not None}

    def reads(self, name: str) -> bool:
        return name in self._read

    def _chosen(self, source: Any) -> list[_Variant]:
        return [v for v in self._variants if self._value("when", v.when, source)]

    def _value(self, name: str, expression: ParsedResult, source: Any) -> Any:
        try:
            return expression.search(source, options=self._options)
        except JMESPathError as cause:
            raise ErpRefused(f"field {name}: {expression.expression}: {_plainly(cause)}") from None
        except (ValueError, ArithmeticError) as cause:
            raise ErpRefused(f"field {name}: {expression.expression}: {cause}") from None


def plain(value: Any) -> Any:
    """The value as JSON knows it: instants in UTC with a Z, spans in seconds."""
    if isinstance(value, Mapping):
        return {str(k): plain(v) for k, v in value.items()}
    if isinstance(value, datetime):
        return value.astimezone(UTC).isoformat().replace("+00:00", "Z") if value.tzinfo else value.isoformat()
    if isinstance(value, date):
        return value.isoformat()
    if isinstance(value, timedelta):
        return value.total_seconds()
    if isinstance(value, Decimal):
        return float(value)
    if isinstance(value, bytes):
        return None  # photos go their own way
    if isinstance(value, str):
        return str(value)  # an enum's word
    if isinstance(value, Sequence):
        return [plain(v) for v in value]
    return value


def _put(out: dict[str, Any], name: str, value: Any) -> None:
    """`a.b` is {"a": {"b": value}}; `a[].b` is {"a": [{"b": value}]}."""
    *above, last = name.split(".")
    here: Any = out
    for step in above:
        if step.endswith("[]"):
            rows = here.setdefault(step[:-2], [{}])
            here = rows[0] if isinstance(rows, list) and rows else None
        else:
            here = here.setdefault(step, {})
        if not isinstance(here, dict):
            raise ErpRefused(f"field {name}: {step} is written as a value already; take one of them out")
    here[last] = value


def _plainly(cause: JMESPathError) -> str:
    return " ".join(str(cause).split())


# ------------------------------------------------------------------ what expressions may call
_ANY: Any = {"types": []}
_NAME: Any = {"types": ["string"]}
_COUNT: Any = {"types": ["number"]}
_TEXT: Any = {"types": ["string", "null"]}
_SCALAR: Any = {"types": ["string", "number", "boolean", "null"]}
_NUMBER: Any = {"types": ["number", "string", "null"]}


class Functions(functions.Functions):  # jmespath finds functions by a metaclass
    """`null` in is `null` out, everywhere: a field we know nothing about stays out of the document."""

    def __init__(self, tables: Tables, zone: ZoneInfo) -> None:
        self.tables = tables
        self._zone = zone

    @functions.signature(_NAME, _SCALAR)
    def _func_table(self, name: str, value: Any) -> Any:
        """table('levels', priority): their value of ours; null when the table has none."""
        if name not in self.tables:
            raise ValueError(f"there is no table {name!r}")
        return None if value is None else self.tables[name].get(_word(value))

    @functions.signature(_NAME, _SCALAR)
    def _func_back(self, name: str, value: Any) -> Any:
        """back('levels', F_Level): our value of theirs."""
        if name not in self.tables:
            raise ValueError(f"there is no table {name!r}")
        return next(
            (ours for ours, theirs in self.tables[name].items() if _word(theirs) == _word(value)), None
        )

    @functions.signature(_TEXT, _NAME)
    def _func_local(self, instant: str | None, form: str) -> str | None:
        """local(opened_at, '%Y-%m-%d %H:%M:%S'): in the ERP's time zone."""
        return None if not instant else datetime.fromisoformat(instant).astimezone(self._zone).strftime(form)

    @functions.signature(_TEXT, _NAME)
    def _func_utc(self, instant: str | None, form: str) -> str | None:
        return None if not instant else datetime.fromisoformat(instant).astimezone(UTC).strftime(form)

    @functions.signature(_TEXT)
    def _func_instant(self, text: str | None) -> str | None:
        """Their time as an instant; without a zone it is the ERP's local time."""
        if not text:
            return None
        at = datetime.fromisoformat(text)
        at = at if at.tzinfo else at.replace(tzinfo=self._zone)
        return at.astimezone(UTC).isoformat().replace("+00:00", "Z")

    @functions.signature(_SCALAR)
    def _func_text(self, value: Any) -> str | None:
        """10, 10.0 and '10' alike: '10'."""
        return None if value is None else _word(value)

    @functions.signature(_NUMBER)
    def _func_number(self, value: Any) -> float | int | None:
        return None if value in (None, "") else _number(value)

    @functions.signature(_NUMBER, _NUMBER)
    def _func_times(self, left: Any, right: Any) -> float | int | None:
        return None if left is None or right is None else _sane(_number(left) * _number(right))

    @functions.signature(_NUMBER, _NUMBER)
    def _func_over(self, left: Any, right: Any) -> float | None:
        return None if left is None or right is None else _number(left) / _number(right)

    @functions.signature(_NUMBER, _NUMBER)
    def _func_plus(self, left: Any, right: Any) -> float | int | None:
        return None if left is None or right is None else _sane(_number(left) + _number(right))

    @functions.signature(_NUMBER, _COUNT)
    def _func_rounded(self, value: Any, digits: float) -> float | int | None:
        if value is None:
            return None
        if abs(digits) > MOST_DIGITS:
            raise ValueError(f"{digits:g} digits are more than any number here has")
        number = round(_number(value), int(digits))
        return int(number) if digits <= 0 else number

    @functions.signature(_TEXT, _COUNT)
    def _func_cut(self, text: str | None, length: float) -> str | None:
        """At most so many characters: ERPs refuse longer ones."""
        return None if text is None else text[: int(length)]

    @functions.signature(_ANY, _ANY, _ANY)
    def _func_if(self, condition: Any, then: Any, otherwise: Any) -> Any:
        """if(rush, '1', '0'); empty, zero, false and null do not hold."""
        return then if condition else otherwise

    @functions.signature(_SCALAR)
    def _func_filled(self, value: Any) -> Any:
        """null for an empty text: leave it out."""
        return None if value == "" else value


MOST_DIGITS = 15
LARGEST = 10**30  # whatever is counted or measured is less; numbers of documents are longer at times


def _sane(number: float | int) -> float | int:
    if abs(number) > LARGEST:
        raise ValueError("the result is larger than any quantity")
    return number


def _word(value: Any) -> str:
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, float) and value.is_integer():
        value = int(value)
    return str(value).strip()


def _number(value: Any) -> float | int:
    if isinstance(value, bool):
        raise ValueError(f"{value!r} is not a number")
    if isinstance(value, int | float):
        return value
    try:
        number = Decimal(str(value).strip())
    except InvalidOperation:
        raise ValueError(f"{value!r} is not a number") from None
    if not number.is_finite() or abs(number.adjusted()) > 40:
        raise ValueError(f"{value!r} is not a number of anything")
    return int(number) if number == number.to_integral_value() else float(number)
