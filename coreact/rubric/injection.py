"""Signs that a text written as a criterion speaks to something else than the step.

A criterion goes into prompts of agents and judges. One that tells its reader to drop what it was told,
plays another role of the conversation, opens a fence or a template, or hides characters from people is
refused, whatever else it says. This knows common forms in common languages and proves nothing: a text
without a sign is still untrusted and is still fenced. Time is linear in what is looked at, `LOOKED_AT`
characters at most; a criterion longer than that is refused for its length.
"""

from __future__ import annotations

import re
from functools import lru_cache
from itertools import pairwise
from typing import NamedTuple

from coreact.rubric.words import words

LOOKED_AT = 1000
"""Most characters of a text that are looked at; a criterion holds fewer."""

_WINDOW = 8  # words within which an order to forget, what it is about and which one is meant stand together

# Direction marks, zero-width characters, blank letters, tags and variation selectors beyond those of
# emoji, controls, half characters. Joiners belong to some scripts and to emoji, but not beside ASCII.
_HIDDEN = re.compile(
    "[\x00-\x08\x0e-\x1b\x7f-\x84\x86-\x9f\u00ad\u034f\u061c\u115f\u1160\u17b4\u17b5\u180e\u200b\u200e\u200f"
    "\u202a-\u202e\u2060-\u206f\u2800\u3164\ufeff\uffa0\ufff9-\ufffb\ud800-\udfff\U000e0000-\U000e01ef]"
    "|[!-~][\u200c\u200d]|[\u200c\u200d][!-~]"
)
_ROLES = "system|assistant|developer|human|user"
_TAGS = (
    "instructions?|think(?:ing)?|tool_calls?|tool_response|function_calls?|script|rubric|inst|sys|"
    "start_of_turn|end_of_turn|im_start|im_end"
)
_MARKER = re.compile(
    rf"(?P<role>(?:^|[.!?\]>\n\"])[\s#*\[>]{{0,9}}(?:{_ROLES}|système|sistema|система|系统)[\]*]{{0,3}}\s?[:：]"
    rf"|<\||\|>|\[/?(?:INST|SYS)\]|</?\s?(?:{_ROLES}|{_TAGS})\b|</?s>)"
    r"|(?P<fence>```|~~~|<<\w|\w>>|<!--|!\[|<!\[)"
    r"|(?P<template>\{\{|\$\{|\{%|#\{|<%|<\?)"
    r"|(?P<call>[\"'](?:arguments|tool_calls?|tool_use|tool_name|function_call)[\"']\s?:)",
    re.IGNORECASE,
)
_MEANING = {
    "role": "it plays a role of the conversation",
    "fence": "it opens or closes a fence",
    "template": "it looks like a template",
    "call": "it looks like a tool call",
}


class _Order(NamedTuple):
    """How a language says: drop your instructions. The first letters of its words, folded."""

    drop: tuple[str, ...]
    which: tuple[str, ...]
    what: tuple[str, ...]


def _order(drop: str, which: str, what: str) -> _Order:
    return _Order(tuple(drop.split()), tuple(which.split()), tuple(what.split()))


_ORDERS = (
    _order(  # English
        "ignor disregard forget overrid overrul bypass discard neglect",
        "previous prior above earlier preceding former foregoing all your system original initial"
        " developer everything every",
        "instruction rule prompt direction guideline guidance directive rubric criteria"
        " everything constraint",
    ),
    _order(  # German
        "ignorier vergiss vergess missacht",
        "all vorherig bisherig obig vorig fruher deine",
        "anweisung befehl regel vorgabe instruktion",
    ),
    _order(  # French
        "ignor oubli neglig",
        "toute tous precedent anterieur ci tes vos",
        "instruction consigne regle ordre directive",
    ),
    _order(  # Spanish, Portuguese, Galician, Catalan
        "ignor olvid esquec descart desconsider omit oblid",
        "toda todo tota anterior previ tus suas seus",
        "instruc instrucc orden ordre ordem regla regra indica comando",
    ),
    _order(  # Italian
        "ignor dimentic trascur",
        "tutt precedent",
        "istruzion regol ordin comand",
    ),
    _order(  # Dutch
        "negeer vergeet",
        "alle vorige eerdere bovenstaande",
        "instructie opdracht regels",
    ),
    _order(  # Polish, Czech
        "zignoruj ignoruj zapomn pomin",
        "wszystk poprzedn wczesniejs vsechn predchoz",
        "instrukcj polecen zasad pokyn instrukc",
    ),
    _order(  # Russian, Ukrainian
        "игнорир проигнорир забуд ігнор",
        "все всі предыдущ попередн прежн выше",
        "инструкц указан правил команд інструкц вказівк",
    ),
    _order(  # Turkish
        "yok gormezden unut yoksay",
        "onceki tum butun yukaridaki",
        "talimat komut kural yonerge",
    ),
    _order(  # Vietnamese, whose words are written apart
        "bo phot",
        "tat truoc",
        "huong chi lenh",
    ),
    _order(  # Indonesian, Malay
        "abaikan lupakan",
        "semua sebelumnya",
        "instruksi perintah arahan aturan",
    ),
    _order(  # Arabic, Persian
        "تجاهل انس تجاهلوا نادیده",
        "جميع كل السابق قبلی همه",
        "التعليمات الاوامر تعليمات دستور",
    ),
    _order(  # Hindi
        "अनदेख नज़रअंद नजरअंद भूल",
        "सभी पिछल पहल",
        "निर्देश आदेश नियम",
    ),
)
_DROPS = tuple({stem for order in _ORDERS for stem in order.drop})

# Scripts without spaces: the three stand within a few characters of one another, in either order.
_UNSPACED_ORDER = re.compile("(?:忽略|忽視|忽视|无视|無視|忘记|忘掉|忘れ|무시|잊어|잊고|ละเว้น|เพิกเฉย|ลืม)")
_UNSPACED_WHICH = re.compile(
    "以前|之前|以上|先前|前面|上述|上面|所有|一切|全部|全て|すべて|これまで|上記|이전|앞의|위의|모든|ก่อนหน้า|ทั้งหมด"
)
_UNSPACED_WHAT = re.compile(
    "指令|指示|提示|说明|說明|规则|規則|命令|プロンプト|ルール|지시|명령|지침|규칙|คำสั่ง|คำแนะนำ"
)
_NEAR = 24

# Folded, between spaces.
_PHRASES = tuple(
    f" {phrase} "
    for phrase in (
        "you are now",
        "from now on you",
        "pretend to be",
        "pretend you",
        "pretend that you",
        "act as if you",
        "act as though you",
        "new instructions",
        "you were told before",
        "you were told so far",
        "system prompt",
        "developer mode",
        "do anything now",
        "jailbreak",
        "regardless of the rubric",
        "regardless of the criteria",
        "regardless of other criteria",
        "your real task",
        "your actual task",
        "your true task",
        "du bist jetzt",
        "tu es maintenant",
        "ahora eres",
        "agora voce e",
        "ora sei",
        "ты теперь",
        "теперь ты",
        "你 现 在 是",
        "你 現 在 是",
        "あ な た は 今",
    )
)
_FIRST = frozenset(phrase.split()[0] for phrase in _PHRASES)
# What only whoever judges may say: an order to call things met.
_RULING = frozenset("mark score rate grade judge count treat".split())
_MET = frozenset("met satisfied passed passing fulfilled".split())


def injection(text: str) -> str | None:
    """What in a text tries to instruct past the step, as a reason; None where nothing was found.

    Pure and total. The reason repeats nothing of the text.
    """
    return _injection(text[:LOOKED_AT])


@lru_cache(maxsize=1024)
def _injection(text: str) -> str | None:
    plain = text.isascii() and text.isprintable()
    if not plain and (hidden := _HIDDEN.search(text)):
        strange = next((char for char in hidden.group() if not "!" <= char <= "~"), "\x00")
        return f"it hides a character (U+{ord(strange):04X})"
    if marker := _MARKER.search(text):
        return _MEANING[marker.lastgroup or ""]
    return _told(text)


def _told(text: str) -> str | None:
    found = words(text)
    if not _FIRST.isdisjoint(found) and _gives_a_role(f" {' '.join(found)} "):
        return "it gives its reader another role or task"
    for at, word in enumerate(found):
        if word.startswith(_DROPS) and any(_is_order(order, found, at) for order in _ORDERS):
            return "it tells its reader to drop what it was told"
        if word in _RULING and _calls_met(found[at + 1 : at + _WINDOW]):
            return "it tells its reader what to find"
    if not text.isascii() and _is_unspaced_order(text):
        return "it tells its reader to drop what it was told"
    return None


def _gives_a_role(line: str) -> bool:
    return any(phrase in line for phrase in _PHRASES)


def _is_order(order: _Order, found: tuple[str, ...], at: int) -> bool:
    if not found[at].startswith(order.drop):
        return False
    near = found[max(0, at - _WINDOW) : at + _WINDOW]
    what = [word for word in near if word.startswith(order.what)]
    # "everything" says what and which one, and needs another word beside it.
    which = [word for word in near if word.startswith(order.which)]
    return bool(what and which and set(what) | set(which) != {"everything"})


def _calls_met(after: tuple[str, ...]) -> bool:
    return any(left == "as" and right in _MET for left, right in pairwise(after))


def _is_unspaced_order(text: str) -> bool:
    for verb in _UNSPACED_ORDER.finditer(text):
        near = text[max(0, verb.start() - _NEAR) : verb.end() + _NEAR]
        if _UNSPACED_WHICH.search(near) and _UNSPACED_WHAT.search(near):
            return True
    return False
