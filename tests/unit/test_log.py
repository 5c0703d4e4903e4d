"""What a log line looks like, and what never stands in one."""

from __future__ import annotations

import io
import json
import logging
import math
from collections.abc import Iterator

import pytest
import structlog
from pydantic import BaseModel, SecretStr

from hub import log, metrics
from hub.model.alarm import Priority
from tests.api_house import PRESS, alarm

KEY = "693a91f6-7xxx-4bc4-97a0"


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


@pytest.fixture(autouse=True)
def untouched(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """The next test finds logging, and an empty list of secrets, as this one did."""
    root = logging.getLogger()
    handlers, level = root.handlers[:], root.level
    monkeypatch.setattr(log, "_secrets", log._Secrets())
    monkeypatch.delenv("ANDON_LOG", raising=False)
    yield
    root.handlers[:], root.level = handlers, level
    structlog.reset_defaults()


def lines(out: io.StringIO) -> list[dict[str, object]]:
    return [json.loads(line) for line in out.getvalue().splitlines()]


def test_a_line_is_json_in_utc_with_its_level_and_its_logger() -> None:
    out = io.StringIO()
    log.setup(stream=out)
    structlog.get_logger("collectors.modbus").info("source lost", source="press-07", 中文="油温")
    (line,) = lines(out)
    assert line["event"] == "source lost"
    assert line["level"] == "info"
    assert line["logger"] == "collectors.modbus"
    assert line["source"] == "press-07"
    assert line["中文"] == "油温"
    assert str(line["at"]).endswith("Z")
    assert "油温" in out.getvalue()


def test_the_standard_library_goes_through_the_same_pipe() -> None:
    out = io.StringIO()
    log.setup(stream=out)
    logging.getLogger("uvicorn.error").warning("port %d in use", 8800)
    (line,) = lines(out)
    assert (line["event"], line["logger"], line["level"]) == ("port 8800 in use", "uvicorn.error", "warning")


def test_below_the_level_nothing_is_written() -> None:
    out = io.StringIO()
    log.setup(level="warning", stream=out)
    structlog.get_logger("x").info("not worth it")
    assert out.getvalue() == ""


def test_people_get_lines_and_machines_get_json(monkeypatch: pytest.MonkeyPatch) -> None:
    watched, told = Terminal(), Terminal()
    log.setup(stream=watched)
    structlog.get_logger("x").info("ready", port=8800)
    assert "ready" in watched.getvalue()
    assert not watched.getvalue().startswith("{")
    monkeypatch.setenv("ANDON_LOG", "json")
    log.setup(stream=told)
    structlog.get_logger("x").info("ready", port=8800)
    assert lines(told)[0]["port"] == 8800


@pytest.mark.parametrize("name", ["httpx", "httpcore", "asyncua", "pymodbus", "uvicorn.access"])
def test_libraries_that_tell_urls_or_every_packet_are_quiet_even_when_debugging(name: str) -> None:
    out = io.StringIO()
    log.setup(level="debug", stream=out)
    logging.getLogger(name).info("HTTP Request: POST https://qyapi.example/send?key=%s", KEY)
    logging.getLogger(f"{name}.child").info("more")
    assert out.getvalue() == ""


@pytest.mark.parametrize("stream", [io.StringIO, Terminal])
@pytest.mark.parametrize("secret", [KEY, 'quo"te\\back', "密钥-七八九", "a b+c/d=e&f", "line\nbreak"])
def test_a_registered_secret_is_blotted_out_however_it_is_written(
    stream: type[io.StringIO], secret: str
) -> None:
    from urllib.parse import quote, quote_plus

    out = stream()
    log.setup(level="debug", stream=out)
    log.register_secret(SecretStr(secret))
    logger = structlog.get_logger("notifiers.wecom")
    logger.info("sent with %s", secret)
    logger.info(f"url https://x/{quote(secret)} {quote_plus(secret)}", value=secret, deep={"list": [secret]})
    logging.getLogger("other").warning("body %r", {"secret": secret})
    try:
        raise ValueError(f"refused: {secret}")
    except ValueError:
        logger.exception("it broke")
    told = out.getvalue()
    spellings = {secret, quote(secret), quote_plus(secret), json.dumps(secret)[1:-1], repr(secret)[1:-1]}
    assert [s for s in spellings if s in told] == []
    assert "it broke" in told
    assert "refused" in told


@pytest.mark.parametrize(
    "line",
    [
        f"POST https://qyapi.example/cgi-bin/webhook/send?key={KEY} 200",
        f"https://oapi.example/robot/send?access_token={KEY}&timestamp=1&sign={KEY}",
        f"see /ack?token={KEY}",
        f'{{"url": "http://x/?a=1&SIGN={KEY}"}}',
        f"postgresql://andon:{KEY}@db:5432/andon",
        f"redis://:{KEY}@cache:6379/0",
    ],
)
def test_keys_in_query_strings_and_passwords_in_urls_are_blotted_out_unregistered(line: str) -> None:
    assert KEY not in log.redact(line)
    assert log.BLOT in log.redact(line)


def test_an_address_without_a_secret_stays_readable() -> None:
    line = "GET http://10.0.0.7:8800/api/trend?tag=p1/l1/press&minutes=60 from a@b.example"
    assert log.redact(line) == line


@pytest.mark.parametrize(
    "name", ["password", "token", "csrf", "Authorization", "app_secret", "api_key", "cookie"]
)
def test_a_field_with_a_telling_name_is_blotted_out(name: str) -> None:
    out = io.StringIO()
    log.setup(stream=out)
    structlog.get_logger("x").info("login", **{name: "canary-4711"})
    assert "canary-4711" not in out.getvalue()


def test_a_traceback_for_people_shows_no_local_variables() -> None:
    out = Terminal()
    log.setup(stream=out)
    try:
        hidden = "canary-" + "4711"
        raise ValueError(str(len(hidden)))
    except ValueError:
        structlog.get_logger("x").exception("it broke")
    assert "ValueError" in out.getvalue()
    assert "canary-4711" not in out.getvalue()


def test_a_text_with_a_line_break_cannot_forge_a_second_line() -> None:
    for out in (io.StringIO(), Terminal()):
        log.setup(stream=out)
        structlog.get_logger("x").info("login", who="mallory\n2026-01-05 [info] admin logged in")
        assert len(out.getvalue().splitlines()) == 1


def test_every_secret_of_a_configuration_is_registered_however_deep() -> None:
    class Inner(BaseModel):
        key: SecretStr

    class Config(BaseModel):
        token: SecretStr
        robots: list[Inner]
        by_name: dict[str, Inner]
        none: SecretStr | None = None

    robot = Inner(key=SecretStr("canary-two"))
    config = Config(
        token=SecretStr("canary-one"), robots=[robot], by_name={"a": Inner(key=SecretStr("canary-three"))}
    )
    log.register_secrets_of(config)
    assert log.redact("canary-one canary-two canary-three") == " ".join([log.BLOT] * 3)


def test_an_empty_secret_blots_nothing() -> None:
    log.register_secret("")
    assert log.redact("all fine") == "all fine"


# ------------------------------------------------------------------ figures
def test_rooms_count_and_prometheus_reads() -> None:
    before = metrics.value("andon_samples_total", source="press-07") or 0
    metrics.samples("press-07", 100)
    metrics.samples("press-07", 20)
    assert metrics.value("andon_samples_total", source="press-07") == before + 120
    metrics.alarms_open([alarm(1, PRESS), alarm(2, PRESS, priority=Priority.LOW), alarm(3, PRESS)])
    assert metrics.value("andon_alarms_open", priority="critical") == 2
    assert metrics.value("andon_alarms_open", priority="high") == 0
    metrics.notification("wecom", "sent")
    metrics.erp_call("kingdee-galaxy", "open_ticket", "ok", 0.2)
    metrics.written(100, 0.004)
    metrics.sensor_to_screen(-5)
    metrics.part("web", up=True)
    metrics.viewer_came()
    text, kind = metrics.render()
    metrics.viewer_left()
    assert kind.startswith("text/plain")
    for name in (
        'andon_samples_total{source="press-07"}',
        "andon_write_batch_seconds_count",
        "andon_rule_evaluation_seconds_bucket",
        'andon_notifications_total{notifier="wecom",outcome="sent"}',
        'andon_erp_calls_total{call="open_ticket",connector="kingdee-galaxy",outcome="ok"}',
        "andon_sensor_to_screen_seconds_count",
        'andon_part_up{part="web"} 1.0',
        "andon_ws_clients 1.0",
    ):
        assert name in text.decode()


def test_an_outbox_that_cannot_be_asked_is_unknown_and_not_empty() -> None:
    metrics.outbox({"waiting": {"tell": 3}, "oldest_seconds": {"tell": 7.5}, "dead": 1})
    assert metrics.value("andon_outbox_waiting", kind="tell") == 3
    assert metrics.value("andon_outbox_oldest_seconds", kind="tell") == 7.5
    metrics.outbox(None)
    unknown = metrics.value("andon_outbox_waiting", kind="tell")
    assert unknown is not None
    assert math.isnan(unknown)
    metrics.outbox({"waiting": {}, "oldest_seconds": {}, "dead": 0})
    assert metrics.value("andon_outbox_waiting", kind="tell") is None


def test_a_timed_block_is_counted_also_when_it_breaks() -> None:
    before = metrics.value("andon_rule_evaluation_seconds_count") or 0
    with pytest.raises(ValueError, match="broke"), metrics.timed(metrics.rules):
        raise ValueError("broke")
    assert metrics.value("andon_rule_evaluation_seconds_count") == before + 1
