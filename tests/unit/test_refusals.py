"""A refusal has a headline in the reader's language, above the ERP's own words."""

from __future__ import annotations

import pytest

from hub.api import erp_shapes
from hub.model.exchange import Letter
from hub.model.mapping import Targets
from hub.model.refusals import HEADLINES, Cause, refusal
from hub.testing.clock import NOON

SAID = [
    (Cause.PERIOD, "会计期间 2026-01 已关闭，不能过账"),
    (
        Cause.PERIOD,
        "Posting only possible in periods 2026/02: period 001/2026 is not open for account type S",
    ),
    (Cause.PERIOD, "You cannot book before the lock date 2026-01-31"),
    (Cause.LOGIN, "用户名或密码错误"),
    (Cause.LOGIN, "SAP: HTTP 401 Unauthorized; check user"),
    (Cause.LOGIN, "Tryton does not let us in: check user and password"),
    (Cause.RIGHT, "Jiandaoyun: 密钥没有该接口的权限 (17054)"),
    (Cause.RIGHT, "User andon does not have doctype access via role permission for document Stock Entry"),
    (Cause.RIGHT, "odoo.exceptions.AccessError: You are not allowed to create 'Maintenance Request' records"),
    (Cause.LOCKED, "单据已锁定：李会计正在修改"),
    (Cause.LOCKED, "Order 1000042 is currently being processed by user MEYER"),
    (Cause.LOCKED, "odoo.exceptions.LockError: Cannot grab a lock on records"),
    (Cause.MAPPING, "field F_AH_X: number(headline): '油温过高' is not a number"),
    (Cause.MAPPING, "field F_Level: table('levels', priority): there is no table 'levels'"),
    (Cause.MAPPING, "documents.order.read.number gives nothing of production order MO0001"),
    (Cause.MISSING, "字段“优先级”是必录项"),
    (Cause.MISSING, "Error: Value missing for Work Order: mandatory fields required in Work Order: Company"),
    (Cause.FIELD, "Odoo has no field x_level on maintenance.request; see documents.ticket.write"),
    (Cause.FIELD, "Property PriorityX is invalid: unknown property in MaintenanceNotification"),
    (Cause.FIELD, "F_AH_Qty takes numbers, not 'abc': change its map or its type"),
    (Cause.CANNOT, "Tryton has no way to take quality R-1"),
    (Cause.ENDED, "production order MO0001 is cancelled in U9"),
    (Cause.ENDED, "工单已完工，不能报工"),
    (Cause.DUPLICATE, "编码 AH-1 已存在"),
    (Cause.UNKNOWN, "工序 99 不存在于工单 MO260105-0028"),
    (Cause.UNKNOWN, "production order MO0001 has no operation 99 in SAP"),
    (Cause.UNKNOWN, "AH-1 was never made in the ERP: see the letter of its opening"),
    (Cause.QUANTITY, "物料 A100 可用库存不足"),
    (Cause.ADDRESS, "Tryton answered model.production.read with HTTP 404; check url"),
    (Cause.UNFORESEEN, "unreadable errand or answer: KeyError 'FID'"),
    (Cause.OTHER, "不行"),
]


@pytest.mark.parametrize(("cause", "words"), SAID, ids=[words[:40] for _, words in SAID])
def test_the_words_of_an_erp_are_told_apart(cause: Cause, words: str) -> None:
    assert refusal(words).cause is cause


def test_every_class_has_a_headline_in_both_languages() -> None:
    assert set(HEADLINES) == set(Cause)
    assert all(words.zh and words.en for words in HEADLINES.values())
    assert len({words.zh for words in HEADLINES.values()}) == len(Cause)


@pytest.mark.parametrize(
    ("words", "document", "field"),
    [
        ("field F_AH_X: number(headline): '油温过高' is not a number", "", "F_AH_X"),
        ("documents.order.read.number gives nothing of production order MO0001", "order", "number"),
        ("documents.ticket.read: field state: table('s', x): there is no table 's'", "ticket", "state"),
        ("Odoo has no field x_level on maintenance.request", "", "x_level"),
        ("字段“F_AH_LEVEL”不存在", "", "F_AH_LEVEL"),
        ("Property PriorityX is invalid", "", "PriorityX"),
        ("Kingdee has no form AH_X; name yours in documents.ticket.form: 业务对象 AH_X 不存在", "ticket", ""),
        ("字段“优先级”是必录项", "", ""),
        ("the field is not known", "", ""),
    ],
)
def test_the_field_is_named_where_the_words_name_it(words: str, document: str, field: str) -> None:
    found = refusal(words)
    assert (found.document, found.field) == (document, field)


def test_a_letter_leads_to_the_map_that_made_it() -> None:
    words = "field F_AH_X: number(headline): '油温过高' is not a number"
    dead = Letter(
        1, "update-ticket", "k", "ticket:AH-1", "dead", 1, words, NOON, None, NOON, {"ticket": "AH-1"}
    )
    shown = erp_shapes.letter(dead)
    assert shown["headline"]["zh"] == "字段映射算不出值"
    assert shown["reason"] == words
    assert shown["mapping"] == {"document": "", "about": ["step", "ticket"], "field": "F_AH_X"}


@pytest.mark.parametrize(
    ("words", "document", "field"),
    [
        ("请填写班次", "ticket", "班次"),
        ("请选择交接班次", "ticket", "F_Turn"),
        ("保存失败：FShift_2 为空", "", ""),
        ("check the note please", "", ""),
        ("check 'note' please", "ticket", "note"),
    ],
)
def test_a_field_that_the_map_writes_is_found_in_words_that_do_not_call_it_one(
    words: str, document: str, field: str
) -> None:
    dead = Letter(1, "open-ticket", "k", "ticket:AH-1", "dead", 1, words, NOON, None, NOON, {})
    fields = {"班次": "班次", "交接班次": "F_Turn", "FShift": "FShift", "note": "note"}
    targets = [Targets("items", "item", {"请": "no"}), Targets("ticket", "ticket", fields)]
    mapping = erp_shapes.letter(dead, targets)["mapping"]
    assert (mapping["document"], mapping["field"]) == (document, field)
