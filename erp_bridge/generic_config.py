"""The `with:` block of `erp: {kind: generic}`: a whole connector as data. docs/erp/generic.md shows one."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import timedelta
from typing import Annotated, Any, Literal, Self
from zoneinfo import ZoneInfo

from pydantic import (
    BeforeValidator,
    Field,
    HttpUrl,
    ModelWrapValidatorHandler,
    SecretStr,
    ValidationError,
    field_validator,
    model_validator,
)
from pydantic_core import InitErrorDetails, PydanticCustomError

from erp_bridge.fieldmap import MapBlock, Table
from hub.config import Block, Duration, TimeZoneName
from hub.databases import SqlBlock


def _as_text(value: Any) -> Any:
    if isinstance(value, bool):
        return "true" if value else "false"
    return str(value) if isinstance(value, int | float) else value


ScalarText = Annotated[str, BeforeValidator(_as_text)]
Scalar = str | int | float | bool


# ------------------------------------------------------------------ who we are
class NoAuth(Block):
    kind: Literal["none"]


class BasicAuth(Block):
    kind: Literal["basic"]
    user: str = Field(min_length=1)
    password: SecretStr


class BearerAuth(Block):
    kind: Literal["bearer"]
    token: SecretStr


class ApiKeyAuth(Block):
    kind: Literal["api-key"]
    key: SecretStr
    header: str = "X-Api-Key"
    also: dict[str, SecretStr] = Field({}, description="further headers that hold secrets")


class Oauth2Auth(Block):
    """Client credentials (RFC 6749, section 4.4)."""

    kind: Literal["oauth2"]
    token_url: HttpUrl
    client_id: str = Field(min_length=1)
    client_secret: SecretStr
    scope: str = ""
    audience: str = ""
    in_body: bool = Field(False, description="id and secret in the form, not as basic authentication")


class LoginAuth(Block):
    """A call that gives a session: a token (`token` says where it stands), or else a cookie."""

    kind: Literal["login"]
    call: str = "POST login"
    body: dict[str, ScalarText] = Field({"user": "{user}", "password": "{password}"})
    form: bool = Field(False, description="as a form, not as JSON")
    user: str = Field(min_length=1)
    password: SecretStr
    success: str = Field("", description="expression over the answer that holds when we are in")
    token: str = Field("", description="expression over the answer; empty: the session is a cookie")
    header: str = "Authorization"
    value: str = Field("Bearer {token}", description="what the header says")


Auth = Annotated[
    NoAuth | BasicAuth | BearerAuth | ApiKeyAuth | Oauth2Auth | LoginAuth, Field(discriminator="kind")
]


# ------------------------------------------------------------------ what answers mean
class AnswersBlock(Block):
    """How this ERP says yes and no. Expressions see the answer's body; the first that holds counts."""

    success: str = Field("", description="holds when it was done, as code == `0`; empty: any HTTP 2xx is")
    said: str = Field("", description="the ERP's own words; empty: message, msg, error ... are tried")
    expired: str = Field("", description="holds when the session is over")
    limited: str = Field("", description="holds when we ask too often")
    busy: str = Field("", description="holds when it was not done now and will be later (locked ...)")
    missing: str = Field("", description="holds when what was asked for is not there")
    duplicate: str = Field("", description="holds when a document with this key is there already")
    busy_words: list[str] = Field(
        [
            "locked",
            "being edited",
            "being processed",
            "try again",
            "锁定",
            "正在处理",
            "正在编辑",
            "稍后再试",
        ],
        description="words of a refusal that mean busy",
    )
    busy_statuses: list[int] = Field([409, 412, 423])
    missing_statuses: list[int] = Field([404, 410])
    duplicate_statuses: list[int] = Field([], description="instead of busy, as 409 in many systems")

    def over(self, base: AnswersBlock) -> AnswersBlock:
        return base.model_copy(update={name: getattr(self, name) for name in self.model_fields_set})


class PagingBlock(Block):
    """How a long list comes. An empty page, or the same page again, is the end in any style."""

    style: Literal["page", "offset", "next", "cursor"]
    param: str = Field("", description="query parameter: page, offset or cursor by default")
    size_param: str = Field("", description="query parameter of how many at once; empty: not said")
    size: int = Field(100, ge=1, le=10000)
    first: int = Field(1, description="number of the first page (style page)")
    next: str = Field("", description="style next or cursor: where in the answer it stands; "
                                      "empty with style next: the Link header (RFC 8288)")  # fmt: skip
    more: str = Field("", description="expression: is there more? spares the last, empty page")

    @model_validator(mode="after")
    def _says_where(self) -> Self:
        if self.style == "cursor" and not self.next:
            raise ValueError("style cursor wants next: where in the answer the cursor stands, as meta.next")
        return self

    @property
    def parameter(self) -> str:
        return self.param or {"page": "page", "offset": "offset", "cursor": "cursor", "next": ""}[self.style]


# ------------------------------------------------------------------ operations
class OperationBlock(Block):
    """By REST (`call`) or by SQL (`sql`, `insert` or `update`). Placeholders: docs/erp/generic.md."""

    call: str = Field("", description="METHOD path, as GET repairs/{erp_id}; the path is below rest.url")
    query: dict[str, ScalarText] = Field({}, description="left out while a placeholder in it is empty")
    headers: dict[str, str] = Field({})
    send: dict[str, Any] = Field({}, description="JSON body of a query by POST, or instead of the map's")
    body: Literal["json", "json-list", "form", "multipart", "none"] = "json"
    file: str = Field("file", description="name of the photo's part in a multipart body")
    rows: str = Field("", description="where in the answer the record or list stands; empty: all of it")
    answer: Literal["json", "none"] = Field("json", description="none: whatever a 2xx says is well")
    answers: AnswersBlock | None = Field(None, description="laid over rest.answers")
    paging: PagingBlock | None = Field(None, description="instead of rest.paging; lists only")
    one_page: bool = Field(False, description="the list comes whole, whatever rest.paging says")
    document: str = Field("", description="the map in documents: when it is not the operation's own")
    batch: int = Field(50, ge=1, le=1000, description="how many {erp_ids}, {numbers}, {items} at once")
    sql: list[str] = Field([], description="a statement, or several in one transaction; the last answers")
    insert: str = Field("", description="table; its columns are those of the document's write")
    update: str = Field("", description="table; its columns are those of the document's write")
    where: str = Field("", description="of update, as id = :erp_id")

    @field_validator("sql", mode="before")
    @classmethod
    def _one_is_a_list(cls, value: Any) -> Any:
        return [value] if isinstance(value, str) else value

    @property
    def is_sql(self) -> bool:
        return bool(self.sql or self.insert or self.update)

    @property
    def method(self) -> str:
        return self.call.partition(" ")[0].upper()

    @property
    def path(self) -> str:
        return self.call.partition(" ")[2].strip()


class RestBlock(Block):
    url: HttpUrl = Field(description="what every path begins with, as https://erp.example.cn/api/v1")
    auth: Auth = NoAuth(kind="none")
    hosts: list[str] = Field([], description="hosts besides url's that next links may lead to")
    headers: dict[str, str] = Field({}, description="with every request")
    idempotency_header: str = Field("", description="as Idempotency-Key; carries our key with every create")
    answers: AnswersBlock = AnswersBlock()
    paging: PagingBlock | None = None
    timeout: Duration = timedelta(seconds=30)
    parallel: int = Field(4, ge=1, le=20)
    limit_pause: Duration = Field(timedelta(seconds=30), description="when the ERP names none")

    @field_validator("url")
    @classmethod
    def _no_secret_in_it(cls, value: HttpUrl) -> HttpUrl:
        if value.username or value.password:
            raise ValueError("names and passwords do not belong into an address; write them into auth")
        if value.query or value.fragment:
            raise ValueError("write the address without ? and #; parameters go into query of an operation")
        return value

    @field_validator("headers")
    @classmethod
    def _no_credentials(cls, value: dict[str, str]) -> dict[str, str]:
        named = [n for n in value if n.lower() in ("authorization", "cookie", "x-api-key")]
        if named:
            raise ValueError(f"{named[0]} would be written in the clear; use auth, which takes a secret")
        return value


class PushBlock(Block):
    """Pushes signed after Standard Webhooks; two secrets while one is being changed."""

    secrets: list[SecretStr] = Field(min_length=1, max_length=2)
    subject: str = Field("type", description="expression over the body: what has changed")
    subjects: Table = Field({}, description="their word: orders, sales-orders, tickets, items or equipment")
    documents: str = Field("", description="expression over the body: numbers of what has changed")


class GenericConfig(Block):
    name: str = Field("the ERP", description="as complaints name it")
    rest: RestBlock | None = None
    sql: SqlBlock | None = None
    time_zone: TimeZoneName = Field("Asia/Shanghai", description="of times that name none, and of ours")
    overlap: Duration = Field(
        timedelta(minutes=5), description="changes are asked for from this much earlier"
    )
    employees: dict[str, ScalarText] = Field({}, description="our person id -> {employee}")
    constants: dict[str, Scalar] = Field({}, description="a site's own fields, the same in every document")
    documents: dict[str, MapBlock] = Field({}, description="what goes where; without one, names are ours")
    operations: dict[str, OperationBlock] = Field({})
    push: PushBlock | None = None

    @model_validator(mode="wrap")
    @classmethod
    def _told_at_once(cls, data: Any, handler: ModelWrapValidatorHandler[Self]) -> Self:
        """Mistakes of form and of meaning together, each with its path: nobody mends one by one."""
        from erp_bridge.generic_check import complaints  # it reads these blocks

        found: list[InitErrorDetails] = []
        made: Self | None = None
        try:
            made = handler(data)
        except ValidationError as cause:
            found = [_again(e["type"], e["loc"], e["msg"]) for e in cause.errors(include_url=False)]
        if isinstance(data, Mapping):
            found += [_again("mapping", (place,), said) for place, said in complaints(data)]
        if found or made is None:
            raise ValidationError.from_exception_data(cls.__name__, found)
        return made

    @property
    def zone(self) -> ZoneInfo:
        return ZoneInfo(self.time_zone)


def _again(kind: str, place: tuple[int | str, ...], said: str) -> InitErrorDetails:
    told = PydanticCustomError(kind, "{said}", {"said": said})  # type: ignore[arg-type, unused-ignore]
    return InitErrorDetails(type=told, loc=place, input=None)
