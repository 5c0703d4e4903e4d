"""The services by name: a call goes in, the answer's JSON comes out; one call at a time, all or nothing."""

from __future__ import annotations

import threading
import uuid
from collections.abc import Callable, Mapping
from datetime import datetime, timedelta
from typing import Any

from tests.simulators.kingdee.answers import EXCEPTION, PlainFailure, Refusal, failure, outcome
from tests.simulators.kingdee.bodies import Call, read_body, read_parameters
from tests.simulators.kingdee.books import Books, Record
from tests.simulators.kingdee.faults import Faults
from tests.simulators.kingdee.lifecycle import Lifecycle
from tests.simulators.kingdee.pushing import Pusher
from tests.simulators.kingdee.queries import run_query
from tests.simulators.kingdee.saving import Saver, truth
from tests.simulators.kingdee.sessions import Account, Session, Sessions
from tests.simulators.kingdee.viewing import business_info, download, upload, view

FORM_SERVICE = "Kingdee.BOS.WebApi.ServicesStub.DynamicFormService."
AUTH_SERVICE = "Kingdee.BOS.WebApi.ServicesStub.AuthService."
CENTRES = "Kingdee.BOS.ServiceFacade.ServicesStub.Account.AccountService.GetDataCenterList"
NOT_SIMULATED = [
    "QueryGroupInfo",
    "GroupSave",
    "GroupDelete",
    "Allocate",
    "CancelAllocate",
    "FlexSave",
    "SendMsg",
    "Disassembly",
    "GetSysReportData",
]
REPAIR = "ah_equiprepair"
OPERATIONS = ("excuteoperation", "executeoperation")
QUERIES = ("executebillquery", "billquery")


class Service:
    def __init__(
        self,
        books: Books,
        account: Account,
        now: Callable[[], datetime],
        faults: Faults,
        unique_keys: bool = True,
    ) -> None:
        self.books = books
        self.sessions = Sessions(account, now)
        self.faults = faults
        self.lock = threading.RLock()
        self._account = account
        self._now = now
        self._saver = Saver(books, account.user, unique_keys)
        self._life = Lifecycle(books)
        self.pusher = Pusher(books, account.user)
        self.operation_services = OPERATIONS  # one server has been seen that knows only the second
        self._tasks: dict[str, dict[str, Any]] = {}

    def answer(
        self, name: str, path: str, headers: Mapping[str, str], body: bytes
    ) -> tuple[Any, Session | None]:
        """The answer and the session it belongs to. Raises PlainFailure or HttpFailure."""
        with self.lock:
            try:
                return self._answer(name, path, headers, body)
            finally:
                self.books.commit()

    def _answer(
        self, name: str, path: str, headers: Mapping[str, str], body: bytes
    ) -> tuple[Any, Session | None]:
        if name == CENTRES:
            return self._centres(), None
        if name.startswith(AUTH_SERVICE):
            return self._authenticate(name.removeprefix(AUTH_SERVICE), headers, body)
        if not name.startswith(FORM_SERVICE):
            raise PlainFailure(f"找不到服务 {name}")
        method = name.removeprefix(FORM_SERVICE)
        try:
            session = self.sessions.of(headers, path)
            return self._act(
                method, read_body(headers.get("Content-Type", ""), body, method), session
            ), session
        except Refusal as refusal:
            return wrapped(method, failure(refusal)), None

    def _centres(self) -> list[dict[str, Any]]:
        centre = {"Id": self._account.acct_id, "Number": "001", "Name": "演示账套", "Version": "8.2.0"}
        return [centre | {"GDCID": "", "AuthenticationMethods": 1}]

    def _authenticate(
        self, method: str, headers: Mapping[str, str], body: bytes
    ) -> tuple[Any, Session | None]:
        logins = {
            "validateuser": self.sessions.validate_user,
            "loginbyappsecret": self.sessions.login_by_app_secret,
            "loginbysign": self.sessions.login_by_sign,
        }
        if method.lower() == "logout":
            return self.sessions.logout(headers), None
        if method.lower() not in logins:
            raise PlainFailure(f"找不到服务 {method}")
        try:
            answer = logins[method.lower()](read_parameters(body))
        except (Refusal, ValueError):
            raise PlainFailure("登录参数不正确") from None
        session = self.sessions.open.get(answer["KDSVCSessionId"])
        return answer, session

    def _act(self, method: str, call: Call, session: Session) -> Any:
        name = method.lower()
        if self.faults.odd("renamed") and call.form.lower() == REPAIR:
            raise Refusal(EXCEPTION, f"业务对象 {call.form} 不存在")
        if name in QUERIES:
            return self._query(name, call)
        if name in ("submit", "audit", "unaudit", "cancelassign"):
            return self._life.move(name, call.form, call.data)
        if name in OPERATIONS and name not in self.operation_services:
            raise PlainFailure("未将对象引用设置到对象的实例。")
        if name in OPERATIONS:
            return self._life.operate(call.form, call.operation, call.data)
        if name in (n.lower() for n in NOT_SIMULATED):
            raise Refusal(EXCEPTION, f"{method} is not simulated")
        single: dict[str, Callable[[], Any]] = {
            "save": lambda: self._save(call),
            "draft": lambda: self._saver.save(call.form, call.data, draft=True),
            "batchsave": lambda: self._batch(call),
            "queryasyncresult": lambda: self._task(call),
            "delete": lambda: self._life.delete(call.form, call.data),
            "view": lambda: view(self.books, call.form, call.data),
            "push": lambda: self.pusher.push(call.form, call.data),
            "workflowaudit": lambda: self._life.workflow(call.data | {"FormId": call.form}),
            "querybusinessinfo": lambda: business_info(call.data | {"FormId": call.form}),
            "switchorg": lambda: self._switch(call, session),
            "attachmentupload": lambda: upload(self.books, call.data | {"FormId": call.form}),
            "attachmentdownload": lambda: download(self.books, call.data),
        }
        if name not in single:
            raise PlainFailure(f"找不到方法 {method}")
        return single[name]()

    def _query(self, name: str, call: Call) -> Any:
        lag = timedelta(seconds=self.faults.lag)
        newest = self._now() - lag

        def seen(record: Record) -> bool:
            return not lag or datetime.fromisoformat(record.made_at) <= newest

        asked = call.data | {"FormId": call.form}
        asked |= {"FilterString": ""} if self.faults.odd("any_document") else {}
        asked |= {"StartRow": 0} if self.faults.odd("same_page") else {}
        keys, rows = run_query(self.books, asked, seen)
        return rows if name == "executebillquery" else [dict(zip(keys, row, strict=True)) for row in rows]

    def _save(self, call: Call) -> Any:
        answer = self._saver.save(call.form, call.data)
        if truth(call.data.get("IsAutoSubmitAndAudit", False)):
            chosen = {"Ids": str(answer["Result"]["Id"])}
            self._life.move("submit", call.form, chosen)
            self._life.move("audit", call.form, chosen)
        return answer

    def _batch(self, call: Call) -> Any:
        """At once, or as a task that the client asks about when it has named a query method."""
        answer = self._saver.batch(call.form, call.data)
        if not call.top.get("beginmethod"):
            return answer
        task_id = uuid.uuid4().hex
        waiting = {"TaskId": task_id, "Status": 0, "Cancelled": False, "IsFaulted": False, "Message": ""}
        waiting |= {"Successful": False, "Progress": 0, "ProgressDesc": "", "Result": None}
        finished = {"Status": 2, "Successful": True, "Progress": 100, "Result": answer}
        self._tasks[task_id] = waiting | finished
        return waiting

    def _task(self, call: Call) -> Any:
        asked = read_body("", str(call.top.get("queryinfo") or "{}").encode(), "").top
        task = self._tasks.get(str(asked.get("taskid") or ""))
        if task is None:
            raise PlainFailure("任务不存在")
        return task

    def _switch(self, call: Call, session: Session) -> Any:
        number = str(call.data.get("OrgNumber") or "")
        org = self.books.numbered("ORG_Organizations", number)
        if org is None:
            raise Refusal(10, f"组织 {number} 不存在")
        session.org = number
        return outcome()


def wrapped(method: str, error: dict[str, Any]) -> Any:
    """ExecuteBillQuery wraps its error object twice."""
    return [[error]] if method.lower() == "executebillquery" else error
