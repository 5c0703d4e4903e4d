"""Register maps in files of their own."""

from __future__ import annotations

import zipfile
from pathlib import Path
from typing import Any

import pytest
from pydantic import ValidationError

from collectors.modbus_config import ModbusConfig
from collectors.mqtt_topics import ValueBlock
from collectors.opcua_nodes import NodeBlock
from collectors.sparkplug import MetricBlock
from hub import document
from hub.config import explain

SHEET = '<worksheet xmlns="http://schemas.openxmlformats.org/spreadsheetml/2006/main"><sheetData>{}</sheetData></worksheet>'
WORKBOOK = (
    '<workbook xmlns="http://schemas.openxmlformats.org/spreadsheetml/2006/main" '
    'xmlns:r="http://schemas.openxmlformats.org/officeDocument/2006/relationships">'
    '<sheets><sheet name="map" sheetId="1" r:id="r1"/></sheets></workbook>'
)
LINKS = (
    '<Relationships xmlns="http://schemas.openxmlformats.org/package/2006/relationships">'
    '<Relationship Id="r1" Target="worksheets/sheet1.xml"/></Relationships>'
)


def config(path: Path, **more: Any) -> ModbusConfig:
    return ModbusConfig.model_validate({"host": "plc", "points": {"file": str(path)}, **more})


def complaints(path: Path) -> str:
    with pytest.raises(ValidationError) as caught:
        config(path)
    return "\n".join(explain(caught.value, "with"))


def csv(folder: Path, text: str, name: str = "map.csv") -> Path:
    path = folder / name
    path.write_bytes(text.encode("gb18030"))
    return path


def xlsx(folder: Path, rows: str) -> Path:
    path = folder / "map.xlsx"
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as book:
        book.writestr("xl/workbook.xml", WORKBOOK)
        book.writestr("xl/_rels/workbook.xml.rels", LINKS)
        book.writestr("xl/worksheets/sheet1.xml", SHEET.format(rows))
    return path


ROWS = [
    {"tag": "m/温度", "address": 5, "type": "int16", "scale": 0.1, "offset": -40},
    {"tag": "m/b", "reference": 30012, "type": "float32", "word_order": "little", "unit": 7},
    {"tag": "m/c", "address": 9, "table": "coil"},
    {"tag": "m/d", "reference": 400021, "type": "string", "length": 4, "codes": {"RUN": 1, "STOP": 0}},
    {"tag": "m/e", "address": 30, "codes": {0: 1, 3: 7}, "group": "slow"},
]
CSV = """tag,address,reference,type,table,scale,offset,word_order,unit,length,codes,group
m/温度,5,,int16,,0.1,-40,,,,,
m/b,,30012,float32,,,,little,7,,,
# the lamp
m/c,9,,,coil,,,,,,,

m/d,,400021,string,,,,,,4,RUN=1; STOP=0,
m/e,30,,,,,,,,,0=1;3=7,slow
"""


def cell(value: Any) -> str:
    if isinstance(value, int | float):
        return f"<c><v>{value}</v></c>"
    return f'<c t="inlineStr"><is><t>{value}</t></is></c>'


def test_a_map_means_the_same_in_every_format(tmp_path: Path) -> None:
    in_place = ModbusConfig.model_validate({"host": "plc", "points": ROWS, "groups": {"slow": "10s"}})
    yaml = tmp_path / "map.yaml"
    yaml.write_text(f"points: {ROWS}", encoding="utf-8")
    lines = [line.split(",") for line in CSV.splitlines() if line and line[0] != "#"]
    table = "".join(
        "<row>" + "".join(cell(_typed(c)) if c else "<c/>" for c in li) + "</row>" for li in lines
    )
    for path in (
        csv(tmp_path, CSV),
        csv(tmp_path, CSV.replace(",", "\t"), "a.tsv"),
        yaml,
        xlsx(tmp_path, table),
    ):
        assert config(path, groups={"slow": "10s"}).points == in_place.points
    kept = [(p.point.table, p.point.address, p.point.width) for p in in_place.points]
    assert kept == [
        ("holding", 5, 1),
        ("input", 11, 2),
        ("coil", 9, 1),
        ("holding", 20, 4),
        ("holding", 30, 1),
    ]


def _typed(text: str) -> Any:
    try:
        return float(text)
    except ValueError:
        return text


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("tag,address\nm/a,0\nm/b,x\nm/c,70000\n", ["map.csv:3: address: ", "map.csv:4: address: "]),
        ("tag,address\nm/a,0\nm/a,1\n", ["map.csv:3: tag: 'm/a' is there already, see", "map.csv:2"]),
        ("tag,adress\nm/a,0\n", ["map.csv:1: unknown column 'adress'; did you mean 'address'?"]),
        ("tag,address,tag\nm/a,0,1\n", ["map.csv:1: the column 'tag' is there twice"]),
        ("name\nm/a\n", ["map.csv:1: unknown column 'name'"]),
        ("address\n1\n", ["map.csv:1: no column 'tag'"]),
        ("tag,address\n", ["map.csv: holds no points"]),
        ("", ["map.csv:1: no column 'tag'"]),
        ("tag,address\nm/a,=1+1\n", ["map.csv:2: address: holds a formula"]),
        ("tag,address\n=cmd|' /C calc'!A0,1\n", ["map.csv:2: tag: holds a formula"]),
        ("tag,address\nm/a,1,2\n", ["map.csv:2: column 3 has no name"]),
        ("tag,address,type\nm/a,1,REAL\n", ["map.csv:2: type: 'REAL' is not known here; write float32"]),
        ("tag,address,type\nm/a,1,blob\n", ["map.csv:2: type: 'blob' is not known here; write one of bool,"]),
        (
            "tag,address,word_order\nm/a,1,CDAB\n",
            ["map.csv:2: word_order: 'CDAB' is not known here; write word_order: little and byte_order: big"],
        ),
        ('tag,address,scale\nm/a,1,"0,1"\n', ["map.csv:2: scale: '0,1' has a decimal comma; write 0.1"]),
        ("tag,address,codes\nm/a,1,1:2\n", ["map.csv:2: codes: '1:2' is not understood; write 0=1"]),
        ("tag,address,codes\nm/a,1,RUN=2\n", ["map.csv:2: codes: 'RUN' is no number"]),
        ("tag,reference\nm/a,50001\n", ["map.csv:2: reference: is a number such as 40001"]),
        ("tag,reference\nm/a,40000\n", ["map.csv:2: reference: is a number such as 40001"]),
        ("tag,reference,address\nm/a,40001,0\n", ["map.csv:2: reference: says table and address already"]),
        ("tag\nm/a\n", ["map.csv:2: address: is missing"]),
        ("tag,address,type\nm/a,0,string\n", ["map.csv:2: length: is missing"]),
        ("tag,address,length\nm/a,0,2\n", ["map.csv:2: length: is for strings"]),
        ("tag,address,type\nm/a,65535,float32\n", ["map.csv:2: address: a float32 at 65535 reaches past"]),
    ],
)
def test_what_is_wrong_in_a_map_is_told_with_its_line(tmp_path: Path, text: str, told: list[str]) -> None:
    said = complaints(csv(tmp_path, text))
    assert [t for t in told if t not in said] == []


def test_all_that_is_wrong_in_a_map_is_told_at_once_in_the_order_of_its_lines(tmp_path: Path) -> None:
    """Whatever it is: what a cell cannot hold, and what does not make a point."""
    rows = [
        "tag,address,scale,codes,",
        "m/a,=1+1,=2,1:2,",
        "m/b,x,1,,",
        "m/c,1,,,oops",
        "m/d,1,,2:3,",
        "m/e,2,0,,",
    ]
    said = complaints(csv(tmp_path, "\n".join(rows) + "\n"))
    places = [line.partition("map.csv:")[2] for line in said.splitlines()]
    wanted = [
        "2: address: holds a formula", "2: scale: holds a formula", "2: codes: '1:2' is not understood",
        "3: address: ", "4: column 5 has no name in line 1", "5: codes: '2:3' is not understood",
        "6: scale: 0 would make",
    ]  # fmt: skip
    assert [found[: len(w)] for found, w in zip(places, wanted, strict=True)] == wanted


def test_every_column_that_is_not_known_is_told(tmp_path: Path) -> None:
    said = complaints(csv(tmp_path, "\n\nname,adress,type,type\nm/a,x,y,z\n"))
    for told in ("'name'", "'adress'", "'type' is there twice", "no column 'tag'"):
        assert told in said
    assert said.count("map.csv:3: ") == 4


def test_a_yaml_map_is_complained_of_by_line(tmp_path: Path) -> None:
    path = tmp_path / "map.yaml"
    path.write_text("points:\n- {tag: m/a, address: 1}\n- tag: m/b\n  address: -7\n", encoding="utf-8")
    assert "map.yaml:4: points[1]: address: is missing" in complaints(path)


def test_of_many_complaints_the_first_are_told_and_the_rest_counted(tmp_path: Path) -> None:
    said = complaints(csv(tmp_path, "tag,address\n" + "".join(f"m/{n},x\n" for n in range(50))))
    assert said.count("map.csv:") == 20
    assert "and 30 more" in said


def test_a_formula_in_a_sheet_is_refused(tmp_path: Path) -> None:
    rows = "<row><c t='str'><v>tag</v></c></row><row><c r='A2' t='str'><f>1+1</f><v>m/a</v></c></row>"
    assert "map.xlsx: holds formulas or errors such as #N/A in A2" in complaints(xlsx(tmp_path, rows))


def test_a_zip_bomb_is_refused(tmp_path: Path) -> None:
    assert "unpacks to more than 50 MB" in complaints(xlsx(tmp_path, " " * (51 << 20)))


def test_a_map_that_is_not_there_is_told(tmp_path: Path) -> None:
    assert "cannot be read (No such file or directory)" in complaints(tmp_path / "map.csv")


def test_the_file_lies_beside_the_configuration_and_is_taken_for_no_secret(tmp_path: Path) -> None:
    raw = {"collectors": [{"with": {"points": {"file": "map.csv"}}}], "key": {"file": "map.csv"}}
    csv(tmp_path, "tag,address\n")
    read = document.with_secrets(raw, {}, tmp_path, [])
    assert read["collectors"][0]["with"]["points"] == {"file": str(tmp_path / "map.csv")}
    assert read["key"] == "tag,address"


@pytest.mark.parametrize(
    ("more", "told"),
    [
        ({"groups": {"slo": "9s"}}, "no group 'slow'; did you mean 'slo'?"),
        ({}, "no group 'slow'; add it to groups:"),
        ({"groups": {"slow": "9s", "fast": "1s"}}, "groups.fast: is said with fast:"),
        ({"groups": {"slow": "0s"}}, "groups.slow: is too short"),
        ({"groups": {"slow": "9ms"}}, "groups.slow: is too short; 10ms is the least"),
        ({"groups": {"slow": "9s"}, "max_registers": 1}, "m/b alone has 2 registers"),
    ],
)
def test_what_does_not_fit_together_is_told(more: dict[str, Any], told: str) -> None:
    with pytest.raises(ValidationError, match=told):
        ModbusConfig.model_validate({"host": "plc", "points": ROWS, **more})


def test_a_table_may_say_addresses_and_types_as_the_configuration_may(tmp_path: Path) -> None:
    path = csv(tmp_path, "tag,address,type,word_order\nm/a,0x10,INT32,LITTLE\n")
    [point] = config(path).points
    assert (point.point.address, point.point.kind, point.point.word_order) == (16, "int32", "little")


def test_codes_need_no_quotes_in_any_collector() -> None:
    written = {1: 2, "RUN": 3, 2.5: 5, False: 0}
    node = {"tag": "m/a", "node": "ns=0;i=2258", "codes": written}
    metric = {"tag": "m/a", "node": "g/n", "metric": "x", "codes": written}
    value = {"tag": "m/a", "codes": written}
    blocks = (
        ValueBlock.model_validate(value),
        NodeBlock.model_validate(node),
        MetricBlock.model_validate(metric),
    )
    assert [b.codes for b in blocks] == [{"1": 2, "RUN": 3, "2.5": 5, "false": 0}] * 3
