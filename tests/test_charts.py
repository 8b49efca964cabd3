"""Charts of a report: names and keys have room, and nothing crosses them."""

from __future__ import annotations

import re
from xml.etree import ElementTree

from harness.report.charts.axes import WIDTH
from harness.report.charts.markup import Html
from harness.report.charts.row_charts import Change, changes_chart, parts_chart
from harness.report.charts.xy_charts import Point, Series, stages_chart

LETTER = 7.0
"""At least the mean width of a letter, in a wide font such as DejaVu Sans."""
COMMON = "noisy:0.2 + minilm generated=true demonstrations=k-medoids query=untrusted trust="
NAMES = (f"{COMMON}small-loss mixup=0.0", f"{COMMON}small-loss consistency=0.0")
PARTS = {"both right": "sky", "student alone": "blue", "annotator alone": "orange",
         "both wrong": "rest"}  # fmt: skip


def texts(picture: Html) -> list[tuple[float, float, str]]:
    """Where each text begins, or ends, and what it says; all of them lie within the picture."""
    root = ElementTree.fromstring(picture)
    high = float(root.attrib["viewBox"].split()[-1])
    found = []
    for one in root.iter("{http://www.w3.org/2000/svg}text"):
        x, y, text = float(one.attrib["x"]), float(one.attrib["y"]), one.text or ""
        wide = LETTER * len(text)
        begin = {"end": x - wide, "middle": x - wide / 2}.get(one.get("text-anchor", ""), x)
        assert begin > -8 and begin + wide < WIDTH + 8 and y < high, text
        found.append((x, y, text))
    return found


def test_long_names_are_whole_and_told_apart() -> None:
    rows = [Change(name, 0.01 * k, -0.02, 0.03, False) for k, name in enumerate(NAMES)]
    lines = [Series(name, [Point(0, 0.5), Point(1, 0.6)]) for name in NAMES]
    for picture in (changes_chart(rows, across="points"), stages_chart(lines, ["R2", "R4"])):
        shown = "".join(text for _, _, text in texts(picture) if text[0] not in "+−")
        for name in NAMES:
            assert name.replace(" ", "") in shown.replace(" ", "")


def test_the_line_of_no_difference_crosses_no_name() -> None:
    rows = [Change(name, 0.0, -0.02, 0.02, False) for name in NAMES]
    picture = changes_chart(rows, across="points")
    written = [y for _, y, text in texts(picture) if text.split()[0] in COMMON + " small-loss"]
    upright = [
        (float(y), float(end))
        for x, y, to, end in re.findall(
            r'<line x1="(.+?)" y1="(.+?)" x2="(.+?)" y2="(.+?)"', picture
        )
        if x == to
    ]
    assert len(upright) == len(rows) and len(written) > len(rows)
    assert not [y for y in written for top, end in upright if top < y and y - 8 < end]


def test_a_key_stays_in_its_picture() -> None:
    picture = parts_chart([("mine", dict.fromkeys(PARTS, 5))], PARTS)
    assert {text for _, _, text in texts(picture)} >= set(PARTS)
