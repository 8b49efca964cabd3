"""Any table with a column of texts, read as it stands or refused with what to do."""

from __future__ import annotations

import csv
import io
import json
from datetime import date, datetime
from pathlib import Path

import pytest

from harness.errors import CommandError, DataError, HarnessError
from harness.export.rows import write_rows
from harness.files.raw_table import plain
from harness.files.user_file import read_rows

SENTENCES = {
    "zh": [
        "我的包裹三天前就应该到了，但是还没有送来。",
        "我无法登录账户，密码总是错误。",
        "发票上的金额不对，请退款。",
    ],
    "th": ["พัสดุของฉันยังไม่มาถึงเลย", "ฉันเข้าสู่ระบบไม่ได้ รหัสผ่านผิด", "ใบแจ้งหนี้ไม่ถูกต้อง โปรดคืนเงิน"],
    "ar": [
        "لم تصل الشحنة حتى الآن",
        "لا أستطيع تسجيل الدخول إلى حسابي",
        "الفاتورة غير صحيحة، أريد استرداد المال",
    ],
    "tr": [
        "Kargom hâlâ gelmedi, üç gündür bekliyorum",
        "Şifremi unuttum, giriş yapamıyorum",
        "Fatura yanlış; ödeme iadesi istiyorum",
    ],
    "de": [
        "Das Paket ist noch nicht da, ich warte täglich",
        "Mein Paßwort geht nicht; ich möchte mich anmelden",
        "Die Rechnung über zwölf Euro stimmt nicht, bitte prüfen",
    ],
    "ru": [
        "Посылка до сих пор не пришла, жду уже неделю",
        "Не могу войти в аккаунт; пароль не подходит",
        "Счёт неверный, верните, пожалуйста, деньги",
    ],
    "ja": [
        "荷物がまだ届きません。三日も待っています。",
        "ログインできません、パスワードが違うそうです",
        "請求書の金額が間違っています",
    ],
    "en": [
        "The parcel is late, and I have waited for days",
        "I cannot sign in; the password is wrong",
        "The café charged me twice, please refund £5",
    ],
}
UNICODE = ("utf-8", "utf-8-sig", "utf-16")
NAMED = {"gb18030": "GB18030", "cp1251": "WINDOWS-1251", "latin-1": "WINDOWS-1252"}
"""Encodings without a mark, and what the advice calls them."""
LANGUAGES = {
    "utf-8": ("zh", "th", "ar", "tr"),
    "utf-8-sig": ("de", "ru", "ja", "en"),
    "utf-16": ("ar", "zh", "ru", "th"),
    "gb18030": ("zh", "zh", "zh", "zh"),
    "cp1251": ("ru", "ru", "ru", "ru"),
    "latin-1": ("de", "de", "en", "de"),
}
FORMS = {"comma": ",", "semicolon": ";", "tab": "\t", "sep=": ";"}
CASES = [
    (encoding, form, languages[place])
    for encoding, languages in LANGUAGES.items()
    for place, form in enumerate(FORMS)
]


def table(form: str, language: str) -> str:
    """Ids and texts, some with the separator in them."""
    out = io.StringIO()
    writer = csv.writer(out, delimiter=FORMS[form], lineterminator="\r\n")
    writer.writerow(["id", "text"])
    writer.writerows([f"n{row}", text] for row, text in enumerate(SENTENCES[language] * 8))
    return ("sep=;\r\n" if form == "sep=" else "") + out.getvalue()


@pytest.mark.parametrize(("encoding", "form", "language"), CASES)
def test_a_spreadsheets_file_is_read_or_refused_but_never_garbled(
    tmp_path: Path, encoding: str, form: str, language: str
) -> None:
    file = tmp_path / "texts.csv"
    file.write_bytes(table(form, language).encode(encoding))
    if encoding in UNICODE:
        opened = read_rows(file)
        rows = [row for _, row in opened.rows()]
        assert opened.columns == ("id", "text")
        assert [row["text"] for row in rows] == SENTENCES[language] * 8
        assert [row["id"] for row in rows] == [f"n{row}" for row in range(len(rows))]
    else:
        with pytest.raises(DataError, match="not UTF-8") as caught:
            list(read_rows(file).rows())
        assert f"iconv -f {NAMED[encoding]}" in str(caught.value)


ROWS = [
    {"id": 1, "message": 'a "b"; c\nd 😀', "day": date(2026, 1, 2)},
    {"id": 2, "message": "", "day": None},
    {"id": 3, "message": "=SUM(1)", "day": date(2026, 1, 4)},
]


@pytest.mark.parametrize("suffix", [".csv", ".tsv", ".jsonl", ".json", ".parquet", ".xlsx"])
def test_every_format_gives_back_what_was_written(tmp_path: Path, suffix: str) -> None:
    if suffix == ".xlsx":
        pytest.importorskip("openpyxl")
    file = tmp_path / f"rows{suffix}"
    assert write_rows(file, ROWS) == 3
    opened = read_rows(file)
    assert (opened.columns, opened.text) == (("id", "message", "day"), "message")
    found = [row for _, row in opened.rows()]
    assert [row["message"] or "" for row in found] == [row["message"] for row in ROWS]
    assert [str(row["id"]) for row in found] == ["1", "2", "3"]
    assert str(found[0]["day"])[:10] == "2026-01-02"
    assert "column 'message'" in opened.notes[0]


def test_a_text_file_has_a_text_a_line_empty_ones_too(tmp_path: Path) -> None:
    file = tmp_path / "texts.txt"
    file.write_text("one, two\n\nthree\n", encoding="utf-8")
    found = list(read_rows(file).rows())
    assert [row["text"] for _, row in found] == ["one, two", "", "three"]
    assert found[2][0] == f"{file}:3"


def test_a_column_without_a_name_is_texts(tmp_path: Path) -> None:
    file = tmp_path / "texts.csv"
    file.write_text('"one, two"\nthree\n', encoding="utf-8")
    opened = read_rows(file)
    assert [row["text"] for _, row in opened.rows()] == ["one, two", "three"]
    assert "no header" in opened.notes[0]


def test_objects_may_lack_columns(tmp_path: Path) -> None:
    file = tmp_path / "texts.jsonl"
    file.write_text("\n".join(map(json.dumps, ({"text": "a"}, {"text": "b", "id": 7}))))
    opened = read_rows(file)
    assert opened.columns == ("text", "id")
    assert [row.get("id") for _, row in opened.rows()] == [None, 7]


@pytest.mark.parametrize(
    ("name", "content", "column", "said"),
    [
        ("a.csv", "id,when\n1,2\n", None, "which column holds the texts? Its columns are id, when"),
        ("a.csv", "title,body\na,b\n", None, "--column text=title"),
        ("a.csv", "id,text\n1,a\n", "message", "there is no column 'message'; its columns are id"),
        ("a.csv", "1,first\n2,second\n", None, "does not look like names of columns"),
        ("a.csv", "", None, "holds no rows"),
        ("a.csv", "id,text\n1,a,b\n", None, "a.csv:2: 3 columns where the first row has 2"),
        ("a.docx", "x", None, "a file ends in one of .csv"),
        ("a.json", '{"text": "a"}', None, "not an array of rows"),
    ],
)
def test_what_is_unclear_is_asked_in_one_line(
    tmp_path: Path, name: str, content: str, column: str | None, said: str
) -> None:
    file = tmp_path / name
    file.write_text(content, encoding="utf-8")
    with pytest.raises(HarnessError) as caught:
        list(read_rows(file, column).rows())
    assert said.casefold() in str(caught.value).casefold()
    assert "\n" not in str(caught.value)


def test_a_missing_file_is_named(tmp_path: Path) -> None:
    with pytest.raises(CommandError, match="no such file"):
        read_rows(tmp_path / "none.csv")


def test_wrong_rows_are_named_together(tmp_path: Path) -> None:
    file = tmp_path / "a.csv"
    file.write_text("id,text\n1,a\n" + "2,b,c\n" * 7 + "3,d\n", encoding="utf-8")
    with pytest.raises(DataError) as caught:
        list(read_rows(file).rows())
    said = str(caught.value).replace(str(file), "a.csv")
    assert said.startswith("a.csv:3: 3 columns where the first row has 2")
    assert "(6 more rows are wrong: a.csv:4, a.csv:5, a.csv:6, a.csv:7, ...)" in said


def test_a_workbook_keeps_dates_and_numbers_and_names_other_sheets(tmp_path: Path) -> None:
    openpyxl = pytest.importorskip("openpyxl")
    file, book = tmp_path / "a.xlsx", openpyxl.Workbook()
    sheet = book.active
    sheet.title = "mail"
    sheet.append(["id", "text", "day", "time", "price", None])
    sheet.append([1, "first", date(2026, 1, 2), datetime(2026, 1, 2, 8, 30), 2.5])
    sheet.append([None])
    sheet.append([3, 404, None, None, 7])
    sheet.cell(900, 3).number_format = "0.00"  # an empty row that only has a format
    book.create_sheet("notes")
    book.save(file)
    opened = read_rows(file)
    assert opened.columns == ("id", "text", "day", "time", "price")
    assert f"{file}: sheet 'mail' is read; left out: 'notes'" in opened.notes
    rows = [{name: plain(value) for name, value in row.items()} for _, row in opened.rows()]
    assert rows[0] == {
        "id": 1, "text": "first", "day": "2026-01-02", "time": "2026-01-02T08:30:00", "price": 2.5
    }  # fmt: skip
    assert list(rows[1].values()) == [None] * 5
    assert len(rows) == 3
    sheet["B5"] = "=A2+1"
    book.save(file)
    with pytest.raises(DataError, match="cell B5 holds a formula without its value; open the"):
        read_rows(file)
    sheet["B5"], sheet["G4"] = "x", "lost"
    book.save(file)
    with pytest.raises(DataError, match="row 4: holds more than the 5 columns named in row 1"):
        list(read_rows(file).rows())
