"""Oracle's errors as it gives them: text or a small object before framework 4, then `o:errorDetails`."""

from __future__ import annotations

import json

TITLES = {
    400: "Bad Request", 401: "Unauthorized", 403: "Forbidden", 404: "Not Found", 405: "Method Not Allowed",
    412: "Precondition Failed", 415: "Unsupported Media Type", 429: "Too Many Requests",
    500: "Internal Server Error", 503: "Service Unavailable",
}  # fmt: skip
ERROR = "application/vnd.oracle.adf.error+json"
PAGE = "<html><head><title>Sign In</title></head><body>Oracle Applications Cloud</body></html>"


class OracleError(Exception):
    def __init__(
        self,
        status: int,
        detail: str,
        path: str = "",
        *,
        code: str = "27024",
        plain: bool = False,
        page: bool = False,
        headers: tuple[tuple[str, str], ...] = (),
    ) -> None:
        self.status = status
        self.detail = detail
        self.path = path
        self.code = code
        self.plain = plain
        self.page = page
        self.headers = headers
        super().__init__(detail)

    def body(self, framework: int) -> tuple[str, str]:
        """(text, media type)."""
        if self.page:
            return self.detail, "text/html"
        if self.plain or framework == 1:
            return self.detail, "text/plain"
        title = TITLES.get(self.status, "Error")
        if framework < 4:
            whole = {"title": self.detail, "status": str(self.status), "o:errorCode": self.code}
            return json.dumps(whole, ensure_ascii=False), ERROR
        detail = {"detail": self.detail, "o:errorCode": self.code}
        if self.path:
            detail["o:errorPath"] = f"/{self.path}"
        whole4 = {"title": title, "status": str(self.status), "o:errorDetails": [detail]}
        return json.dumps(whole4, ensure_ascii=False), ERROR
