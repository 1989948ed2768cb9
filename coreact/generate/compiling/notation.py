"""The notation in which the grammar's sentences are written, and its translation to RE2.

    (a|b)    a or b               [a]     a or nothing
    <verb>   a macro              {slot}  what stands there is looked up

Everything else is itself. A slot holds as little as it can; a sentence must match as a whole.
"""

from __future__ import annotations

import re

from coreact.generate.compiling.masking import ADDRESS, CODE, NUMBER, PHRASE, class_of

_QUOTED = class_of(PHRASE, CODE, ADDRESS)
_TERM = rf"(?:the )?(?:(?:exact )?(?:words?|terms?|phrases?|names?|keywords?) )?{_QUOTED}"

_SLOTS = {
    "tools": r"(?P<name>[^;:]{1,200}?)",
    "name": r"(?P<name>[^,;:]{1,80}?)",
    "tool": r"(?P<tool>[^,;:]{1,80}?)",
    "rest": r"(?P<rest>.+?)",
    "terms": rf"(?P<terms>(?:(?:both|either|all of|any of|one of|at least (?:one|{class_of(NUMBER)})"
    rf" of)(?: the)?:? )?"
    rf"{_TERM}(?:(?:,? (?:and|or)|,) {_TERM})*)",
    "first": rf"(?P<first>{_QUOTED})",
    "value": rf"(?P<value>{class_of(PHRASE, CODE, ADDRESS, NUMBER)}|true|false)",
    "pattern": rf"(?P<value>{class_of(PHRASE, CODE)})",
    "address": rf"(?P<value>{class_of(ADDRESS)})",
    "low": rf"(?P<low>{class_of(NUMBER)})",
    "high": rf"(?P<high>{class_of(NUMBER)})",
    "tail": r"(?P<tail>,? (?:next|now|first|again|yet|directly|immediately|right away|(?:in|at|for)"
    r" (?:this|the next) step"
    r"|in order to|to|because|since|so that|so as to|instead of|rather than)\b.*)?",
}

_MACROS = {
    # who acts, or nothing for an imperative; then the same with a negation
    "actor": "((the|this|your) [next |proposed |current |new ](step|action|call|tool call|move|agent|model"
    "|assistant)|it|you)",
    "must": "(should|must|shall|has to|have to|needs to|need to|ought to|is to)",
    "who": "[(now|next|first|then|please)[,] |make sure to |be sure to ][<actor> [<must> ][now |next "
    "|first ]]",
    "not": "[(please|now|next)[,] ][<actor> ](do not|don't|does not|doesn't|never|(must|should|shall|may)"
    " (not|never)|cannot)",
    "avoid": "[<actor> [<must> ]](avoid|avoids|refrain from|refrains from)",
    # verbs
    "use": "(use|uses|call|calls|choose|chooses|invoke|invokes|select|selects|pick|picks|run|runs|make use"
    " of|makes use of"
    "|make a call to|makes a call to|is (a|the) (call|use) (to|of))",
    "using": "(using|calling|choosing|invoking|selecting|picking|running|calls (to|of))",
    "search": "((search|searches|query|queries) (for|with|about|on)|(look|looks) up"
    "|(run|runs|issue|issues|make|makes|perform|performs|do|does) (a|the) [new |next |web ](search|query"
    "|lookup) (for|with|on|about|containing)"
    "|(use|uses|submit|submits|send|sends|issue|issues) (the|a) [search ]query)"
    "[ (the|a) [new ](query|search query|phrase|keyword|keywords|term|terms|search terms|words|name)]",
    "open": "(open|opens|read|reads|browse|browses|browse to|visit|visits|fetch|fetches|follow|follows)",
    "has": "(contain|contains|mention|mentions|include|includes|has|have|hold|holds|name|names)",
    "is": "(is|be|equal|equals|=|is set to|be set to|is equal to|be equal to)",
    "set": "(set|sets|keep|keeps)",
    "invent": "(invent|make up|guess|fabricate)",
    # what was there before
    "earlier": "(earlier|previous|past|prior|former)",
    "any": "(a|an|any|the|earlier|previous|past) [of the ][<earlier> ]",
    "any_s": "(a|an|any|the) [of the ][<earlier> ]|<earlier> ",
    "calls": "(call|calls|tool call|tool calls|action|actions)",
    "queries": "(query|queries|search|searches)",
    "before": "(before|yet|so far|already|earlier)",
    # what was observed
    "seen": "(seen|observed|found|listed|returned|shown|given)",
    "which_seen": "[(was|were|has been) ][already ]<seen>[ (in|by) <results>]",
    "opened": "(opened|visited|read|browsed|fetched)",
    "a_link": "((a|an|one|another)[ (address|url|link|page|web page|website|source|result)])",
    "results": "((a|an|the) [earlier |previous |last |latest |search |tool ](question|observation"
    "|observations|result|results))",
    "source": "(the question|the user|observations|observed (text|results|data)|what was observed"
    "|(an|the|a) [earlier |previous |last |latest |search |tool ](observation|observations|result|results))",
    "sources": "<source>[ or [from |in ]<source>]",
    "evidence": "(what (was|has been|you) [actually ](observed|found|seen|retrieved)|what (an observation"
    " says|the observations say)"
    "|[the ](observed|retrieved|gathered) (evidence|facts|information|text|results|data)|[the"
    " ]observations|an observation)",
    "cited": "(sources|addresses|urls|links|pages)",
    "schema": "((the|its|their) [tool's ][own ][json ]schema[ of the tool])",
}  # fmt: skip

_NAME = re.compile(r"<(\w+)>")


def pattern_of(sentence: str) -> str:
    """The RE2 pattern of a sentence in this notation."""
    while (macro := _NAME.search(sentence)) is not None:
        sentence = f"{sentence[: macro.start()]}({_MACROS[macro[1]]}){sentence[macro.end() :]}"
    pieces = re.split(r"\{(\w+)\}", sentence)
    for at, piece in enumerate(pieces):
        pieces[at] = _SLOTS[piece] if at % 2 else _words(piece)
    return f"(?i){''.join(pieces)}[.!]?"


def _words(piece: str) -> str:
    for mark, meaning in (("?", r"\?"), (".", r"\."), ("(", "(?:"), ("[", "(?:"), ("]", ")?"), ("'", "['’]")):
        piece = piece.replace(mark, meaning)
    return piece
