"""Which Apprise URLs a plant may use, and what is said about the others."""

from __future__ import annotations

import pytest
from pydantic import ValidationError

from notifiers.apprise_url import AppriseConfig


def complaint(url: str) -> str:
    with pytest.raises(ValidationError) as caught:
        AppriseConfig.model_validate({"url": url})
    return "; ".join(e["msg"] for e in caught.value.errors(include_input=False, include_url=False))


@pytest.mark.parametrize(
    "url", ["ntfys://ntfy.example.com/andon", "mailto://u:s3cret@example.com", "JSON://h/x"]
)
def test_the_long_tail_is_taken_and_its_url_not_shown(url: str) -> None:
    config = AppriseConfig.model_validate({"url": url})
    assert url not in repr(config)


@pytest.mark.parametrize(
    ("scheme", "kind"),
    [
        ("wecombot", "kind: wecom"),
        ("wecom", "kind: wecom"),
        ("wechat", "kind: wecom"),
        ("dingtalk", "kind: dingtalk"),
    ],
)
def test_robots_whose_success_means_nothing_have_a_kind_of_their_own(scheme: str, kind: str) -> None:
    assert kind in complaint(f"{scheme}://s3cret")


@pytest.mark.parametrize(
    "url", ["file:///etc/passwd", "feishu://s3cret", "pushplus://s3cret", "windows://", "s3cret"]
)
def test_anything_else_is_refused_without_quoting_it(url: str) -> None:
    text = complaint(url)
    assert "not allowed" in text
    assert "s3cret" not in text


@pytest.mark.parametrize(
    "query", ["attach=/etc/passwd", "template=/etc/passwd", "pgpkey=/root/k", "Include=file:///x"]
)
def test_a_url_that_would_read_a_file_is_refused(query: str) -> None:
    assert "would read a file" in complaint(f"mailto://u:s3cret@example.com?{query}")


@pytest.mark.parametrize("query", ["retry=5", "wait=9", "rto=60"])
def test_a_url_that_sets_its_own_pace_is_refused(query: str) -> None:
    assert "hub's business" in complaint(f"jsons://example.com/?{query}")
