"""The sentences that can be read: one row for each form, with the check it stands for.

A sentence of the table must match a criterion as a whole, so that a condition which no check covers leaves
it unread. What may be left over, at `{tail}`, is a purpose, a reason or a word of time, as long as it brings
in no condition of its own. A form that reads a negation says so; to all others a sentence with a negation
is closed. When in doubt a sentence stays prose: a judge reads it then.

The notation is that of `notation`; the patterns run on RE2, which cannot backtrack.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

from coreact.generate.compiling import demands, languages
from coreact.generate.compiling.notation import pattern_of
from coreact.generate.compiling.slots import Slots
from coreact.rubric import AnswerCitesObserved, AnswerObserved, ArgumentsFitSchema
from coreact.rubric.checks import ArgumentsHaveProvenance, Check


class Form(NamedTuple):
    """One thing that sentences may say, in several ways."""

    name: str
    patterns: tuple[str, ...]
    """RE2 patterns, each of a whole sentence."""
    check: Callable[[Slots], Check | None]
    """Makes the check of what stood in the slots, or None where the names in them do not exist."""
    negated: bool
    """The sentence says what not to do, or what was not done before."""
    exact: bool
    """The check is no weaker than the sentence, and the sentence no negation: the polarity `forbid` may
    invert it."""


def _form(
    name: str,
    check: Callable[[Slots], Check | None],
    sentences: str,
    *,
    negated: bool = False,
    exact: bool = True,
) -> Form:
    lines = [" ".join(line.split()) for line in sentences.splitlines()]
    patterns = tuple(pattern_of(line) for line in lines if line)
    return Form(name, patterns, check, negated, exact and not negated)


FORMS: tuple[Form, ...] = (
    _form("tool_is", demands.tool_is, """
        <who><use> {tools}{tail}
        [the ][best ][next ](tool|action|call|step)[ called| used| chosen| to use| to call] [<must> ]<is> \
            {tools}{tail}
        {tools} (is|must be|should be|has to be|needs to be) (called|used|chosen|invoked){tail}
        <who><use> {tools} as the [next ]tool{tail}
        <who><use> (a|one of the) [search |reading ](tool|tools) {options}{tail}
        <who>(be|is) (a|an|another) {tools} (call|search|query|lookup){tail}
        <who>(make|makes|perform|performs|issue|issues|run|runs|do|does) (a|an|another) {tools} \
            (call|search|query|lookup){tail}
    """),
    _form("tool_is", demands.searches, """
        <who>(make|makes|run|runs|perform|performs|do|does|issue|issues|be|is) (a|another|one more|a \
            further) \
            [web ](search|search call|lookup){tail}
        <who><use> (a|any|the) search tool{tail}
        <who>(search|searches) (again|further|more)[ now]
    """),
    _form("tool_is", demands.searches, """
        <who>(make|use|be|is) (a|another) [web ](search|search call), not (a|an|the) [final ]answer
    """, negated=True),
    _form("tool_is_not", demands.tool_is_not, """
        <not> (use|call|choose|invoke|select|pick|run|make a call to) {tools}{tail}
        <avoid> <using> {tools}{tail}
        {tools} (is|must|should) not [be ](called|used|chosen|invoked){tail}
    """, negated=True),
    _form("query_contains", demands.query_contains, """
        <who><search>[:] {terms}[ (using|with|via|through) {tool}]{tail}
        <who><use> {tool} (to (search|query) for|to (look up|find|search|query)|for|with|on)[ the \
            (query|phrase|term|terms|keywords)][:] {terms}{tail}
        <who><use> {tool} with a [search ]query (containing|including|that \
            (contains|includes|mentions|names)) \
            {terms}{tail}
        <who>(include|includes|use|uses|add|adds|contain|contains|mention|mentions) {keywords}{tail}
    """),
    _form("query_contains", demands.query_terms, """
        <who>(combine|combines) {pair}[ in (one|the|a single) [search ]query]{tail}
    """),
    _form("query_contains", demands.query_finds, """
        <who><find> {terms}{tail}
    """),
    _form("query_names", demands.finding_names, """
        <who><find> {rest}{tail}
    """, exact=False),
    _form("query_names", demands.query_names, """
        <who><search> {rest}{tail}
    """, exact=False),
    _form("query_names", demands.query_about, """
        [the ]{name} [<must> ]<about> {rest}{tail}
    """, exact=False),
    _form("argument_contains", demands.query_about_terms, """
        [the ]{name} [<must> ]<about> {terms}{tail}
    """),
    _form("argument_contains", demands.argument_names, """
        [the ]{name} [<must> ]<has> {rest}{tail}
        <who>(include|includes|mention|mentions|put|puts|add|adds|use|uses) {rest} (in|into|to) {name}{tail}
        [the ]{name} [<must> ]<has> {what} {inside}{tail}
        <who>(include|includes|mention|mentions|put|puts|add|adds) {what} {inside} (in|into|to) {name}{tail}
    """, exact=False),
    _form("argument_contains", demands.argument_contains, """
        [the ]{name} [<must> ]<has> {terms}[ as (the|a) [key |main |search ](term|keyword|phrase)]{tail}
        <who>(include|includes|mention|mentions|put|puts|add|adds) {terms} (in|into|to) {name}{tail}
        <who>(put|puts) {first} into {name}, or else {terms}
    """),
    _form("argument_equals", demands.argument_equals, """
        [the ]{name} [<must> ]<is> {value}{tail}
        <who><set> {name} (to|=|at) {value}{tail}
        <who><pass> [the ]{name} = {value}{tail}
        <who><pass> [the ]{name} = {word}
        [the ]{name} = {word}
        <who>(use|uses) (a|an) {name} of {value}{tail}
        <who>(use|uses) {value} (as|for) {name}{tail}
    """),
    _form("argument_equals", demands.called_with, """
        <who><use> {tool} with {name} [= |equal to |set to |of |as ]{value}{tail}
        <who><use> {tool} with {name} = {word}
    """),
    _form("argument_at_least", demands.argument_in_range, """
        [the ]{name} [<must> ][(is|be) ](at least|>=|≥) {low}{tail}
        [the ]{name} [<must> ](is|be) {low} or (more|greater|higher){tail}
        <who><set> {name} [to |at ](at least|>=) {low}{tail}
        <who><set> {name} to {low} or (more|higher){tail}
    """),
    _form("argument_at_least", demands.argument_in_range, """
        [the ]{name} [<must> ][(is|be) ](no|not) less than {low}{tail}
        <who><set> {name} [to |at ]no less than {low}{tail}
    """, negated=True),
    _form("argument_at_most", demands.argument_in_range, """
        [the ]{name} [<must> ][(is|be) ](at most|up to|<=|≤) {high}{tail}
        [the ]{name} [<must> ](is|be) {high} or (less|fewer|lower){tail}
        <who><set> {name} [to |at ](at most|up to|<=) {high}{tail}
    """),
    _form("argument_at_most", demands.argument_in_range, """
        [the ]{name} [<must> ][(is|be) ](no|not) more than {high}{tail}
        [the ]{name} (does not|must not|should not) exceed {high}{tail}
        <who><set> {name} [to |at ]no more than {high}{tail}
    """, negated=True),
    _form("argument_between", demands.argument_in_range, """
        [the ]{name} [<must> ][(is|be|lies|lie) ](between|in the range[ of| from]) {low} (and|to) {high}{tail}
        [the ]{name} [<must> ](is|be|ranges) from {low} to {high}{tail}
        <who><set> {name} [to [a value ]]between {low} and {high}{tail}
    """),
    _form("argument_matches", demands.argument_matches, """
        [the ]{name} [<must> ](match|matches) [the (pattern|regex|regular expression) ]{pattern}
        <who>(make|makes) {name} match [the (pattern|regex|regular expression) ]{pattern}
    """),
    _form("address_unvisited", demands.address_unvisited, """
        [if (you|<actor>) <open> (an address|a url|a link|a page|a website), ]<who><open> <a_link> \
            [(that|which) ]<which_seen>\
            (and|but) [(was|has|has been) ](not|never) [been ][yet ]<opened>[ <before>]{tail}
        <who><open> (a|an|one|another) (new|unvisited|unopened|unread) \
            (address|url|link|page|source|result) [<seen> ](from|in|by) <results>{tail}
        <who><open> <a_link> from <results> (that|which) (was|has) not [been ][yet ]<opened>[ <before>]{tail}
        <who><open> <a_link> [(that|which) ]<was_seen>[,] (and|but) <not_opened>{tail}
        [the |a ]<link>[ opened| to open] [<must> ]<was_seen>[,] (and|but) <not_opened>{tail}
    """, negated=True),
    _form("address_is", demands.address_is, """
        <who><open> [(the|this) ][(address|url|link|page|website|source)[ at][:] ]{address}[ [that \
            was ](returned|found|given|seen|listed) (by|in) <results>]{tail}
    """),
    _form("address_is", demands.address_called, """
        <who><use> {tool} (on|with|to (open|read|visit|browse|fetch)) [(the|this) \
            ][(address|url|link|page)[ at][:] ]{address}{tail}
    """),
    _form("argument_traced", demands.argument_traced, """
        <who>(take|takes|copy|copies) {name} from <sources>{tail}
        [the ]{name} [<must> ](comes|come|is taken|be taken|was taken|is copied|be copied) from \
            <sources>{tail}
        [the ]{name} [<must> ](appears|appear|stands|stand|was seen|is found|be found) in <sources>{tail}
        <who>(use|uses) (a|an) {name} (that|which) (appears|stands|was seen|was found) in <sources>{tail}
    """, exact=False),
    _form("argument_traced", demands.argument_traced, """
        <not> <invent> {name}
        <who>(take|takes|copy|copies) {name} from <sources>(;|,) invent nothing
    """, negated=True),
    _form("arguments_traced", demands.always(ArgumentsHaveProvenance()), """
        <who>(take|takes|copy|copies) (every|each) (argument|value|argument value)[ of (a|the) call] from \
            <sources>
        <who>(take|takes|copy|copies) all (arguments|values|argument values)[ of (a|the) call] from <sources>
    """, exact=False),
    _form("arguments_traced", demands.always(ArgumentsHaveProvenance()), """
        <not> <invent> [any ](argument|arguments|value|values|argument values)
        invent nothing
    """, negated=True),
    _form("new_query", demands.new_query, """
        <not> <repeat> <any><queries>[ that (was|were) [already ]made[ before]]{tail}
        <avoid> (repeating|reusing|duplicating) <any><queries>
        <not> (issue|run|use|make|submit) the same <queries> <again>
        <who>(make|makes|use|uses|issue|issues|try|tries|run|runs|submit|submits) (a|an) <queries> \
            (that|which) \
            (was|has|is) (not|never) [been ][yet ](made|tried|used|run|issued|asked|submitted)[ <before>]
        <who>(make|makes|use|uses|issue|issues|try|tries|run|runs|submit|submits) a (new|different) \
            <queries>, \
            not a (repeat|repetition|duplicate)[ of [an |the ]<earlier> (one|ones|query|queries|search)]
        [a ]new [search ]query, not a (repeat|repetition|duplicate)[ of [an |the ]<earlier> \
            (one|ones|query|queries)]
        [the |this ][search |next |new ]query [<must> ]((is|be) different|differ|differs) from \
            [all |every |any ][of ][the |an ]<earlier> (ones|one|<queries>)
        [the |this ][search |next |new ]query [<must> ]((is|be) not|not be) the same as \
            <any>(<queries>|one|ones)
        [the |this ][search |next |new ]query [<must> ]((is|be) not|not be) a \
            (repeat|repetition|duplicate)[ of [an |the |any ]<earlier> (one|ones|query|queries|search)]
        [the |this ][search |next |new ]query (must|should|does) not (repeat|duplicate) \
            <any>(<queries>|one|ones)
        <who>(make|makes|use|uses|issue|issues|try|tries|run|runs) a (new|different) <queries>[ that \
            (was|has) not [been ](made|tried|used|run)[ <before>]]
        the [search |next ]query (is new|differs from [all |every |any ]<earlier> <queries>)
    """, negated=True),
    _form("new_query", demands.same_query, """
        <not> <repeat> <that_query>{first}[ <again>]{tail}
        <not> (search|query|look up|search for|use|issue|run) <that_query>{first} <again>
        <avoid> (repeating|reusing|duplicating) <that_query>{first}[ <again>]
        <avoid> (searching|searching for|querying|issuing|using) <that_query>{first} <again>
    """, negated=True),
    _form("new_call", demands.new_call, """
        <not> repeat <any><calls>[ that (was|were) [already ]made[ before]][(;|,) ask for something new]{tail}
        <avoid> repeating <any><calls>
        <who>(make|makes) (a|an) (new|different) <calls>[ that (was|has) not [been ]made[ <before>]]
        <who>(make|makes) a [tool ]call (that|which) (was|has) (not|never) [been ]made[ <before>]
        make no call (that was made before|whose result is there already)
    """, negated=True),
    _form("stops", demands.stops, """
        <who><give> <answer>{tail}
        <who>(answer|answers)[ the [original |user's ](question|user)] <soon>
        <who>((answer|answers)[ the [original |user's ]question]|finish|finishes|conclude|concludes)[ <soon>]
        <who>(stop|stops)[ searching| searching for more| the search] (and|to) (<give> \
            <answer>|answer|answers)[ now| the \
            question[ now]]
        <who>(finish|finishes|conclude|concludes|end|ends|stop|stops)[ the run] (with|by giving|by \
            providing) <answer>[ <soon>]
        <who>(proceed|proceeds|move|moves)[ on][ directly] to (answer|<answer>|answering)[ the question][ now]
        [the ][next ](step|action) [<must> ](is|be) (the|a) [final ]answer
        <who>be (the|a) final answer
        [the |a |an ][final ]answer [<must> ](is|be) \
            (given|provided|produced|stated|written|submitted|returned)[ <soon>]
        it is [now ]time to (answer|<give> <answer>)[ the question][ now]
    """),
    _form("stops", demands.stops, """
        <who><give> <answer>[ now], not (a|another) [new ](search|call|tool call|query)
        [the ][next ](step|action) [<must> ](is|be) (the|a) [final ]answer, not (a|another) \
            (search|call|tool call)
        <not> (call|use|make) [any ](more|further) (tools|tool calls|calls)
        <not> (call|use) (any tool|any tools|tools)
        (make|call|use) no (more|further) (tools|tool calls|calls)
    """, negated=True),
    _form("search_stops", demands.search_stops, """
        <who>(stop|stops) (search|the search|searching)[ now]
        <not> search (any more|any further|again|further)
    """, negated=True),
    _form("does_not_stop", demands.does_not_stop, """
        <not> (answer|stop|finish|conclude|<give> (any [final ]answer|<answer>))[ the question][ yet| \
            already| <soon>]
        <not> (stop|answer|finish) or (answer|stop|finish|<give> <answer>)[ yet| already| <soon>]
        <actor> ((is|must be|should be) not|(must|should) not be) (a|an|the) [final ]answer[ yet]
        <avoid> (answering|stopping|finishing|concluding|giving <answer>)[ the question][ yet| already| \
            <soon>]
        <who>(hold|holds) off [on ](answering|<answer>)[ yet| for now| <soon>]
        <who>(make|makes|use|uses|be|is) a tool call,[ and] not (a|an|the) [final ]answer
    """, negated=True),
    _form("does_not_stop", demands.does_not_stop, """
        <who><gather>{tail}
        <who><gather> before answering
        <who><more>[ now| before answering]
        <who>(be|is) a tool call
        <who>(postpone|postpones|delay|delays|defer|defers) (answering|<answer>)[ for now]
        <who>(make|makes|call|calls|use|uses) (another|one more|a|some) (tool|tool call|call)
    """),
    _form("answer_observed", demands.always(AnswerObserved()), """
        [(if|when) (you answer|<actor> answers), ]<who>(answer|answers|base (the|your|its|any) [final \
            ]answer) [only ](with|from|on) <evidence>[ only]
        (the|any|an|your) [final ]answer [<must> ][only ](rests|rest|relies|rely|is based|be based|is \
            supported|be supported|is grounded|be grounded)\
            [only ](on|by|in) <evidence>[ only]
    """, exact=False),
    _form("answer_observed", demands.always(AnswerObserved()), """
        <not> (answer from memory|answer with what was (not|never) observed|(invent|make up) (the|an) answer)
    """, negated=True),
    _form("answer_cites_observed", demands.always(AnswerCitesObserved()), """
        <who>[only ](cite|cites) only observed <cited>
        <who>(cite|cites) only <cited> (that|which) were [actually ](observed|seen|found|returned)
        the [final ]answer [<must> ](cite|cites) only (observed <cited>|<cited> (that|which) were [actually \
            ](observed|seen|found|returned))
    """, exact=False),
    _form("answer_cites_observed", demands.always(AnswerCitesObserved()), """
        <not> cite <cited> (that|which) were (not|never) (observed|seen|found)
    """, negated=True),
    _form("arguments_fit", demands.always(ArgumentsFitSchema()), """
        [the |all ](arguments|parameters)[ of the [tool ]call] [<must> ](fit|match|satisfy|conform \
            to|follow|are valid for|are valid under) <schema>
        <who>(fit|fits) <schema>
        <who>(call|calls) only tools that exist, with arguments that fit <schema>
        <who>(call|calls) a tool that exists, with arguments that fit <schema>
        <who>(call|calls) the tool with (valid arguments|arguments that fit <schema>)
    """),
    *(_form(*row) for row in languages.POSITIVE),
    *(_form(*row, negated=True) for row in languages.NEGATED),
)  # fmt: skip
"""Every form, in no order that matters: a sentence that two forms read differently stays prose."""
