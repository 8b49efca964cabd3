"""Finds which labels the sentences of a marked text affirm, deny, or only name."""

from __future__ import annotations

import re
from collections.abc import Set
from typing import NamedTuple

from harness_plugins.annotators.llm.reading.marking import MARK, UNSPACED, label_of

SENTENCE = re.compile(r"[^.!?\n。！？؟।]+[.!?\n。！？؟।]*")
CLAUSE = re.compile(
    r"[.,;:!?()\[\]{}<>|/\\\n\r•…=→，、；：。！？（）؟،؛।]+|\s[-–]+\s|[—―]|->"
    r"|\b(?:(?<!anything )(?<!all )(?<!everything )but|because|although|though|while"
    r"|whereas|however|since|(?<!not )(?<!n't )so|and(?= not\b)|rather(?! than))\b",
    re.IGNORECASE,
)


def _either(words: str) -> str:
    return "|".join(re.split(r"(?<!\\)\s+", words.strip()))


_WORDS = r"""
not no never neither nor none nothing nobody cannot without hardly barely scarcely rarely seldom
non lacks? lacking unlikely opposite contrary isnt doesnt dont exclud\w+ reject\w* deny denies
denied dismiss\w* rul\w+\ out rather\ than instead\ of far\ from (?:any|every)thing\ but all\ but
fails? if whether unless doubt\w* free\ (?:of|from) devoid absen\w+ wrong\w* incorrect\w*
mistak\w+ mislabel\w* misclassif\w+ false\w* untrue zero 0\s{0,3}% less least disagree\w* against
except other\ than apart\ from short\ of alles\ andere impossible improbable implausible may
might could perhaps maybe possibly potentially supposed\w* pretend\w* used\ to alleged\w*
seeming\w* almost nearly partly tempt\w* would\ have should\ have at\ first initially ne pas
jamais sans aucun\w* ni nicht kein\w* nie niemals weder ohne não nem sem nunca jamás tampoco nada
nadie sin ningun\w* ningún senza mai né niente nessun\w* niet geen nooit inte ingen ikke ei eivät
nem не нет ни нельзя без вряд değil yok ليس ليست لا لم لن غير ما नहीं nein nej nope nee いいえ
"""
_JOINED = (
    "[不没沒无無未否莫勿难難]|(?<![类類性特个分级])别|非(?!常)|如果|可能|也许|或许|怎么|ない|ません|아니|않|못"
    "|ไม่|มิ|หาก|ถ้า|อาจ"
)
NEGATES = re.compile(
    rf"\b(?:{_either(_WORDS)})(?!\w)|n['’]t\b|\bn['’](?=\w)|{_JOINED}|☐|\[ \]|[❌✗✘¬≠]", re.I
)
_AFTER = re.compile(
    r"n['’]t\b|\b(?:not|never|cannot|wrong|incorrect|inappropriate|unlikely|ruled out|excluded"
    r"|rejected|false|absent|missing|doubtful|implausible|impossible|nicht|pas|niet|ikke|inte"
    r"|değil|нет|नहीं)(?!\w)|^\s*-?free\b",
    re.IGNORECASE,
)
_OPEN = re.compile(
    r"(?:\b(?:not|never|hardly|barely|cannot|nicht|pas|ikke|inte|niet)|n['’]t)\s*$", re.IGNORECASE
)
"""Ends of clauses that deny the next clause ("It is not, in my view, positive")."""

_CUES = r"""
(?<!there\ )(?:is|are|was|were) be (?<!such\ )as says? choose choosing chose picks? selects?
gives?(?:\ it)? go(?:ing)?\ (?:with|for) went\ with opt(?:ing)?\ for settle\ on vote(?:\ for)?
lean(?:s|ing)?\ towards? calls?(?:\ it|\ this)? label rate deem consider express\w* conveys?
shows? indicates? suggests? reflects? ask(?:s|ing)?\ (?:for|about) about concerns?
relate[sd]?\ to refers?\ to belongs?\ (?:to|in) falls?\ (?:under|into|in) fits? matches seems?
looks? appears? sounds? feels? remains? es está son est ist sind é è são это является dirais
diría diria direi sage elijo choisis wähle scelgo escolho como comme parece semble scheint sembra
هو هي ال\w+
"""
_FILLERS = r"""
an? the this that it its to be being as of in my one \w+ly very quite rather more most best
likely overall mostly just also still then indeed category class label type sentiment tone answer
option number under rated labell?ed classified considered deemed marked called judged tagged for
both \w+\ and un una une uno ein eine einen el la le lo il um uma muy très sehr molto muito
\w+mente \w+ment de du der die das
"""

_FILLING = rf"(?:(?:{_either(_FILLERS)})\s{{1,5}}){{0,6}}"
_CUES_JOINED = "是|为|為|属于|屬於|选择|選擇|选|于|は|が|เป็น|คือ|ว่า|[은는이가]"
_FILLERS_JOINED = "很|非常|比较|较为|更|最|一种|一个|一個|明显|明顯|整体|总体|偏|的|了|ความ|เชิง"
_FRAME = re.compile(
    rf"(?:\b(?:{_either(_CUES)})(?!\w)|['’](?:s|re)\b|{_CUES_JOINED})\s{{0,5}}{_FILLING}"
    rf"(?:(?:{_FILLERS_JOINED})\s?){{0,4}}{MARK}"
    rf"|^[^\w{MARK[1:-1]}]*(?:[\w ]{{1,20}}- )?{_FILLING}{MARK}"
    rf"(?=(?:\s(?:stars?|points?|sentiment|tone|review|category|label|class))?\W*$"
    r"|\s(?:rather than|instead of)\b)",
    re.IGNORECASE,
)
_FRAME_AFTER = re.compile(
    rf"{MARK}\s{{1,5}}(?:(?:is|seems|would be)\s{{1,5}}(?:(?:the|my)\s{{1,5}}(?:\w+ )?(?:answer"
    r"|label|category|class|choice|one|sentiment)|correct|right)|fits|applies|it is|है)(?!\w)",
    re.IGNORECASE,
)
_SUFFIX = re.compile(
    r"\s?(?:的|性|类|類|别|別|情感|情绪|评价|评论|态度|内容|倾向|文本|です|だ|である|と思います|ครับ|ค่ะ|นะ"
    r"|มาก|적|인|이다|입니다|이에요|예요|임|리뷰|\s)*\W*$"
)
_UNSPACED = re.compile(rf"\s?[{UNSPACED}]")
_PLAIN_END = re.compile(r"\s*(?:stars?|points?|out of \d+|(?:for|here)\b.*)?\W*$", re.IGNORECASE)
_QUANTITY = re.compile(r"\s+(?!and\b|or\b|to\b|out\b|stars?\b)\w|\s*,\s*\w", re.IGNORECASE)
_JOINS = re.compile(
    rf"\s?(?:(?:or|and|to|und|oder|o|ou|y|e|et|или|и)\s|[&或和とか])[^{MARK[1:-1]}]{{0,20}}{MARK}",
    re.I,
)
_SCALE = re.compile(rf"\b(?:scale|range)\s(?:of\s|from\s){{0,2}}{MARK}\s?(?:to|-|–)\s?{MARK}", re.I)

_YES = re.compile(
    r"(?:yes|yep|yeah|true|correct|right|definitely|certainly|present|detected|high|sí|si|oui|ja"
    r"|sim|да|是|是的|对|はい|네|ใช่|نعم|✓|✔|✅|x)\W*",
    re.IGNORECASE,
)
_NUMBER = re.compile(r"(\d{1,9}(?:[.,]\d{1,9})?)\s?(?:(%)|/\s?(\d{1,9}))?")
_VERDICT = re.compile(
    rf"({MARK})[)\]\"']{{0,2}}\s{{0,3}}([:=?：？|→]|=>|->|\s[-–]|[—(]|\n)[\s(]{{0,3}}"
    rf"(\d[\d.,]{{0,12}}\s?(?:%|/\s?\d{{1,9}})?(?![^\W_])|[^.,;!?()\n。{MARK[1:-1]}]{{1,60}}+(?!{MARK}))"
)
_BEFORE = re.compile(
    rf"(?:☐|\[ \]|[❌✗✘¬≠]|(?:{NEGATES.pattern})(?: \w{{1,20}}){{0,1}}"
    rf"(?:(?: \w{{1,20}}){{0,4}} (?:is|be|label|answer|category|class))?\s{{0,3}}[:(\[–—-])"
    rf"\s{{0,3}}({MARK})|({MARK})\s{{0,3}}(?:[❌✗✘]|,\s?(?:no|not)(?=[.!]|\s*$))",
    re.IGNORECASE,
)
_DENIED, _NAMED = 0x10000, 0x18000
_SETTLED = re.compile("[\U00100000-\U0010fffd]")


class Stances(NamedTuple):
    """Class indices by what a text says of the labels."""

    affirmed: set[int]
    denied: set[int]
    named: set[int]


def settled(text: str, plain: Set[int]) -> str:
    """The marked text after deciding on labels by form instead of by sentence.

    "▮: no", "▮? No.", "▮: 0 %", "❌ ▮" deny a label; "▮: yes", "▮? Yes." affirm it. A short
    remark of unknown meaning ("▮: nej") or a low score only names it, but for ``plain`` labels
    a remark decides nothing ("1: awful"). Questions and scales ("from 1 to 5") are removed.
    """
    text = _BEFORE.sub(lambda found: _other(found[1] or found[2], _DENIED), text)
    text = _SCALE.sub("", _VERDICT.sub(lambda found: _verdict(found, plain), text))
    if "?" not in text and "？" not in text and "؟" not in text:
        return text
    return "".join(
        "\n" if re.search(r"[?？؟]\s*$", one[0]) and re.search(MARK, one[0]) else one[0]
        for one in SENTENCE.finditer(text)
    )


def stances(text: str, plain: Set[int]) -> Stances:
    """What the sentences of a text from ``settled`` say of labels.

    Those in ``plain`` are also words or numbers of prose ("I", "no", "4"), affirmed only at
    the end of a clause.
    """
    made = Stances(set(), set(), set())
    for char in _SETTLED.findall(text):
        shift = _DENIED if ord(char) < ord("\U00108000") else _NAMED
        made[1 if shift == _DENIED else 2].add(label_of(chr(ord(char) - shift)))
    for sentence in SENTENCE.findall(text):
        if re.search(MARK, sentence):
            _read(sentence, plain, made)
    return made


def _read(sentence: str, plain: Set[int], made: Stances) -> None:
    carried, position = False, 0
    for end in [*CLAUSE.finditer(sentence), None]:
        clause = sentence[position : end.start() if end else None]
        marks = list(re.finditer(MARK, clause))
        if marks:
            _read_clause(clause, marks, plain, made, carried=carried)
        carried = not marks and (carried or _OPEN.search(clause) is not None)
        if end:
            carried = carried and end[0].lower() != "but"
            position = end.end()


def _read_clause(
    clause: str, marks: list[re.Match[str]], plain: Set[int], made: Stances, *, carried: bool
) -> None:
    first = NEGATES.search(clause)
    denied_from = 0 if carried else first.end() if first else len(clause)
    denied_to = max((found.start() for found in _AFTER.finditer(clause)), default=-1)
    framed = {found.end() - 1 for found in _FRAME.finditer(clause)}
    followed = {found.start() for found in _FRAME_AFTER.finditer(clause)}
    for mark in marks:
        label, after = label_of(mark[0]), clause[mark.end() : mark.end() + 80]
        if mark.start() >= denied_from or mark.start() < denied_to:
            made.denied.add(label)
        elif mark.start() in followed or (
            mark.start() in framed and _ends_well(label, after, plain)
        ):
            made.affirmed.add(label)
        elif not (label in plain and _QUANTITY.match(after)):
            made.named.add(label)


def _ends_well(label: int, after: str, plain: Set[int]) -> bool:
    if _JOINS.match(after):
        return False
    if label in plain:
        return _PLAIN_END.match(after) is not None
    return _UNSPACED.match(after) is None or _SUFFIX.match(after) is not None


def _verdict(found: re.Match[str], plain: Set[int]) -> str:
    """Decide on a label by the remark that follows its separator."""
    mark, separator, answer = found.groups()
    answer = answer.strip()
    number = _NUMBER.fullmatch(answer)
    strict = separator in ":=?：？|→=>->"
    if number:
        value = float(number[1].replace(",", ".")) / (
            100 if number[2] else float(number[3] or 1) or 1
        )
        low = _other(mark, _NAMED if value else _DENIED)
        return found[0] if value > 0.5 else found[0].replace(mark, low)
    if _YES.fullmatch(answer):
        return f"\n{mark}\n"
    against = NEGATES.match(answer)
    if against and (strict or len(answer.split()) <= (1 if separator == "\n" else 3)):
        return found[0].replace(mark, _other(mark, _DENIED))
    if separator in ":=：" and len(answer.split()) <= 2 and label_of(mark) not in plain:
        return found[0].replace(mark, _other(mark, _NAMED))
    return found[0]


def _other(mark: str, shift: int) -> str:
    return chr(ord(mark) + shift)
