"""A mapping is checked as a whole, each slip with its place and a remedy; values never become syntax."""

from __future__ import annotations

import re
from datetime import UTC, datetime
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import pytest
import yaml
from pydantic import ValidationError

from erp_bridge.generic_config import GenericConfig
from erp_bridge.generic_fields import OPERATIONS
from erp_bridge.generic_templates import filled, path_part
from hub import sql_text as statements
from hub.config import explain
from hub.databases import Failure, MySql, Postgres, SqlServer, driver
from hub.errors import ConfigError, ErpRefused
from hub.model.erp import PostingKind
from hub.outline import PluginBlock
from hub.registry import configured, plugins

ROOT = Path(__file__).parents[2]
ZONE = ZoneInfo("Asia/Shanghai")
SOUND: dict[str, Any] = {
    "rest": {"url": "https://erp.example.cn/api", "auth": {"kind": "bearer", "token": "t"}},
    "sql": {"host": "db", "database": "erp", "user": "u", "password": "p"},
    "documents": {
        "ticket": {
            "write": {"title": "title"},
            "read": {"erp_id": "id", "key": "ext", "closed": "status == 'DONE'"},
        }
    },
    "operations": {
        "find_ticket": {"call": "GET repairs", "query": {"ext": "{key}"}, "rows": "data"},
        "ticket": {"call": "GET repairs/{erp_id}"},
        "open_ticket": {"call": "POST repairs"},
        "close_ticket": {"call": "POST repairs/{erp_id}/close"},
    },
}


def told(**more: Any) -> list[str]:
    """What `andon check` says of the sound mapping with these operations and blocks laid over it."""
    operations = {**SOUND["operations"], **more.pop("operations", {})}
    documents = {**SOUND["documents"], **more.pop("documents", {})}
    block = {**SOUND, "operations": operations, "documents": documents, **more}
    try:
        GenericConfig.model_validate(block)
    except ValidationError as cause:
        return explain(cause, "erp.with")
    return []


def test_a_sound_mapping_is_taken() -> None:
    assert told() == []


def examples() -> list[dict[str, Any]]:
    """What docs/erp/generic.md tells people to copy, and the tests' own mappings."""
    page = (ROOT / "docs" / "erp" / "generic.md").read_text(encoding="utf-8")
    texts = re.findall(r"```yaml\n(.*?)```", page, re.DOTALL)
    files = sorted((ROOT / "tests" / "simulators" / "generic").glob("mapping_*.yaml"))
    found = [*texts, *(f.read_text(encoding="utf-8") for f in files)]
    secret = "a secret that is long enough"
    return [yaml.safe_load(re.sub(r"\{env: \w+\}|\"\"", secret, text)) for text in found]


@pytest.mark.parametrize("number", range(5))
def test_what_people_are_told_to_copy_is_sound(number: int) -> None:
    block = examples()[number]
    if "operations" not in block:
        block = SOUND | block
    GenericConfig.model_validate(block)


def test_every_example_is_looked_at() -> None:
    assert len(examples()) == 5


def test_every_operation_there_is_has_its_place_on_the_page() -> None:
    page = (ROOT / "docs" / "erp" / "generic.md").read_text(encoding="utf-8")
    told_of = {n for n in OPERATIONS if not n.startswith(("changed_", "finish_"))} - {
        f"find_{k.value}" for k in PostingKind
    }
    assert [n for n in sorted(told_of) if f"`{n}`" not in page] == []


SLIPS: list[tuple[dict[str, Any], str, str]] = [
    # what is written, where it is told, what is told
    ({"operations": {"clos_ticket": {"call": "GET x"}}}, "operations.clos_ticket", "'close_ticket'"),
    ({"operations": {"items": {"call": "GET items/{ky}"}}}, "operations.items.call", "{ky}"),
    ({"operations": {"items": {"call": "items"}}}, "operations.items.call", "METHOD path"),
    ({"operations": {"items": {"call": "DELETE items"}}}, "operations.items.call", "a look changes nothing"),
    ({"operations": {"items": {"call": "GET https://x/y"}}}, "operations.items.call", "below it"),
    ({"operations": {"items": {"call": "GET items?a=b"}}}, "operations.items.call", "query"),
    ({"operations": {"items": {"call": "GET i", "rows": "data["}}}, "operations.items.rows", "JMESPath"),
    (
        {"operations": {"items": {"call": "GET i", "query": {"q": "{key"}}}},
        "operations.items.query.q", "brace",
    ),
    (
        {"operations": {"items": {"call": "GET i", "query": {"q": '["{now}"]'}}}},
        "operations.items.query.q", "{now:json}",
    ),
    ({"operations": {"items": {"call": "GET i", "sql": "select 1"}}}, "operations.items", "one of call, sql"),
    ({"operations": {"items": {}}}, "operations.items", "one of call, sql"),
    ({"operations": {"open_ticket": {"call": "GET r"}}}, "operations.open_ticket.call", "POST"),
    ({"operations": {"report_operation": {"call": "POST r"}}}, "operations.report_operation", "find_report"),
    ({"operations": {"find_ticket": {"call": "GET repairs"}}}, "operations.find_ticket", "'{key}'"),
    (
        {"operations": {"stock": {"sql": "select * from s where i = '{item}'"}}},
        "operations.stock.sql", ":item",
    ),
    (
        {"operations": {"stock": {"sql": "select * from s where i = ':item'"}}},
        "operations.stock.sql", ":item",
    ),
    ({"operations": {"stock": {"sql": "select * from {table}"}}}, "operations.stock.sql", "never formatted"),
    ({"operations": {"stock": {"sql": "select * from s where i = %s"}}}, "operations.stock.sql", "names"),
    ({"operations": {"stock": {"sql": "select 1; delete from s"}}}, "operations.stock.sql", "a list"),
    ({"operations": {"stock": {"sql": "delete from s"}}}, "operations.stock.sql", "select"),
    ({"operations": {"stock": {"sql": "select :itm"}}}, "operations.stock.sql", "'item'"),
    (
        {"operations": {"stock": {"sql": "select * from s where i = :items"}}},
        "operations.stock.sql", "in (:items)",
    ),
    (
        {"operations": {"open_ticket": {"insert": "repair; drop table x"}}},
        "operations.open_ticket.insert", "table",
    ),
    ({"operations": {"close_ticket": {"update": "repair"}}}, "operations.close_ticket.where", "id = :erp_id"),
    (
        {"operations": {"close_ticket": {"update": "repair", "where": "1 = 1"}}},
        "operations.close_ticket.where", "every row",
    ),
    ({"sql": None, "operations": {"items": {"sql": "select 1"}}}, "operations.items", "add sql"),
    ({"documents": {"ticket": {"write": {"a": "titel"}}}}, "documents.ticket.write.a", "'title'"),
    ({"documents": {"ticket": {"write": {"a": "upper(title)"}}}}, "documents.ticket.write.a", "no function"),
    ({"documents": {"ticket": {"write": {"a": "table('x', title)"}}}}, "documents.ticket.write.a", "tables"),
    ({"documents": {"ticket": {"read": {"erp_id": "id", "key": "k"}}}}, "documents.ticket.read", "closed"),
    (
        {"documents": {"ticket": {"read": {"erp_id": "id", "closed": "c"}}}},
        "documents.ticket.read", "nothing about key",
    ),
    ({"documents": {"item": {"read": {"name": "n"}}}}, "documents.item.read", "number"),
    ({"documents": {"item": {"read": {"number": "n", "nam": "n"}}}}, "documents.item.read.nam", "'name'"),
    ({"documents": {"itm": {"read": {}}}}, "documents.itm", "'item'"),
    ({"documents": {"ticket": {"wirte": {}}}}, "documents.ticket.wirte", "'write'"),
    ({"rest": {"url": "ftp://x"}}, "rest.url", "scheme"),
    ({"rest": {"url": "https://me:pw@x/"}}, "rest.url", "auth"),
    ({"rest": {"url": "https://x", "headers": {"Authorization": "x"}}}, "rest.headers", "auth"),
    ({"rest": {"url": "https://x", "answers": {"success": "code =="}}}, "rest.answers.success", "JMESPath"),
    ({"rest": {"url": "https://x", "paging": {"style": "cursor"}}}, "rest.paging", "next"),
    ({"push": {"secrets": ["short"]}}, "push.secrets[0]", "openssl"),
    ({"push": {"secrets": ["a" * 32], "subjects": {"x": "order"}}}, "push.subjects.x", "'orders'"),
]  # fmt: skip


@pytest.mark.parametrize(("written", "place", "said"), SLIPS, ids=lambda v: v if isinstance(v, str) else "")
def test_a_slip_is_told_with_its_place_and_a_remedy(written: dict[str, Any], place: str, said: str) -> None:
    found = [line for line in told(**written) if line.startswith(f"erp.with: {place}") and said in line]
    assert found, told(**written)


def test_all_slips_are_told_at_once_and_no_secret_with_them() -> None:
    block = {
        **SOUND, "tiem_zone": "x", "sql": {**SOUND["sql"], "password": "hush-hush"},
        "operations": {"stock": {"sql": "select '{item}'"}, "items": {"call": "GET {a}", "rwos": "x"}},
        "documents": {"ticket": {"write": {"a": "titel", "b": "("}}},
    }  # fmt: skip
    with pytest.raises(ConfigError) as cause:
        configured("erp", PluginBlock.model_validate({"name": "erp", "kind": "generic", "with": block}),
                   plugins("erp"), "plant.yaml: erp")  # fmt: skip
    text = str(cause.value)
    for part in ("tiem_zone", "stock.sql", "items.rwos", "ticket.write.a", "ticket.write.b"):
        assert part in text
    assert "hush-hush" not in text


# ------------------------------------------------------------------ values
AWKWARD = ["it's", 'a"b', "a/b?c#d", "100%", "主轴 ℃", "%(key)s", ":key", "{key}", "'; drop table x --"]


@pytest.mark.parametrize("value", AWKWARD)
def test_a_value_never_becomes_part_of_a_statement(value: str) -> None:
    text, used = statements.bound("insert into t (a) values (:key, 'x:y', '%')", {"key": value})
    assert text == "insert into t (a) values (%(key)s, 'x:y', '%%')"
    assert used == {"key": value}


def test_a_list_becomes_as_many_parameters() -> None:
    text, used = statements.bound("select x::text from t where n in (:numbers)", {"numbers": ["a", "b"]})
    assert text == "select x::text from t where n in (%(numbers_0)s, %(numbers_1)s)"
    assert used == {"numbers_0": "a", "numbers_1": "b"}
    assert statements.bound("select 1 where 'a' in (:numbers)", {"numbers": []})[1] == {"numbers_0": None}


def test_without_parameters_a_percent_is_a_percent() -> None:
    assert statements.bound("select 7 % 3, '50%%' -- :not", {}) == ("select 7 % 3, '50%%' -- :not", None)


@pytest.mark.parametrize("value", AWKWARD)
def test_a_value_in_an_address_stays_one_step_of_it(value: str) -> None:
    path = filled("repairs/{key}", {"key": value}, ZONE, path_part)
    assert path.count("/") == 1
    assert not set(path) & set("?#\"' ")


@pytest.mark.parametrize("value", [".", ".."])
def test_a_value_that_leads_elsewhere_is_refused(value: str) -> None:
    with pytest.raises(ErpRefused):
        filled("repairs/{key}", {"key": value}, ZONE, path_part)


@pytest.mark.parametrize(
    ("template", "text"),
    [
        ("{at}", "2026-01-05T04:00:00Z"),
        ("{at:%Y-%m-%d %H:%M}", "2026-01-05 12:00"),
        ("{at:unix}", "1767585600"),
        ("{at:unix_ms}", "1767585600000"),
        ("[[{key:json}]]", '[["a\\"b\'c"]]'),
        ("no eq {key:quoted}", "no eq 'a\"b''c'"),
        ("{{{n}}}", "{2}"),
        ("{many}", "a,b"),
        ("{yes}", "true"),
    ],
)
def test_a_placeholder_takes_the_form_that_is_asked_for(template: str, text: str) -> None:
    fields = {
        "at": datetime(2026, 1, 5, 4, tzinfo=UTC),
        "key": "a\"b'c",
        "n": 2.0,
        "many": ["a", "b"],
        "yes": True,
    }
    assert filled(template, fields, ZONE, str) == text


# ------------------------------------------------------------------ databases
def test_a_driver_that_is_not_there_is_named_with_its_extra(monkeypatch: pytest.MonkeyPatch) -> None:
    def gone(name: str) -> Any:
        raise ImportError(name)

    monkeypatch.setattr("hub.databases.importlib.import_module", gone)
    for kind, extra in (("mysql", "andon-hub[mysql]"), ("mssql", "andon-hub[mssql]")):
        with pytest.raises(ConfigError) as told_of:
            driver(kind)
        assert extra in str(told_of.value)


@pytest.mark.parametrize(
    ("number", "meant"),
    [
        (1062, Failure.DUPLICATE), (1213, Failure.BUSY), (1205, Failure.BUSY), (2013, Failure.LOST),
        (2006, Failure.LOST), (1045, Failure.STRANGER), (1452, Failure.REFUSED), (1054, Failure.REFUSED),
    ],
)  # fmt: skip
def test_errors_of_mysql_are_sorted(number: int, meant: Failure) -> None:
    mysql = MySql()
    assert mysql.failure(mysql.Error(number, "its own words")) == (meant, "its own words")


@pytest.mark.parametrize(
    ("number", "meant"),
    [
        (2627, Failure.DUPLICATE), (2601, Failure.DUPLICATE), (1205, Failure.BUSY), (1222, Failure.BUSY),
        (18456, Failure.STRANGER), (547, Failure.REFUSED), (207, Failure.REFUSED), (0, Failure.LOST),
    ],
)  # fmt: skip
def test_errors_of_sql_server_are_sorted(number: int, meant: Failure) -> None:
    server = SqlServer()
    cause = server.Error("its own words")
    vars(cause)["number"] = number
    assert server.failure(cause)[0] is meant


def test_names_of_tables_are_quoted_as_each_database_does() -> None:
    assert Postgres().quoted("erp.repair") == '"erp"."repair"'
    assert MySql().quoted("erp.repair") == "`erp`.`repair`"
    assert SqlServer().quoted("dbo.repair") == "[dbo].[repair]"
