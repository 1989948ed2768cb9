"""What a sentence gives as its reason, and whether the sentence says the same without it.

Writers like to say why: in parentheses, after a dash, a semicolon or "because". A reason tells how things
stand ("no results yet", "the country is unknown"), so a negation in it negates nothing that is demanded. But
the same places hold conditions ("only in English") and further demands ("then cite it"). A reason is
therefore left out only where each of its clauses is seen to tell of a state; anything else stays, and with
it the sentence stays prose.
"""

from __future__ import annotations

from coreact.rubric.checks.patterns import compiled as pattern

_ASIDE = pattern(r" ?\(([^()]{1,300})\)")
_BREAK = pattern(
    r"(?i), (?:which )?| (?:—|–|--|-) |—|[;:.] |,? (?:because|since|as|given that|now that|so that) "
)
_CLAUSES = pattern(r"(?i)[,;.:] (?:and |so |thus |hence |therefore )?| (?:—|–|-) | and (?:so |thus )?")
_CAUSAL = pattern(r"(?i)^(?:because|since|as|given that|now that|so that|so|thus|due to) ")

_PURPOSE = (
    r"(?:find|find out|learn|know|get|identify|gather|collect|establish|determine|confirm|verify|see|discover"
    r"|understand|obtain|locate|resolve|answer|look|cover|bridge|fill)"
)
_THERE = (
    r"(?:known|unknown|unclear|found|missing|available|observed|there|given|seen|confirmed|supported|settled"
    r"|established|gathered|collected|complete|sufficient|ready|open|resolved|unresolved|needed|required"
    r"|verified|identified|visited|opened|searched|tried|answered|retrieved|explored|returned|covered|deduced"
    r"|derived|determined|in (?:the|an) (?:observation|observations|results|evidence))"
)
_SEEN = (
    r"(?:known|unknown|unclear|clear|found|missing|available|observed|there|given|seen|derived|determined"
    r"|established|in (?:the|an) (?:observation|observations|results|evidence))"
)
_BE = r"(?:is|are|was|were|has been|have been|remains?|stays?|can be|could be|cannot be)"
_ADVERB = r"(?:now |already |still |yet |also |not |never |not yet |still not |all |fully |clearly )"
# What stands no more in the way once it is seen to speak of how things are.
_PLAIN = pattern(
    rf"(?i)\bneeds? to {_PURPOSE}\b"
    rf"|\b(?:is|are|was|were|has|have|had|does|do|did|could|can|would|will)(?: not|n['’]t)(?: yet| been"
    rf"| be)*\b"
    r"|\bcannot (?:yet |be )*|\b(?:was|were|has|have|had) never\b|\bnot (?:yet|enough|known|seen|found"
    r"|been)\b"
    r"|\bbefore (?:answering|reading|the (?:final )?answer)\b|\bbefore$"
    rf"|\bto {_PURPOSE}(?: out)? (?:if|whether|when)\b"
    r"|\bno (?:other |further |more |new |such |single )*(?:[\w-]+ ){1,4}?(?:yet|so far|"
    rf"{_BE}|has|have|{_THERE})\b|\bno need\b|\bnothing (?:yet|so far|has|was|is|relevant|useful|found"
    rf"|known|came)\b"
    r"|\b(?:both|every|each) (?:facts?|pieces?|values?|dates?|entit(?:y|ies)|hops?)\b"
)
_STATE = pattern(
    rf"(?i)\b(?:{_BE}|{_THERE}|has|have|had|lacks?|needs?|gives?|gave|provides?|will|would|may|might"
    rf"|can|could"
    r"|helps?|lies|belongs|stands|uses?|exists?|contains?|shows?|says?|suggests?|allows?|yields?|came"
    r"|failed|knows?|seems?"
    r"|yet|so far|already|still|nothing|enough|lacking|did|does)\b"
    rf"|^(?:in order )?to {_PURPOSE}\b|^an? (?:first|broad|quick|general|initial) (?:overview|look|step"
    rf"|start)$"
)
_CONDITION = pattern(
    r"(?i)\b(?:only|must|should|shall|ought|(?:has|have|needs?|is|are) to|unless|if|when|until|while|before"
    r"|after|except|excluding|without|but|(?:more|less|fewer|other) than|at (?:least|most)|up to"
    r"|exactly|instead"
    r"|rather|each|every|both|either|avoid\w*|ensur\w+|make sure|prefer\w*|ideally|not|no|never|nor"
    r"|neither|nothing|else|limit\w*|filter\w*|restrict\w*|sort\w*"
    r"|don['’]t|cannot|to be|un(?:visited|opened|read)|visited|opened|so long as|provided|recent|latest"
    r"|newest|official|primary|reliable|authoritative|english|spanish|french|german|chinese|otherwise"
    r"|whichever|one of)\b|[\d=<>\x{E000}-\x{F8FF}]"
)
_DEMAND = (
    r"(?:search|open|call|use|read|cite|check|compare|visit|browse|make|give|stop|include|mention|ask|query"
    r"|look|set|choose|finish|fetch|return|name|state|list|add|put|keep|focus|target|limit|filter"
    r"|restrict|quote"
    r"|write|say|try|start|begin|answer|follow|combine|repeat|specify|contain|then|next|also|please)(?:e?s)?"
)
_SECOND = pattern(
    rf"(?i)(?:^|\b(?:and|then|or|to) (?:then )?){_DEMAND}\b"
    r"|^(?:always |please )?(?:(?:do|does)(?: not|n['’]t)|never)\b"
    r"|^(?:or|with|in|on|using|via|from|by|for|like|e\.g|i\.e|such as|including|than|about|of|at|under)\b"
)
_RESULTS = pattern(r"(?i)\bsearch results?\b")
_NO_GERUND = ("nothing", "something", "anything", "everything", "missing", "lacking", "remaining")
_ABOUT_ACTION = pattern(
    r"(?i)^(?:(?:the|a|an|its|your|this|that|each|any) )?(?:next |final |search |current )*(?:query"
    r"|queries|terms?"
    r"|keywords?|url|link|address|page|call|action|step|answer|response|argument|parameter|value|it|this|that"
    r"|they|agent|model|you|rubric|search|tool)\b"
)
_KNOWN = pattern(
    rf"(?i)^(?:the (?:final )?answer|this|that|it|they) "
    rf"(?:{_BE} {_ADVERB}*{_SEEN}|has {_ADVERB}*(?:been )?{_ADVERB}*{_SEEN})(?: yet| so far| now"
    rf"| already| before)?$"
    r"|^(?:this|that|it) (?:will|would|may|might|could|gives?|provides?|helps?|allows?|yields?)\b"
    rf"|^(?:the (?:agent|model)|you|they) (?:still |already |now )*(?:has|have) {_ADVERB}*(?:all|enough"
    rf"|nothing|no|everything|{_THERE})\b"
    r"|^(?:the (?:agent|model)|it|you) (?:still |already |now )*(?:lacks?|knows?|needs? (?:an?|the|more"
    r"|some)|"
    r"does not (?:yet )?(?:know|have))\b"
)


def without_reasons(text: str) -> str:
    """A masked sentence without the reasons that it gives; as it is where it gives none."""
    kept = _ASIDE.sub(lambda aside: "" if is_reason(aside[1]) else aside[0], text)
    kept = str(kept).strip()
    for cut in _BREAK.finditer(kept):
        if cut.start() and is_reason(kept[cut.start() :].lstrip(" ,;:.—–-")):
            return kept[: cut.start()]
    return kept


def is_reason(text: str) -> bool:
    """Whether each clause tells how things stand, and none demands anything."""
    clauses = [clause for clause in _CLAUSES.split(text.strip(" .!")) if clause]
    return bool(clauses) and all(_tells(clause.strip(" .!")) for clause in clauses)


def _tells(clause: str) -> bool:
    clause = _RESULTS.sub("results", _CAUSAL.sub("", clause))
    if _ABOUT_ACTION.search(clause) and not _KNOWN.search(clause):
        return False
    first = clause.split(" ")[0].casefold()
    if first.endswith("ing") and first not in _NO_GERUND:  # "naming the town that was found"
        return False
    rest = _PLAIN.sub("", clause)
    known = _KNOWN.search(clause) is not None
    return (
        _STATE.search(clause) is not None
        and not _CONDITION.search(rest)
        and (known or not _SECOND.search(rest))
    )
