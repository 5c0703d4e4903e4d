"""Every error code in both languages. Codes are stable words for clients; the texts are for people."""

from __future__ import annotations

from hub.model.words import Words

SHORTEST_PASSWORD, LONGEST_PASSWORD = 8, 128

TEXTS: dict[str, Words] = {
    # the door
    "not-logged-in": Words("请先登录", "please log in"),
    "login-failed": Words("账号或密码不正确", "the name or the password is wrong"),
    "device-unknown": Words(
        "设备令牌无效，请向管理员索取新的令牌",
        "this device token is not valid; ask an administrator for a new one",
    ),
    "device-revoked": Words(
        "这块屏幕的授权已被收回，请向管理员索取新的链接",
        "this screen's permission was withdrawn; ask an administrator for a new link",
    ),
    "password-once": Words(
        "这是一次性密码，请先设置自己的新密码", "this is a one-time password: choose one of your own first"
    ),
    "password-once-over": Words(
        "一次性密码已过期，请向管理员再要一个",
        "this one-time password is over; ask an administrator for another",
    ),
    "password-wrong": Words("现在的密码不正确", "the present password is wrong"),
    "password-own": Words(
        "自己的密码请用“修改密码”更改", "change your own password with the present one instead"
    ),
    "password-same": Words("新密码须与现在的不同", "the new password must differ from the present one"),
    "password-length": Words(
        f"密码须为 {SHORTEST_PASSWORD} 到 {LONGEST_PASSWORD} 个字符",
        f"a password has {SHORTEST_PASSWORD} to {LONGEST_PASSWORD} characters",
    ),
    "password-common": Words(
        "这个密码太常见，容易被猜到；请换一个，例如几个不相关的词连在一起",
        "this password is among the first to be guessed; take another, for example some unrelated words",
    ),
    "too-many-tries": Words("尝试次数过多，请稍后再试", "too many tries; please wait and try again"),
    "too-many-requests": Words("请求过于频繁，请稍后再试", "too many requests; please wait a moment"),
    "foreign-origin": Words(
        "请求来自其他网站，已拒绝；管理员可在 hub.allowed_origins 中加入可信地址",
        "the request comes from another site and was refused; an administrator can add a trusted address to "
        "hub.allowed_origins",
    ),
    "foreign-host": Words(
        "此服务器不使用这个主机名；管理员可在 hub.public_url 或 hub.allowed_origins 中加入它",
        "this hub does not go by that host name; an administrator can name it in hub.public_url or "
        "hub.allowed_origins",
    ),
    "csrf": Words("页面已过期，请刷新后重试", "this page is out of date; reload it and try again"),
    "not-allowed": Words("您的角色无权进行此操作", "your role may not do this"),
    "not-signed": Words(
        "推送没有有效签名，已拒绝；原因见系统状态页",
        "the push is not signed as it should be and was refused; the hub's status page says why",
    ),
    "outside-scope": Words(
        "该设备不在您的管辖范围内", "this equipment is outside the part of the plant that is yours"
    ),
    "whole-plant": Words(
        "此项涉及全厂，您只负责其中一部分；请由全厂范围的人员操作",
        "this concerns the whole plant, of which you see a part; somebody who sees all of it has to do it",
    ),
    "mapping-refused": Words("字段映射不能用：{detail}", "this field map cannot be used: {detail}"),
    "states-refused": Words("状态对照表不能用：{detail}", "this table of states cannot be used: {detail}"),
    "states-moved": Words(
        "记录在预览之后有变化，请重新预览", "the record has changed since the preview; look at it again"
    ),
    "states-not-taken-up": Words(
        "规则尚未采用此对照表，请几秒后再试",
        "the rules have not taken this table up yet; try again in a few seconds",
    ),
    "states-since": Words(
        "请选择更早的时间：自 {detail} 起的状态已按此对照表记录",
        "choose an earlier moment: since {detail} states have been recorded by this table",
    ),
    "states-clock-ahead": Words(
        "设备时钟超前（有采样的时间为 {detail}），无法与记录对照；请先校正设备时钟",
        "the device's clock is ahead (a sample says {detail}), so its samples cannot be laid beside the "
        "record; set the device's clock first",
    ),
    "states-too-many": Words(
        "采样太多，请选择更晚的时间：从所选时间到 {detail} 已达上限",
        "there are too many samples; choose a later moment: the limit is reached at {detail}",
    ),
    "mapping-fails": Words(
        "没有一条样例记录能通过此映射，未启用：{detail}",
        "no sample record comes through this field map, so it is not activated: {detail}",
    ),
    "mapping-untried": Words(
        "没有样例记录可试：{detail}；确认无误可选择“仍然启用”",
        "there are no records to try it on: {detail}; if you are sure, activate it anyway",
    ),
    "mapping-unknown-field": Words(
        "ERP 没有列出字段 {detail}，启用后写入它的单据会被拒绝；确认无误可选择“仍然启用”",
        "the ERP does not list the field {detail} and would refuse every document with it; if you are sure, "
        "activate it anyway",
    ),
    "mapping-saved": Words(
        "别人刚保存了新版本，请先查看再保存", "somebody has saved another version meanwhile; look at it first"
    ),
    "mapping-activated": Words(
        "别人刚启用了另一个版本，请刷新后再试", "another version has been activated meanwhile; look again"
    ),
    # the request
    "bad-request": Words("请求格式不正确", "the request cannot be understood"),
    "not-found": Words(
        "没有找到，或不在您的管辖范围内", "not found, or outside the part of the plant that is yours"
    ),
    "method-not-allowed": Words("此地址不支持该操作", "this address does not take that method"),
    "too-large": Words("提交的内容过大", "what was sent is too large"),
    "photo-too-large": Words(
        "照片超过 8 MB，请压缩后重试", "the photo is larger than 8 MB; make it smaller and try again"
    ),
    "photo-kind": Words(
        "只接受完整的 JPEG、PNG 或 WebP 照片，最多 4000 万像素",
        "a photo is a whole JPEG, PNG or WebP picture of 40 megapixels at most",
    ),
    "photo-missing": Words("请用 photo 字段提交一张照片", "send one photo in the form field named photo"),
    "photo-unknown": Words("照片不存在，请重新上传", "there is no such photo; upload it again"),
    # what people want of alarms and tickets
    "refused": Words("此操作无法执行", "this cannot be done"),
    "conflict": Words("状态已变化，请刷新后重试", "the state has changed meanwhile; reload and try again"),
    "reason-missing": Words("请填写原因", "say why"),
    "cause-missing": Words("请选择故障原因类别", "choose the class of the cause"),
    "shelve-until": Words(
        "搁置时间须在未来 24 小时之内", "an alarm is shelved for 24 hours at most, from now on"
    ),
    "alarm-not-open": Words("报警已恢复正常，无需处理", "this alarm is back to normal already"),
    "alarm-shelved": Words("报警已被搁置，请先取消搁置", "this alarm is shelved; end the shelving first"),
    "alarm-suppressed": Words(
        "报警被设计逻辑抑制，条件解除后自动恢复",
        "the design logic suppresses this alarm; it is back by itself when that ends",
    ),
    "alarm-out-of-service": Words(
        "报警已停用，请先恢复使用", "this is out of service already; return it to service first"
    ),
    "not-shelved": Words("报警没有被搁置", "this alarm is not shelved"),
    "not-out-of-service": Words("没有停用，无需恢复", "this is in service already"),
    "not-latched": Words(
        "该报警不是锁存报警，无需复位，请确认", "only a latched alarm is reset; acknowledge this one"
    ),
    "still-active": Words(
        "报警条件仍然成立，请先排除故障再复位", "its condition still holds: mend the cause first, then reset"
    ),
    "alarm-open": Words("该报警已存在", "this alarm is open already"),
    "ticket-taken": Words("工单已由 {detail} 接单", "{detail} has accepted this ticket already"),
    "ticket-closed": Words("工单已关闭", "this ticket is closed"),
    "ticket-open": Words("该设备已有未关闭的工单", "this machine has an open ticket already"),
    "close-by-manager": Words(
        "没有设备数据证明时，只有主管可以关闭工单",
        "without the machine's proof only a manager closes a ticket",
    ),
    # why machines stood
    "stop-changed": Words(
        "{detail} 刚改过这次停机，请查看后再改", "{detail} has just changed this stop; look at it first"
    ),
    "stop-moved": Words(
        "按最新数据，设备在该时刻没有停机，请刷新",
        "by what is known now the machine did not stand then; look again",
    ),
    "stop-reason-unknown": Words(
        "该设备没有这个停机原因，请从列表中选择",
        "there is no such reason for this machine; choose one of its list",
    ),
    "stop-cut-outside": Words(
        "拆分时间须在一段停机之内", "cut: must lie inside one part of the stop, not at its edge"
    ),
    "stop-no-border": Words("该时刻没有可合并的两段", "cut: no two parts of the stop meet there"),
    "stops-span": Words(
        "from 须不晚于 until，且最多早 31 天", "from: must lie before until, by 31 days at most"
    ),
    # rush orders
    "order-state": Words(
        "只有已下达且未完工的工单可以插单", "only an order that is released and not finished can be rushed"
    ),
    "rush": Words("该工单已是急单", "this is a rush order already"),
    "rush-taken": Words("{detail} 已先插单", "{detail} was faster: it is a rush order already"),
    "rush-stale": Words(
        "情况已变化，请按新的预览再确认", "things have changed meanwhile: look at the new preview and confirm"
    ),
    "rush-none": Words("该工单没有插单，无可撤销", "nobody has rushed this order here: nothing to undo"),
    "rush-undone": Words("{detail} 已撤销插单", "{detail} has undone it already"),
    "rush-window": Words(
        "撤销时限已过，请在 ERP 中调整", "the time for undoing it is over; change the order in the ERP"
    ),
    "rush-refused": Words(
        "ERP 已拒绝该插单，无需撤销：{detail}", "the ERP refused this rush, nothing to undo: {detail}"
    ),
    "no-repair": Words(
        "系统无法自动修复，请人工处理", "this cannot be mended by itself; a person has to decide"
    ),
    # an MES that pushes, and what of it was not taken
    "mes-no-events": Words(
        "events 须为列表，至少含一个事件", "events must be a list with at least one event in it"
    ),
    "mes-too-many": Words(
        "events 中的事件过多，每次最多 1000 个", "events holds too many; send 1000 at a time at most"
    ),
    "mes-decided": Words("已有人处理过这条记录", "somebody has decided on this record already"),
    "mes-gone": Words(
        "配置中已没有这个 MES，请先恢复配置", "its source is not configured any more; put it back under mes:"
    ),
    # the hub
    "unavailable": Words(
        "服务暂时不可用，请稍后再试", "the hub cannot answer just now; please try again shortly"
    ),
    "record-away": Words(
        "数据库没有应答，请稍后再试；重复提交不会造成重复",
        "the database does not answer; please try again shortly, nothing is done twice by it",
    ),
    "internal": Words(
        "系统内部错误，请把编号告诉管理员", "something went wrong inside; tell an administrator the id"
    ),
}

BY_STATUS = {
    400: "bad-request", 401: "not-logged-in", 403: "not-allowed", 404: "not-found", 405: "method-not-allowed",
    409: "conflict", 413: "too-large",
    421: "foreign-host", 429: "too-many-requests", 503: "unavailable",
}  # fmt: skip

_PROBLEMS = {
    "missing": Words("缺少，请填写", "is missing; add it"),
    "extra_forbidden": Words("是未知字段，请去掉", "is not a field we know; remove it"),
    "json_invalid": Words("不是有效的 JSON", "is not valid JSON"),
    "string_too_long": Words("最多 {max_length} 个字符", "has {max_length} characters at most"),
    "string_too_short": Words("至少 {min_length} 个字符", "has {min_length} characters at least"),
    "string_type": Words("须为文字", "must be a text"),
    "string_unicode": Words("须为有效的文字", "must be valid text"),
    "int_parsing": Words("须为整数", "must be a whole number"),
    "int_type": Words("须为整数", "must be a whole number"),
    "bool_parsing": Words("须为 true 或 false", "must be true or false"),
    "greater_than_equal": Words("不得小于 {ge}", "must be {ge} or more"),
    "less_than_equal": Words("不得大于 {le}", "must be {le} or less"),
    "literal_error": Words("须为 {expected} 之一", "must be one of {expected}"),
    "timezone_aware": Words("须带时区，例如 2026-01-05T12:00:00Z", "needs its zone: 2026-01-05T12:00:00Z"),
    "model_attributes_type": Words("须为 JSON 对象", "must be a JSON object"),
}  # fmt: skip
_TIME = Words("须为时间，例如 2026-01-05T12:00:00Z", "must be a time such as 2026-01-05T12:00:00Z")


def problem(kind: str, message: str, context: dict[str, object]) -> Words:
    """One finding of the request check, never with the value that was sent."""
    if kind.startswith("datetime"):
        return _TIME
    if kind == "value_error":  # ours: "中文 | English"
        zh, _, en = message.removeprefix("Value error, ").partition(" | ")
        return Words(zh, en or zh)
    found = _PROBLEMS.get(kind, Words("不正确", "is not right"))
    values = {k: str(v) for k, v in context.items()}
    listed = {k: v.replace(" or ", ", ") for k, v in values.items()}
    return Words(found.zh.format_map(listed), found.en.format_map(values))
