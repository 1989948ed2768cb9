"""The notation in which the grammar's sentences are written, and its translation to RE2.

    (a|b)    a or b               [a]     a or nothing
    <verb>   a macro              {slot}  what stands there is looked up

Everything else is itself. A slot holds as little as it can; a sentence must match as a whole.
"""

from __future__ import annotations

import re

from coreact.generate.compiling.masking import ADDRESS, CODE, NUMBER, PHRASE, class_of

_QUOTED = class_of(PHRASE, CODE, ADDRESS)
_NOUN = (
    r"(?:(?:exact|specific|full|key|search|relevant) )*(?:words?|terms?|phrases?|names?|keywords?|titles?)"
)
_EXAMPLES = r"[a-z][a-z -]{0,50} ?(?:such as|like|e\.g\.,?|for example,?|for instance,?):? "
_TERM = rf"(?:{_EXAMPLES})?(?:(?:the|a|an|its) )?(?:(?:[a-z-]+ )?{_NOUN} )?{_QUOTED}"
_ALSO = r"(?:(?:,? (?:and/or|and|or|und|oder|et|ou|y|o)|,|、) ?| ?(?:和|与|或者|或) ?)"

_SLOTS = {
    "tools": r"(?P<name>[^;:]{1,200}?)",
    "name": r"(?P<name>[^,;:]{1,80}?)",
    "tool": r"(?P<tool>[^,;:]{1,80}?)",
    "rest": r"(?P<rest>.+?)",
    "terms": rf"(?P<terms>(?:(?:both|either|all of|any of|one of|at least (?:one|{class_of(NUMBER)})"
    rf" of)(?: the)?(?: following)?(?: {_NOUN})?:? )?"
    rf"(?:such as |like )?{_TERM}(?:{_ALSO}{_TERM})*)",
    "keywords": rf"(?P<terms>(?:the |a |some )?{_NOUN}(?:,? such as| like|:)?"
    rf" {_QUOTED}(?:{_ALSO}{_QUOTED})*)",
    "pair": rf"(?P<terms>{_QUOTED} (?:with|and) {_QUOTED})",
    "options": r"\((?P<name>[^()]{1,200})\)",
    "what": r"(?P<what>[^();:,]{1,60}?)",
    "inside": r"\((?P<rest>[^()]{1,80})\)",
    "word": r"(?P<value>[A-Za-z][A-Za-z0-9_+-]{0,39})",
    "first": rf"(?P<first>{_QUOTED})",
    "value": rf"(?P<value>{class_of(PHRASE, CODE, ADDRESS, NUMBER)}|true|false)",
    "pattern": rf"(?P<value>{class_of(PHRASE, CODE)})",
    "address": rf"(?P<value>{class_of(ADDRESS)})",
    "low": rf"(?P<low>{class_of(NUMBER)})",
    "high": rf"(?P<high>{class_of(NUMBER)})",
    "tail": r"(?P<tail>,? (?:(?:next|now|first|again|yet|directly|immediately|right away|(?:in|at|for)"
    r" (?:this|the next) (?:step|point|stage|action)|as (?:a|the) (?:first|next) (?:step|action)"
    r"|in order to|to|because|since|so that|so as to|instead of|rather than)\b.*"
    r"|(?:and )?not (?:the|an?|give the|give an)? ?(?:final )?(?:answer|answering))"
    r")?",
}

_MACROS = {
    # who acts, or nothing for an imperative; then the same with a negation
    "actor": "([the |this |your |the agent's ][best ][next |proposed |current |new |following ](step"
    "|action|call"
    "|tool call|move|agent|model|assistant|search|query)|it|you|we)",
    "must": "(should|must|shall|has to|have to|needs to|need to|ought to|is to|should be to)",
    "when": "((now|next|first|then|please)|(at|in|for) (this|the next) (step|point|stage|action)"
    "|as (a|the) (first|next) step)",
    "who": "[<when>[,] |make sure to |be sure to ][<actor> ][<must> ][now |next |first |simply |directly ]",
    "not": "[<when>[,] ][<actor> ](do not|don't|does not|doesn't|never|(must|should|shall|may)"
    " (not|never)|cannot)",
    "avoid": "[<actor> ][<must> ](avoid|avoids|refrain from|refrains from)",
    # verbs
    "use": "(use|uses|call|calls|choose|chooses|invoke|invokes|select|selects|pick|picks|run|runs|make use"
    " of|makes use of"
    "|make a call to|makes a call to|employ|employs|(is|be) (a|the) (call|use) (to|of))",
    "using": "(using|calling|choosing|invoking|selecting|picking|running|calls (to|of))",
    "search": "((search|searches|query|queries) (for|with|about|on|with a query (containing|including"
    "|that contains))|(look|looks) (up|for)"
    "|(run|runs|issue|issues|make|makes|perform|performs|do|does|be|is) (a|the|another) [new |next |web"
    " ](search"
    "|query|lookup) (for|with|on|about|containing|including|that (contains|includes|mentions|names))"
    "|(use|uses|submit|submits|send|sends|issue|issues) (the|a) [search ]query)"
    "[ (the|a) [new ](query|search query|phrase|keyword|keywords|term|terms|search terms|words|name)]",
    "find": "((find|finds|query|queries|retrieve|retrieves|seek|seeks|investigate|investigates|check|checks"
    "|research|researches|ask for|asks for|ask about|asks about)|(gather|gathers|find|finds|retrieve"
    "|retrieves|seek|seeks) (information|details"
    "|evidence|facts) (on|about|for))",
    "about": "(is about|be about|is for|be for|(focus|focuses) on|(target|targets|seek|seeks|concern"
    "|concerns)"
    "|(ask|asks|look|looks) (for|about)|(is|be) (directed|aimed|targeted) at)",
    "open": "(open|opens|read|reads|browse|browses|browse to|visit|visits|fetch|fetches|follow|follows)",
    "has": "(contain|contains|mention|mentions|include|includes|has|have|hold|holds|name|names|use|uses)",
    "pass": "(use|uses|set|sets|pass|passes|include|includes|specify|specifies|apply|applies|add|adds"
    "|keep|keeps"
    "|(filter|filters|restrict|restricts|limit|limits)[ papers| results| the results| the search][ to|"
    " by| on| with])",

    "is": "(is|be|equal|equals|=|is set to|be set to|is equal to|be equal to)",
    "set": "(set|sets|keep|keeps)",
    "invent": "(invent|make up|guess|fabricate)",
    # what was there before
    "earlier": "(earlier|previous|past|prior|former)",
    "any": "(a|an|any|all|the|the same|<earlier>|[an |any ]already (used|made|tried|issued)) "
    "[of the ][<earlier> |used ]",
    "repeat": "(repeat|reuse|rerun|re-run|duplicate|reissue)",
    "that_query": "[[the ][same |exact |earlier |previous ][search ](query|search)[ for] ]",
    "again": "(again|a second time|once more|twice)",
    "calls": "(call|calls|tool call|tool calls|action|actions)",
    "queries": "[search |web ](query|queries|search|searches)",
    "before": "(before|yet|so far|already|earlier)",
    # what was observed
    "seen": "(seen|observed|found|listed|returned|shown|given)",
    "which_seen": "[(was|were|has been) ][already ]<seen>[ (in|by) <results>]",
    "opened": "(opened|visited|read|browsed|fetched)",
    "link": "(address|url|link|page|web page|webpage|website|source|result)",
    "a_link": "((a|an|one|another)[ <link>])",
    "past": "[<earlier> |last |latest ][search |tool ]",
    "results": "([a |an |the |one of the |any |some ]<past>(question|observation|observations|result"
    "|results|search"
    "|searches))",
    "was_seen": "([have ](appeared|appear|appears|stood|stands|been <seen>|come|came|comes) (in|from)"
    " <results>"
    "|(was|is|has been|have been|were|be)[ already] <seen>[ (in|by) <results>])",
    "not_opened": "([it ][(was|is|has|have|has been|have been|be|been) ](not|never) [yet ][been ][yet"
    " ]<opened>[ <before>]"
    "|[it ][is |was |be ][still |yet ](unvisited|unopened|unread)[ <before>])",
    "source": "(the question|the user|[earlier |previous ]observations|observed (text|results|data)"
    "|what was observed"
    "|[an |the |a ]<past>(observation|observations|result|results))",
    "sources": "<source>[ or [from |in ]<source>]",
    "evidence": "(what (was|has been|you) [actually ](observed|found|seen|retrieved)|what (an observation"
    " says|the observations say)"
    "|[the ](observed|retrieved|gathered) (evidence|facts|information|text|results|data)|[the"
    " ]observations|an observation)",
    "give": "(give|gives|provide|provides|write|writes|state|states|submit|submits|generate|generates|produce"
    "|produces|finalize|finalizes|finalise|finalises|output|outputs|return|returns|deliver|delivers"
    "|present|presents)",
    "answer": "((the|a|an|your|its) [final ]answer[ to the [original |user's ](question|user|task)])",
    "soon": "(now|directly|immediately|right away|(at|in) this (step|point))",
    "gather": "(keep|keeps|continue|continues) (searching|to search|the search|looking|researching"
    "|calling tools"
    "|gathering [more ](evidence|information)|collecting [more ](evidence|information))",
    "more": "(gather|gathers|collect|collects) (more|further|additional) (evidence|information|facts|data)",
    # the frames of other languages
    "zh": "[下一步|下一个动作|该动作|智能体|接下来|请][,][ ][应该|应当|应|需要|需|必须|要][ ]",
    "zh_not": "[下一步|该动作|智能体|请][,][ ](不要|不应该|不应|请勿|勿|不得|避免)[再次|再]",
    "de": "[bitte |jetzt ]",
    "de_who": "(der nächste schritt|die nächste aktion|der agent) (soll|sollte|muss)",
    "fr": "[(l'action|l'agent|la prochaine action) ][(doit|devrait) ]",
    "es": "[(la acción|el agente|la próxima acción) ][(debe|debería) ]",
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
    return f"(?i){''.join(pieces)} ?[.!]?"


def _words(piece: str) -> str:
    for mark, meaning in (("?", r"\?"), (".", r"\."), ("(", "(?:"), ("[", "(?:"), ("]", ")?"), ("'", "['’]")):
        piece = piece.replace(mark, meaning)
    return piece
