"""How a criterion is worded: how many demands it makes, whether they are negative, what they are about.

Made for criteria of one sentence or two, in English for all that needs grammar (several demands, vague
words, negation); a text in another language counts as one demand that is neither vague nor negative,
rather than being guessed at. What is quoted is not read: it is what a criterion talks about. Nothing here
is certain, and nothing that is found here alone keeps a criterion from use.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from functools import lru_cache
from typing import Literal, NamedTuple

from coreact.rubric.words import words

LOOKED_AT = 1000
"""Most characters of a text that are looked at; a criterion holds fewer."""


class Phrasing(NamedTuple):
    """What could be read off one text."""

    content: tuple[str, ...]
    """Stems of the words that carry meaning, without negations, in order."""
    negated: bool
    """Whether a word of negation stands in it."""
    avoids: bool
    """Whether it says only what to avoid."""
    demands: int
    """Independent demands of the same sign, at least 1."""
    vague: str
    """The word of praise it rests on where nothing else could be checked, else empty."""
    length: float
    """Length in words; characters of scripts without spaces count a third."""


class _Clause(NamedTuple):
    demands: bool
    negative: bool


_Form = Literal["base", "third", ""]

_VERBS = frozenset(
    """add answer ask avoid browse calculate call check choose cite click collect combine compare compute
    confirm consult contain convert count cover cross-check decide define describe determine discuss ensure
    establish estimate evaluate examine exclude explain extract fetch fill find finish fit focus follow
    gather get give identify include inspect invent keep list locate look make match measure mention name
    note obtain open pass perform pick prefer provide put query quote read record refer reject repeat report
    request retrieve return run scan search select send set show specify start state stop submit summarise
    summarize take target test translate try use validate verify visit write""".split()
)
# Also nouns or adjectives: they count as verbs behind a conjunction only with an object in sight.
_AMBIGUOUS = frozenset(
    """answer ask call check cite click count cover estimate find fit focus get list look make match measure
    name note open pass pick query quote read record report request return run scan search set show start
    state stop target test try use visit""".split()
)
_OBJECT = frozenset(
    """a an the this that these those its it them each every all any one another both only at for with not
    nothing no whether what which who where how when if from up q his her their your""".split()
)
_LEADS = frozenset(
    """please always also only first next finally then must should shall needs need has have ought will to
    can could may immediately directly explicitly clearly either both just again still instead be sure
    afterwards""".split()
)
_MODALS = frozenset("must should shall needs need ought will".split())
_SUBJECTS = frozenset(
    """you it agent step action model assistant call query search answer response request tool proposal
    argument arguments one""".split()
)
_DETERMINERS = frozenset("a an the this that each every any its your all".split())
_SUBORDINATE = frozenset(
    """if when whenever once before after while unless until where since because as whether that which who
    whose what how so to""".split()
)
_NEGATIONS = frozenset(
    """not no never nothing none nor neither avoid avoids avoiding
    without cannot don doesn isn aren shouldn mustn
    won refrain refrains fail fails failing
    skip skips""".split()
)
_NOT_NEGATIVE = frozenset("than only just later longer matter".split())
_NEAR = 4  # words at the beginning of a clause within which a negation negates all of it

_STOP = frozenset(
    """a an the this that these those its it them they their there here of in on at by for with from to into
    onto as and or but so is are was were be been being do does did has have had will would should must shall
    can could may might need needs ought you your we our i my s t which who whose what when where how whether
    if then than also only just very more most any all some each every one""".split()
)
_EMPTY = _STOP | _NEGATIONS | (_SUBJECTS - _VERBS)
_PRAISE = frozenset(
    """good better best great well relevant relevance irrelevant appropriate appropriately proper properly
    suitable suitably adequate adequately sufficient sufficiently thorough thoroughly comprehensive
    comprehensively helpful helpfully useful usefully meaningful high quality effective effectively efficient
    efficiently optimal optimally reasonable reasonably logical logically coherent coherently clear clearly
    clarity concise accurate accurately accuracy correct correctly reliable credible trustworthy insightful
    strong valuable productive careful carefully smart sensible progress professional excellent nice
    necessary important robust ideal satisfactory rigorous rigor""".split()
)
# Words about steps in general: a criterion made of these and of praise says nothing of its own.
_GENERAL = frozenset(
    """action actions step steps tool tools call calls query queries search searches question questions
    answer answers response responses result results source sources information evidence data context
    content task problem goal user agent model approach strategy process reasoning way manner quality
    level standard use uses using used make makes making take takes be choose chooses select selects
    provide provides give gives ensure ensures sure find finds get do perform performs show shows
    demonstrate demonstrates remain stay keep toward towards next current given possible available
    overall final work fashion solve solving solves resolve complete completes finish intent intention
    need purpose output input argument arguments not no never avoid without help helps move moves closer
    forward right quickly new follow follows lead leads advance advances address addresses""".split()
)

_SAYS_NOTHING = _PRAISE | _GENERAL | _STOP | _LEADS | _SUBJECTS

_QUOTED = re.compile(
    r"\"[^\"]{0,300}\"|“[^”]{0,300}”|«[^»]{0,300}»|„[^“”]{0,300}[“”]|「[^」]{0,300}」|`[^`]{0,300}`|https?://\S{1,300}"
)
_JOINT = re.compile(r"(?:[;.!?](?:\s|$)|,|\s(?:and|then|plus|&)(?=\s))\s*", re.IGNORECASE)
_NAMED = re.compile(r"(?<=[a-z0-9,] )[A-Z]\w{0,40}")
_OTHER_TEXT = " q "  # stands for what is quoted or named, which is no verb


def phrasing(text: str) -> Phrasing:
    """Read how a text is worded. Pure and total; only the first `LOOKED_AT` characters are read."""
    return _phrasing(text[:LOOKED_AT])


@lru_cache(maxsize=1024)
def _phrasing(text: str) -> Phrasing:
    found = words(text)
    unspaced = sum(len(word) == 1 and not word.isascii() for word in found)
    clauses = tuple(_clauses(text))
    demands = [clause for clause in clauses if clause.demands]
    wanted = sum(not clause.negative for clause in demands)
    return Phrasing(
        content=tuple(_stem(word) for word in found if word not in _EMPTY),
        negated=not _NEGATIONS.isdisjoint(found),
        avoids=all(clause.negative for clause in clauses) if clauses else False,
        demands=max(1, wanted, len(demands) - wanted),
        vague=_vague(found, text),
        length=len(found) - unspaced + unspaced / 3,
    )


@lru_cache(maxsize=4096)
def _stem(word: str) -> str:
    """A word without its English ending, for comparison only."""
    for ending in ("ing", "ed", "es", "s"):
        if len(word) > len(ending) + 3 and word.endswith(ending) and word.isascii():
            word = word.removesuffix(ending)
            break
    return word.removesuffix("e") if len(word) > 3 else word


def _vague(found: Sequence[str], text: str) -> str:
    praise = next((word for word in found if word in _PRAISE), "")
    if not praise or not text.isascii() or _QUOTED.search(text):
        return ""
    return praise if _SAYS_NOTHING.issuperset(found) else ""


def _clauses(text: str) -> Iterator[_Clause]:
    bare = _NAMED.sub(_OTHER_TEXT, _QUOTED.sub(_OTHER_TEXT, text))
    head, colon, tail = bare.partition(": ")
    if colon:  # behind a colon stands what a demand is about, or the demand behind its label
        bare = head if _read(words(head), first=True, before=()).demands else tail
    before: tuple[str, ...] = ()
    start = 0
    for joint in (*_JOINT.finditer(bare), None):
        piece = words(bare[start : joint.start() if joint else len(bare)])
        if piece:
            yield _read(piece, first=not before, before=before)
            before = piece
        start = joint.end() if joint else start


def _read(piece: tuple[str, ...], *, first: bool, before: tuple[str, ...]) -> _Clause:
    opening = piece[:_NEAR]
    negative = any(
        word in _NEGATIONS
        and not (at + 1 < len(piece) and piece[at + 1] in _NOT_NEGATIVE)
        and not (at + 2 < len(piece) and piece[at + 2] in _NOT_NEGATIVE)
        and _SUBORDINATE.isdisjoint(piece[:at])
        for at, word in enumerate(opening)
    )
    at, modal = _past_leads(piece)
    if at >= len(piece):
        return _Clause(False, negative)
    form = _form(piece[at])
    if not form or _is_parallel(form, before):
        return _Clause(False, negative)
    if first or modal:
        return _Clause(True, negative)
    verb = piece[at] if form == "base" else _base(piece[at])
    follows = piece[at + 1] if at + 1 < len(piece) else ""
    sure = verb not in _AMBIGUOUS and form == "base"
    return _Clause(sure or follows in _OBJECT or follows[:1].isdigit(), negative)


def _past_leads(piece: Sequence[str]) -> tuple[int, bool]:
    """Where the verb of a clause would stand, and whether a word such as "must" stands before it."""
    at, modal = 0, False
    if len(piece) > 2 and piece[0] in _DETERMINERS:
        rest = next((i for i, word in enumerate(piece[1:4], start=1) if word in _SUBJECTS), 0)
        at = rest + 1 if rest else 0
    elif len(piece) > 1 and piece[0] in _SUBJECTS and (piece[1] in _MODALS or _form(piece[1]) == "third"):
        at = 1
    while at < len(piece) and (piece[at] in _LEADS or piece[at] in _NEGATIONS or piece[at] in ("do", "t")):
        modal = modal or piece[at] in _MODALS
        at += 1
    return at, modal


def _form(word: str) -> _Form:
    return "base" if word in _VERBS else "third" if _base(word) else ""


def _base(word: str) -> str:
    for ending, mended in (("s", ""), ("es", ""), ("ies", "y")):
        if word.endswith(ending) and (found := word.removesuffix(ending) + mended) in _VERBS:
            return found
    return ""


def _is_parallel(form: _Form, before: Sequence[str]) -> bool:
    """Whether a verb continues a subordinate clause of the piece before: "tools that list and name"."""
    at, _ = _past_leads(before)
    inside = next((i for i in range(at, len(before)) if before[i] in _SUBORDINATE), len(before))
    if inside == 0:  # the whole piece is subordinate, and what follows may be the demand
        return False
    return any(_form(word) == form for word in before[inside + 1 :])
