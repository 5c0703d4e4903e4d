"""The few calls that preparing Tryton and looking into its books need: plain JSON-RPC, blocking."""

from __future__ import annotations

import base64
from datetime import date
from typing import Any

import httpx


def day(value: date) -> dict[str, Any]:
    return {"__class__": "date", "year": value.year, "month": value.month, "day": value.day}


def decimal(value: str) -> dict[str, str]:
    return {"__class__": "Decimal", "decimal": value}


class Rpc:
    """A user who has logged in. Raises RuntimeError with Tryton's own words."""

    def __init__(self, url: str, database: str, user: str, password: str) -> None:
        self._http = httpx.Client(timeout=60, trust_env=False, verify=False)  # no certificates to load
        self._endpoint = f"{url.rstrip('/')}/{database}/rpc/"
        self._headers = {"Content-Type": "application/json"}
        self.context: dict[str, Any] = {}
        uid, token, *_ = self._post("common.db.login", [user, {"password": password}])
        session = base64.b64encode(f"{user}:{uid}:{token}".encode()).decode()
        self._headers["Authorization"] = f"Session {session}"
        self.settle_in()

    def settle_in(self) -> None:
        preferences = self._post("model.res.user.get_preferences", [True, {}])
        self.context = {n: preferences.get(n) for n in ("company", "language") if preferences.get(n)}

    def close(self) -> None:
        self._http.close()

    def __call__(self, method: str, *params: Any) -> Any:
        return self._post(f"model.{method}", [*params, self.context])

    def create(self, model: str, **values: Any) -> int:
        (made,) = self(f"{model}.create", [values])
        return int(made)

    def rows(self, model: str, names: list[str], *clauses: list[Any]) -> list[dict[str, Any]]:
        found: list[dict[str, Any]] = self(
            f"{model}.search_read", list(clauses), 0, None, [["id", "ASC"]], names
        )
        return found

    def one(self, model: str, *clauses: list[Any]) -> int:
        (found,) = self(f"{model}.search", list(clauses))
        return int(found)

    def _post(self, method: str, params: list[Any]) -> Any:
        reply = self._http.post(
            self._endpoint, json={"id": 1, "method": method, "params": params}, headers=self._headers
        )
        if reply.status_code != 200:
            raise RuntimeError(f"{method}: HTTP {reply.status_code} {reply.text[:200]}")
        answer = reply.json()
        if "error" in answer:
            raise RuntimeError(f"{method}: {str(answer['error'])[:300]}")
        return answer["result"]
