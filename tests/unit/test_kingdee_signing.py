"""The signature vectors of the contract, on both sides of the wire."""

from __future__ import annotations

import base64

import pytest
from k3cloud_webapi_sdk.main import K3CloudApiSdk

from erp_bridge import kingdee_signing as ours
from tests.simulators.kingdee import signing as theirs

URL = "http://127.0.0.1:18080/k3cloud/Kingdee.BOS.WebApi.ServicesStub.DynamicFormService.View.common.kdsvc"
PATH = "/k3cloud/Kingdee.BOS.WebApi.ServicesStub.DynamicFormService.View.common.kdsvc"
APP_ID = "300001_AAECAwQFBgcICQoLDA0ODxAREhMUFRYX"
SECRET = "demo-app-secret"
S1 = "ZjdmM2I5ZDczMDUwYzA0ODE3ZjkzMGNkNmNiYzc2YmQ0NTY0OWRiYzY1MmY5ZGY4MzQ4MGFjZmU3M2YyYjhiNQ=="
S2 = "NmQ4MDc0ZjNkOTg2ZTM3NGRlNWIxZTExODhjNDc0MTU2YmIwMGU1ZDFmNzI4N2JmYTljMDM4N2JjMmUyZjg0Ng=="
IDENTITY = ("5f0acct", "demo", 2052, 100)


def test_the_connector_signs_as_the_contract_says() -> None:
    headers = ours.signed_headers(URL, IDENTITY, APP_ID, SECRET, 1700000000)
    assert headers["X-Api-Signature"] == S1
    assert headers["X-Kd-Signature"] == S2
    assert headers["X-Kd-Appdata"] == "NWYwYWNjdCxkZW1vLDIwNTIsMTAw"
    assert ours.client_secret(APP_ID) == ("300001", "MDE3N2I2PzBrPzg4OD45N3IhK3B1InIk")


def test_the_simulator_expects_what_the_contract_says() -> None:
    assert theirs.gateway_signature(APP_ID, PATH, "1700000000", "1700000000") == S1
    assert theirs.application_signature(APP_ID, SECRET, "5f0acct,demo,2052,100") == S2
    expected = "d3620d13f936929fc8f49ea72ed863a9d8ffd9cc19a61bb5560b17307ea48ef1"
    assert theirs.login_signature("5f0acct", "demo", APP_ID, SECRET, "1700000000") == expected


@pytest.mark.parametrize(
    "url",
    [
        URL,
        "https://tenant.ik3cloud.com/k3cloud/View.common.kdsvc",
        "http://erp.local:8080/星空/View.common.kdsvc",
    ],
)
def test_our_headers_equal_the_vendors_own(url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("k3cloud_webapi_sdk.core.webapi_client.time.time", lambda: 1700000000.9)
    sdk = K3CloudApiSdk(url)
    sdk.InitConfig("5f0acct", "demo", APP_ID, SECRET, url, org_num=100)
    vendor = sdk.BuildHeader(url)
    mine = ours.signed_headers(url, IDENTITY, APP_ID, SECRET, 1700000000)
    assert mine == {name: vendor[name] for name in mine}


@pytest.mark.parametrize("app_id", ["plain", "a_b_c", "300001_short", "300001_" + "*" * 32, ""])
def test_an_app_id_of_another_form_hides_no_secret(app_id: str) -> None:
    assert ours.client_secret(app_id) == ("", "")


def test_a_signature_wraps_the_hexadecimal_text_and_not_the_digest() -> None:
    assert len(base64.b64decode(ours.signature("key", "message"))) == 64
