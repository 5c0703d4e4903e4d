"""Why an ERP refuses, by its own words or a connector's: so that a headline can be told in the reader's
language above them (pure)."""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass
from enum import StrEnum

from hub.model.words import Words


class Cause(StrEnum):
    PERIOD = "period"
    LOGIN = "login"
    RIGHT = "right"
    LOCKED = "locked"
    MAPPING = "mapping"
    MISSING = "missing"
    FIELD = "field"
    CANNOT = "cannot"
    ENDED = "ended"
    DUPLICATE = "duplicate"
    UNKNOWN = "unknown"
    QUANTITY = "quantity"
    ADDRESS = "address"
    UNFORESEEN = "unforeseen"
    OTHER = "other"


HEADLINES = {
    Cause.PERIOD: Words("会计期间已关闭", "The accounting period is closed"),
    Cause.LOGIN: Words("ERP 账号登录失败", "The ERP does not let us log in"),
    Cause.RIGHT: Words("ERP 账号没有权限", "The ERP's account has no right to this"),
    Cause.LOCKED: Words("单据被他人占用或锁定", "Somebody else has the document locked"),
    Cause.MAPPING: Words("字段映射算不出值", "The field map gives no usable value"),
    Cause.MISSING: Words("缺少必填的值", "A value that the ERP demands is missing"),
    Cause.FIELD: Words("ERP 不接受某个字段", "The ERP does not take one of the fields"),
    Cause.CANNOT: Words("此 ERP 不支持该操作", "This ERP has no way to do it"),
    Cause.ENDED: Words("单据已关闭、完成或取消", "The document is closed, finished or cancelled"),
    Cause.DUPLICATE: Words("ERP 中已有相同的单据", "The ERP has such a document already"),
    Cause.UNKNOWN: Words("ERP 中没有这张单据或资料", "The ERP does not know the document or record"),
    Cause.QUANTITY: Words("数量或库存不允许", "The quantity or the stock does not allow it"),
    Cause.ADDRESS: Words("接口地址或服务不对", "The address or service of the ERP is wrong"),
    Cause.UNFORESEEN: Words("接口没有预料到的情况", "Something nobody has foreseen"),
    Cause.OTHER: Words("ERP 拒绝了这条消息", "The ERP has refused this message"),
}
# The first that fits holds. What the ERP says of its books comes before what only sounds like it.
_SIGNS: tuple[tuple[Cause, str], ...] = (
    (Cause.UNFORESEEN, r"^unreadable errand"),
    (
        Cause.PERIOD,
        r"(会计|过账|财务|核算)?期间.{0,20}(关闭|结账|锁定|未打开|未开)|已关账|已结账"
        r"|\bperiod\b.{0,40}\b(closed|not open|locked)|closed period|lock date",
    ),
    (
        Cause.LOGIN,
        r"登[录陆](失败|超时|已失效)|密码(错误|不正确)|用户名或密码|账号.{0,6}(停用|禁用)|签名(错误|不正确|无效)"
        r"|log-?in (failed|refused)|does not let us in|wrong (user|password|login)"
        r"|invalid (user|api key|credential|client|token|login)|authenticat|unauthori[sz]ed|\bhttp 401\b"
        r"|check (user|app_secret|app_id|api_key)",
    ),
    (
        Cause.RIGHT,
        r"权限|无权|not (allowed|permitted|authori[sz]ed)|no (right|permission|access)\b|permission|forbidden"
        r"|accesserror|\bhttp 403\b|check the rights|may not see",
    ),
    (
        Cause.LOCKED,
        r"锁定|加锁|被.{0,12}(占用|编辑)|正在(被)?(修改|编辑|使用)|网络控制"
        r"|\block(ed|error)?\b|lock on|being (edited|processed)|currently (edited|processed|used)",
    ),
    (
        Cause.MAPPING,
        r"there is no table|^field \S+: (?!.*takes)|^(\S+: )?documents\.\S+\.(read|write)\b|gives nothing of"
        r"|check its map|map it by|the mapping does not say|an argument does not fit",
    ),
    (
        Cause.MISSING,
        r"必[录填]|不能为空|不可为空|mandatory|is required|required field|is missing|must be filled",
    ),
    (
        Cause.FIELD,
        r"(没有|无此|找不到|未知|无效的?|不存在的?)字段|字段.{0,40}(不存在|无效|超长|长度|类型|格式)|超过.{0,8}长度"
        r"|has no field|no such field|(unknown|invalid) (field|property|attribute|column)|takes (numbers|no)"
        r"|cannot be written into a field|too long|truncat|is not a valid value|not a selection",
    ),
    (Cause.CANNOT, r"has no way to|lets nobody|does not support|not supported|不支持"),
    (Cause.DUPLICATE, r"已存在|重复|already exists?|duplicate|must be unique|uniquely|more than one"),
    (
        Cause.QUANTITY,
        r"不足|超(出|过|额|发|收)|大于.{0,12}(数量|数)|exceed|insufficient|not enough|negative stock"
        r"|over.?(production|receipt)|deficit",
    ),
    (
        Cause.ENDED,
        r"已(关闭|结案|完工|完成|取消|作废|终止)|is (already )?(cancelled|closed|finished|completed|done)\b"
        r"|finished or cancelled|was cancelled|nothing can be booked|nothing is booked|not changed any more",
    ),
    (
        Cause.UNKNOWN,
        r"不存在|找不到|未找到|没有找到|查无|has no (?!way)|does not exist|not found|no such"
        r"|is not in .{1,40} any more|was never made|unknown|not exist|is no ticket|is not on record",
    ),
    (Cause.ADDRESS, r"check \w*(url|path|address)|leads elsewhere|\bhttp \d{3}\b"),
)
_COMPILED = tuple((cause, re.compile(signs, re.IGNORECASE)) for cause, signs in _SIGNS)
_FORM = re.compile(r"documents\.(?P<document>\w+)\.(?P<field>form)\b")  # theirs is not there under that name
_FIELD = (
    _FORM,
    re.compile(r"^(?:\S+: )?documents\.(?P<document>\w+)\.(?:read|write)\.(?P<field>[\w.\[\]]+?)(?=[:\s]|$)"),
    re.compile(r"^(?:documents\.(?P<document>\w+)\.\w+: )?field (?P<field>[^\s:]+):"),
    re.compile(r"\bhas no field (?P<field>[\w.]+)"),
    re.compile(r"(?:字段|属性)\s*[“\"'「\[（(]?(?P<field>[A-Za-z_][\w.]{2,60})"),
    re.compile(
        r"\b(?:[Ff]ield|[Pp]roperty|[Aa]ttribute|[Cc]olumn)\s+[“\"'`\[(]?(?P<field>[A-Za-z_][\w.]{2,60})"
    ),
)
_PLAIN = frozenset(
    {"of", "on", "in", "is", "not", "the", "name", "value", "map", "maps", "must", "does", "has"}
)


@dataclass(frozen=True, slots=True)
class Refusal:
    """`document`, `field`: as the words name them, where they do."""

    cause: Cause
    document: str = ""
    field: str = ""

    @property
    def headline(self) -> Words:
        return HEADLINES[self.cause]


def field_in(reason: str, names: Iterable[str]) -> str:
    """The longest of the names that the words hold; a plain English word names nothing unless quoted."""
    for name in sorted(names, key=len, reverse=True):
        bare = name.rpartition("].")[2]
        if len(bare) < 2 or bare.lower() in _PLAIN:
            continue
        quoted = bare.isascii() and bare.isalpha() and bare.islower()
        marks = (r"[“\"'`「\[]", r"[”\"'`」\]]") if quoted else (r"(?<![A-Za-z0-9_])", r"(?![A-Za-z0-9_])")
        if re.search(marks[0] + re.escape(bare) + marks[1], reason):
            return name
    return ""


def refusal(reason: str) -> Refusal:
    cause = next((cause for cause, signs in _COMPILED if signs.search(reason)), Cause.OTHER)
    for pattern in _FIELD:
        found = pattern.search(reason)
        if found and found["field"].lower() not in _PLAIN:
            named = found.groupdict()
            field = "" if pattern is _FORM else named["field"].rstrip(".")
            return Refusal(cause, named.get("document") or "", field)
    return Refusal(cause)
