"""What is said no to, by code; the words are free."""

from __future__ import annotations

WORDS = {
    1: "无效的请求",
    1010: "成员不存在",
    2004: "应用不存在",
    3000: "表单不存在",
    3005: "参数不合法",
    4000: "数据提交失败",
    4001: "数据不存在",
    4815: "筛选条件不合法",
    8301: "密钥校验失败",
    8302: "没有权限",
    8303: "超出企业频率限制",
    8304: "超出频率限制",
    9007: "数据已被锁定",
    17017: "参数错误",
    17018: "密钥无效",
    17023: "批量数据超过限制",
    17024: "批量数据为空",
    17025: "transaction_id 格式错误",
    17026: "transaction_id 已被使用",
    17027: "文件上传失败",
    17033: "批量数据超过限制",
    17052: "IP 不在白名单",
    17053: "密钥没有该应用的权限",
    17054: "密钥没有该接口的权限",
    50004: "任务不存在",
    50016: "流程不存在",
    50040: "无法回退",
    50051: "任务已处理",
}


class Refused(Exception):
    def __init__(self, code: int, status: int = 400, about: str = "") -> None:
        self.code, self.status = code, status
        self.said = WORDS.get(code, "失败") + (f": {about}" if about else "")
        super().__init__(self.said)


class FlowRefused(Exception):
    """The workflow API says it with HTTP 200."""

    def __init__(self, code: int) -> None:
        self.code, self.said = code, WORDS.get(code, "失败")
        super().__init__(self.said)
