"""What each code means for us, and the shapes of values; none of it needs a server."""

from __future__ import annotations

import re
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
import yaml
from pydantic import ValidationError

from erp_bridge.jiandaoyun import JiandaoyunConnector
from erp_bridge.jiandaoyun_answers import read
from erp_bridge.jiandaoyun_client import Brake
from erp_bridge.jiandaoyun_config import JiandaoyunConfig
from erp_bridge.jiandaoyun_forms import Form, titles
from erp_bridge.jiandaoyun_records import transaction
from erp_bridge.jiandaoyun_values import Layout
from hub.errors import ConfigError, ErpRefused, ErpUnavailable
from hub.testing.clock import HandClock

BLOCK: dict[str, Any] = {"api_key": "key-nobody-may-read", "app_id": "65a000000000000000000001"}
CONFIG = JiandaoyunConfig.model_validate(BLOCK)


def told(status: int, text: str, *, write: bool = True) -> Exception:
    with pytest.raises((ErpUnavailable, ErpRefused)) as trouble:
        read(CONFIG, "create", status, text, None, write=write)
    return trouble.value


@pytest.mark.parametrize(
    ("code", "pause"),
    [
        (8303, CONFIG.limit_pause), (8304, CONFIG.limit_pause), (8301, CONFIG.rights_pause),
        (17018, CONFIG.rights_pause), (17052, CONFIG.rights_pause), (17053, CONFIG.rights_pause),
        (17054, CONFIG.rights_pause), (7103, CONFIG.quota_pause), (7221, CONFIG.quota_pause),
        (9007, None), (17027, None),
    ],
)  # fmt: skip
def test_what_may_be_tried_again_was_not_done(code: int, pause: timedelta | None) -> None:
    trouble = told(400, f'{{"code": {code}, "msg": "x"}}')
    assert isinstance(trouble, ErpUnavailable)
    assert (trouble.in_doubt, trouble.retry_after) == (False, pause)


@pytest.mark.parametrize(
    ("status", "text"),
    [
        (400, '{"code": 4000, "msg": "x"}'), (502, "<html>"), (500, '{"code": 1, "msg": "x"}'),
        (200, "<html>"), (200, "[]"), (400, "<html>"), (400, '{"code": 17026, "msg": "x"}'),
    ],
)  # fmt: skip
def test_what_nobody_knows_is_in_doubt(status: int, text: str) -> None:
    trouble = told(status, text)
    assert isinstance(trouble, ErpUnavailable)
    assert trouble.in_doubt


def test_a_look_is_never_in_doubt() -> None:
    for status, text in ((400, '{"code": 4000, "msg": "x"}'), (502, "")):
        trouble = told(status, text, write=False)
        assert isinstance(trouble, ErpUnavailable)
        assert not trouble.in_doubt


@pytest.mark.parametrize(
    ("status", "text", "names"),
    [
        (400, '{"code": 1010, "msg": "x"}', "employees"),
        (400, '{"code": 2004, "msg": "x"}', "app_id"),
        (400, '{"code": 3000, "msg": "x"}', "documents"),
        (400, '{"code": 4402, "msg": "超出库存"}', "超出库存"),
        (200, '{"status": "failure", "code": 50051, "message": "任务已处理"}', "任务已处理"),
        (404, '{"error": "no such path"}', "base_url"),
    ],
)
def test_what_is_refused_says_what_to_mend(status: int, text: str, names: str) -> None:
    trouble = told(status, text)
    assert isinstance(trouble, ErpRefused)
    assert names in str(trouble)


def test_too_many_calls_may_come_without_a_code() -> None:
    trouble = told(429, "")
    assert isinstance(trouble, ErpUnavailable)
    assert (trouble.in_doubt, trouble.retry_after) == (False, CONFIG.limit_pause)


def test_success_may_have_no_words_or_a_code_of_zero() -> None:
    for text in ("", "{}", '{"code": 0, "msg": "ok"}', '{"status": "success", "success_count": 1}'):
        assert read(CONFIG, "create", 200, text, None, write=True) is not None


def test_a_brake_lets_a_burst_pass_and_then_keeps_the_rate() -> None:
    brake = Brake(10)
    assert [round(brake.turn(1000.0), 3) for _ in range(10)] == [0.0] * 10
    assert [round(brake.turn(1000.0), 3) for _ in range(3)] == [0.1, 0.2, 0.3]
    assert brake.turn(1002.0) == 0.0


# ------------------------------------------------------------------ the configuration
@pytest.mark.parametrize(
    ("changes", "says"),
    [
        ({"api_key": ""}, "api_key"),
        ({"time_zone": "Peking"}, "Asia/Shanghai"),
        ({"documents": {"tickets": {}}}, "no such document"),
        ({"filters": {"x": []}}, "no such document"),
        ({"push_secrets": ["a", ""]}, "everybody could sign"),
        ({"page_rows": 101}, "page_rows"),
    ],
)
def test_a_wrong_block_names_its_field(changes: dict[str, Any], says: str) -> None:
    with pytest.raises(ValidationError, match=says):
        JiandaoyunConfig.model_validate(BLOCK | changes)


def test_a_map_without_our_number_is_a_mistake() -> None:
    block = BLOCK | {"documents": {"report": {"write": {"ext_key": ""}}}}
    with pytest.raises(ConfigError, match=r"documents\.report\.write: no field carries `key`"):
        JiandaoyunConnector(JiandaoyunConfig.model_validate(block), HandClock())


def test_an_expression_that_cannot_be_read_names_its_place() -> None:
    block = BLOCK | {"documents": {"ticket": {"write": {"x": "cut("}}}}
    with pytest.raises(ConfigError, match=r"erp\.with\.documents\.ticket\.write\.x"):
        JiandaoyunConnector(JiandaoyunConfig.model_validate(block), HandClock())


def test_no_secret_is_in_what_is_printed() -> None:
    connector = JiandaoyunConnector(CONFIG, HandClock())
    assert "key-nobody-may-read" not in f"{CONFIG!r} {connector!r}"


# ------------------------------------------------------------------ values
def layout() -> Layout:
    def widget(kind: str, number: int, **more: Any) -> dict[str, Any]:
        return {
            "name": kind,
            "widgetName": f"_widget_{number}",
            "label": f"标题{number}",
            "type": kind,
        } | more

    kinds = ("text", "number", "radiogroup", "combocheck", "user", "usergroup", "datetime", "sn")
    plain = [widget(kind, at) for at, kind in enumerate(kinds)]
    sub = {"items": [widget("text", 100), widget("number", 101)]}
    return Layout([*plain, widget("subform", 50, **sub)])


@pytest.mark.parametrize(
    ("field", "value", "written"),
    [
        ("text", 17.0, "17"), ("text", True, "是"), ("number", " 3.50", 3.5), ("number", "4", 4),
        ("radiogroup", 1, "1"), ("combocheck", "a", ["a"]), ("combocheck", ["a", 2], ["a", "2"]),
        ("user", "jdy-1", "jdy-1"), ("usergroup", "jdy-1", ["jdy-1"]),
        ("datetime", "2026-01-05T00:30:00Z", "2026-01-05T00:30:00Z"),
        ("subform", [{"text": 1, "标题101": "2"}], [{"text": {"value": "1"}, "number": {"value": 2}}]),
    ],
)  # fmt: skip
def test_a_value_takes_the_shape_of_its_field(field: str, value: Any, written: Any) -> None:
    lacking: set[str] = set()
    assert layout().written({field: value}, lacking) == {field: {"value": written}}
    assert lacking == set()


def test_what_a_form_counts_itself_and_what_it_does_not_have_is_left_out() -> None:
    lacking: set[str] = set()
    assert layout().written({"sn": "BX1", "nowhere": 1}, lacking) == {}
    assert lacking == {"sn", "nowhere"}


@pytest.mark.parametrize(("field", "value"), [("number", "viel"), ("number", True), ("subform", "text")])
def test_a_value_that_cannot_be_is_refused_with_its_field(field: str, value: Any) -> None:
    with pytest.raises(ErpRefused, match=field):
        layout().written({field: value}, set())


def test_a_record_is_read_under_every_name_of_its_fields() -> None:
    record = layout().readable({"_id": "1", "text": "a", "subform": [{"_id": "2", "text": "b"}]})
    assert (record["text"], record["_widget_0"], record["标题0"]) == ("a", "a", "a")
    assert record["subform"][0]["标题100"] == "b"
    assert record["标题50"] == record["subform"]


def test_a_transaction_follows_from_the_document_alone() -> None:
    form = Form("65a000000000000000000001", "65a000000000000000000010", Layout([]))
    ids = {transaction(form, name, key) for name in ("ticket", "report") for key in ("A", "B", "A")}
    assert len(ids) == 4
    assert transaction(form, "ticket", "A") == "1ad29cc3-e56c-4a2b-b9ad-592588c39f55"


@pytest.mark.parametrize(
    ("written", "meant"),
    [
        ("number(急单等级)", 'number("急单等级")'),
        ("a || 等级2 == '急'", "a || \"等级2\" == '急'"),
        ("\"等级\" || table('级', 等级)", '"等级" || table(\'级\', "等级")'),
        ('if(x, `"急"`, A类)', 'if(x, `"急"`, "A类")'),
        ("ops[].{operation: op_no}", "ops[].{operation: op_no}"),
    ],
)
def test_titles_may_stand_in_an_expression_without_quotes(written: str, meant: str) -> None:
    assert titles(written) == meant


def test_the_block_of_our_page_is_one_that_is_taken() -> None:
    page = (Path(__file__).parents[3] / "docs/erp/jiandaoyun.md").read_text(encoding="utf-8")
    found = re.search(r"```yaml\n(.*?)```", page, re.DOTALL)
    assert found is not None
    block = yaml.safe_load(found[1])["erp"]["with"] | {"api_key": "k", "push_secrets": ["a", "b"]}
    connector = JiandaoyunConnector(JiandaoyunConfig.model_validate(block), HandClock())
    assert {"open-tickets", "webhooks"} <= connector.capabilities
