"""Sentences, actions, and what a reader says of them: the measure of the patterns, written by hand.

The labels are what the sentence says, not what a check can decide, so some differ from the checks on purpose.
"""

from __future__ import annotations

from typing import Any, Literal

from coreact.generate.faithfulness import Case
from coreact.rubric import Action, Observation, State, Step, ToolCall, ToolContract

TEXT = {"type": "string"}


def tool(name: str, role: Any = None, *, read_only: bool = True, **properties: Any) -> ToolContract:
    parameters = {"type": "object", "properties": properties, "required": list(properties)[:1]}
    return ToolContract(name=name, role=role, read_only=read_only, parameters=parameters)


def taken(text: str, name: str, **arguments: Any) -> Step:
    return Step(call=ToolCall(name=name, arguments=arguments), observation=Observation(text=text))


LIBRARY = State.start(
    "In which town was the inventor of the zip fastener born?",
    tools=(
        tool("search", "search", query=TEXT, limit={"type": "integer"}),
        tool("open_page", "read", url=TEXT),
    ),
).after(
    taken(
        "Whitcomb Judson: https://lib.org/judson. Zips: https://lib.org/zip", "search", query="zip inventor"
    ),
    taken("The zip fastener was made by Whitcomb Judson of Chicago.", "open_page", url="https://lib.org/zip"),
)
SHOP = State.start(
    "Cancel order K-77 of customer 4711 if nothing was sent.",
    tools=(
        tool("find_orders", customer_id=TEXT, page={"type": "integer"}),
        tool("cancel_order", read_only=False, order_id=TEXT, refund={"type": "boolean"}),
        tool("list_goods", kind={"enum": ["shoe", "hat"]}, max_price={"type": "number"}, id_pattern=TEXT),
    ),
).after(taken("K-77 open, K-78 sent", "find_orders", customer_id="4711"))


SCHOLAR = State.start(
    "Which metric do recent studies of Soyapango use?",
    tools=(
        tool("google_search", "search", query=TEXT, gl=TEXT, num={"type": "integer"}),
        tool("snippet_search", "search", query=TEXT, year=TEXT, fieldsOfStudy=TEXT),
        tool("browse_webpage", "read", url=TEXT),
    ),
).after(taken("Soyapango lies in El Salvador: https://geo.org/es", "google_search", query="Soyapango"))


def s(query: str, **more: Any) -> Action:
    return call("search", query=query, **more)


def o(url: str) -> Action:
    return call("open_page", url=url)


def a(answer: str) -> Action:
    return Action(answer=answer)


def call(name: str, **arguments: Any) -> Action:
    return Action(call=ToolCall(name=name, arguments=arguments))


JUDSON = s("Whitcomb Judson birthplace")
CHICAGO = s("town of birth of the Chicago engineer")
AGAIN = s("zip inventor")
NEW_PAGE = o("https://lib.org/judson")
OLD_PAGE = o("https://lib.org/zip")
MADE_UP = o("https://lib.org/whitcomb")
ANSWER = a("Chicago")
GUESS = a("Springfield")
CANCEL = call("cancel_order", order_id="K-77", refund=True)
WRONG = call("cancel_order", order_id="K-99")
FIND = call("find_orders", customer_id="4711", page=2)
SHOES = call("list_goods", kind="shoe", max_price=40)
HATS = call("list_goods", kind="hat", max_price=120.5)


def g(query: str, **more: Any) -> Action:
    return call("google_search", query=query, **more)


def n(query: str, **more: Any) -> Action:
    return call("snippet_search", query=query, **more)


SALVADOR = g("El Salvador GDP growth")
PAPERS = n("El Salvador inflation rate", year="2022-2025", fieldsOfStudy="Economics")
TOWN = g("Soyapango")
GEO = call("browse_webpage", url="https://geo.org/es")
NOWHERE = call("browse_webpage", url="https://geo.org/other")
GROWTH = a("GDP growth, as El Salvador publishes it")

# sentence, actions that meet it, actions that do not
_LIBRARY: tuple[tuple[str, tuple[Action, ...], tuple[Action, ...]], ...] = (
    ("Use the search tool.", (JUDSON, AGAIN), (NEW_PAGE, ANSWER)),
    ("The next step should call `open_page` to learn where Judson came from.", (NEW_PAGE,), (JUDSON, ANSWER)),
    ("Call open page next.", (NEW_PAGE, OLD_PAGE), (CHICAGO, GUESS)),
    ("Choose either search or open_page.", (JUDSON, NEW_PAGE), (ANSWER,)),
    ("Use search instead of open_page.", (JUDSON,), (NEW_PAGE, ANSWER)),
    ("Do not call open_page.", (JUDSON, ANSWER), (NEW_PAGE,)),
    ("Avoid using the search tool again.", (NEW_PAGE, ANSWER), (JUDSON, AGAIN)),
    ("The action must not use search or open_page.", (ANSWER,), (JUDSON, NEW_PAGE)),
    ('Search for "Whitcomb Judson".', (JUDSON, s("whitcomb judson biography")), (AGAIN, s("Judson"))),
    ("Search for “Judson” and “birthplace”.", (JUDSON,), (s("Judson early life"), CHICAGO)),
    ('Searches for "birthplace" or "town of birth".', (JUDSON, CHICAGO), (AGAIN, s("Judson"))),
    ("Look up «Judson» to find his town of birth.", (JUDSON,), (CHICAGO,)),
    ('Use search with the query "Whitcomb Judson".', (s("Whitcomb Judson"),), (AGAIN, s("Whitcomb"))),
    ("The step should search for 'Chicago engineer' with the search tool.", (CHICAGO,), (JUDSON, AGAIN)),
    ('Run a new search for "Judson" because his town is not known so far', (), ()),
    ("Search for the birthplace of Whitcomb Judson.", (JUDSON,), (AGAIN, s("town"))),
    ("Search for Whitcomb Judson next.", (JUDSON,), (CHICAGO,)),
    ("Look up where the family of Whitcomb Judson lived", (), ()),
    ("Search about the Universal Fastener Company.", (s("Universal Fastener Company"),), (JUDSON, CHICAGO)),
    ('The query mentions "Judson".', (JUDSON,), (CHICAGO, AGAIN)),
    ('The search query must include both "Whitcomb" and "Judson".', (JUDSON,), (s("Judson"), AGAIN)),
    ('Include at least one of "birthplace", "born" and "birth" in the query.', (JUDSON, CHICAGO), (AGAIN,)),
    ('Put "Judson" into `query`, or else "engineer".', (JUDSON, CHICAGO), (AGAIN,)),
    ('The query names "juDSON"', (JUDSON,), (AGAIN,)),
    ("`limit` is 5.", (s("x", limit=5),), (s("x", limit=50), s("x", limit=4))),
    ("Set the limit to 3.", (s("x", limit=3),), (s("x", limit=30),)),
    ("Use a limit of 10.", (s("x", limit=10),), (s("x", limit=1),)),
    ("limit is at least 5.", (s("x", limit=5), s("x", limit=9)), (s("x", limit=4),)),
    ("The limit should be no more than 5.", (s("x", limit=5), s("x", limit=1)), (s("x", limit=6),)),
    ("Keep `limit` at most 20.", (s("x", limit=20),), (s("x", limit=21),)),
    ("`limit` must be 3 or more.", (s("x", limit=3),), (s("x", limit=2),)),
    ("`limit` is between 2 and 6.", (s("x", limit=2), s("x", limit=6)), (s("x", limit=1), s("x", limit=7))),
    ("Open an address that was seen and not opened yet.", (NEW_PAGE,), (OLD_PAGE, MADE_UP)),
    ("Read a page that was found but not yet visited.", (NEW_PAGE,), (OLD_PAGE, MADE_UP)),
    ("Open a new page from the search results.", (NEW_PAGE,), (OLD_PAGE, MADE_UP)),
    ("If you open an address, open one that was seen and not opened yet.", (NEW_PAGE,), (OLD_PAGE, MADE_UP)),
    ("Open https://lib.org/judson.", (NEW_PAGE,), (OLD_PAGE, MADE_UP)),
    ("Read the page at https://lib.org/judson next.", (NEW_PAGE,), (OLD_PAGE, MADE_UP)),
    ("Take `url` from an observation.", (NEW_PAGE, OLD_PAGE), (MADE_UP,)),
    ("The url must come from the search results.", (NEW_PAGE,), (MADE_UP,)),
    ("Never make up the url.", (NEW_PAGE,), (MADE_UP,)),
    ("Do not repeat an earlier search.", (JUDSON, CHICAGO), (AGAIN, s("inventor zip"))),
    ("Avoid repeating previous queries.", (JUDSON,), (AGAIN,)),
    ("Make a call that was not made before.", (JUDSON, NEW_PAGE), (AGAIN, OLD_PAGE)),
    ("Never repeat a previous call.", (JUDSON, NEW_PAGE), (AGAIN, OLD_PAGE)),
    ("Make a new call.", (NEW_PAGE,), (OLD_PAGE,)),
    ("Answer now.", (ANSWER, GUESS), (JUDSON, NEW_PAGE)),
    ("Give the final answer.", (ANSWER,), (AGAIN,)),
    ("The agent should stop searching and answer the question.", (ANSWER,), (JUDSON, NEW_PAGE)),
    ("Do not call any more tools.", (ANSWER,), (JUDSON, OLD_PAGE)),
    ("Finish.", (ANSWER,), (JUDSON,)),
    ("Do not answer yet.", (JUDSON, NEW_PAGE), (ANSWER, GUESS)),
    ("Keep searching.", (JUDSON,), (ANSWER,)),
    ("Make another tool call.", (NEW_PAGE, AGAIN), (GUESS,)),
    ("The action must not give the final answer yet.", (JUDSON,), (ANSWER,)),
    ("Answer only with what was observed.", (ANSWER,), (GUESS,)),
    ("The answer must be supported by an observation.", (ANSWER,), (GUESS, a("Detroit, Michigan"))),
    ("Do not answer from memory.", (ANSWER,), (GUESS,)),
    ("Cite only observed sources.", (a("Chicago (https://lib.org/zip)"),), (a("Chicago, see https://other.org"),)),
    ("The answer cites only pages that were found.", (a("See https://lib.org/judson"),), (a("https://lib.org/x"),)),
    ("Arguments fit the schema of the tool.", (JUDSON, NEW_PAGE), (call("search"), call("open_page", url=5))),
    ("Call a tool that exists, with arguments that fit its schema.", (JUDSON,), (call("browse", url="x"),)),
    ("Answer now. Do not call any more tools.", (ANSWER,), (JUDSON,)),
    ("Use the search tool and do not answer yet.", (JUDSON,), (ANSWER, NEW_PAGE)),
)  # fmt: skip
# In the manner of trained generators: a modal without a subject, and a justification.
_SCHOLAR: tuple[tuple[str, tuple[Action, ...], tuple[Action, ...]], ...] = (
    ("Should use google_search (nothing was found yet, need an overview)", (SALVADOR, TOWN), (PAPERS, GEO)),
    ("Must call snippet_search since no study has been found so far", (PAPERS,), (SALVADOR, GROWTH)),
    ("The next action should be a google_search call", (TOWN,), (GEO, GROWTH)),
    ("Should use either google_search or snippet_search — evidence is still missing", (PAPERS, TOWN), (GEO,)),
    ("Should not use browse_webpage, as no relevant page was returned", (TOWN, GROWTH), (GEO,)),
    ("Use google_search to find out which metric is common", (SALVADOR,), (PAPERS, GROWTH)),
    ("Needs to search for El Salvador's inflation", (PAPERS, g("inflation in El Salvador")), (TOWN,)),
    ('Should set gl="sv"', (g("x", gl="sv"),), (g("x", gl="us"),)),
    ('Should use snippet_search with year="2022-2025"', (PAPERS,), (n("x", year="2021"),)),
    ('fieldsOfStudy="Economics"', (PAPERS,), (n("x", fieldsOfStudy="Law"),)),
    ("Should set num to at least 10", (g("x", num=10),), (g("x", num=3),)),
    (
        'Query must contain "Soyapango" or a specific name like "El Salvador"',
        (TOWN, SALVADOR),
        (g("GDP growth"),),
    ),
    (
        'Query should target a metric such as "GDP growth" or "inflation rate"',
        (SALVADOR, PAPERS),
        (TOWN,),
    ),
    ('Should include keywords such as "inflation rate", "GDP growth"', (SALVADOR, PAPERS), (TOWN,)),
    ('Query should include both "El Salvador" and "GDP"', (SALVADOR,), (TOWN, PAPERS)),
    ("Query must name the country (El Salvador)", (SALVADOR, PAPERS), (TOWN,)),
    ("The query mentions El Salvador", (SALVADOR,), (TOWN, g("San Salvador"))),
    ("Query should focus on the economy of El Salvador", (SALVADOR, PAPERS), (TOWN,)),
    ('Should not repeat the query "Soyapango"', (SALVADOR, g("Soyapango economy")), (TOWN,)),
    ('Avoid searching "Soyapango" again', (PAPERS, g("Soyapango economy")), (TOWN,)),
    ("Query must differ from the earlier ones", (SALVADOR,), (TOWN,)),
    ("Should issue a new query, not a repeat of an earlier one", (SALVADOR, PAPERS), (TOWN,)),
    ("The URL must have appeared in search results and not been visited yet", (GEO,), (NOWHERE,)),
    ("Should open a page that was returned by the search and has not been read yet", (GEO,), (NOWHERE,)),
    ("Should use browse_webpage to open https://geo.org/es", (GEO,), (NOWHERE,)),
    ("Should produce the final answer now (all facts were observed)", (GROWTH,), (TOWN, GEO)),
    ("Should generate <answer> because everything needed is known", (GROWTH,), (SALVADOR,)),
    ("Must stop searching and give the final answer; the evidence is sufficient", (GROWTH,), (PAPERS,)),
    ("Should not answer yet: the metric is still unknown", (TOWN, GEO), (GROWTH,)),
    ("Hold off answering, the study has not been found", (SALVADOR,), (GROWTH,)),
    ("The action is a search, not an answer", (SALVADOR, PAPERS), (GROWTH, GEO)),
    ("Use a tool call, not the final answer", (GEO, TOWN), (GROWTH,)),
    ("Keep gathering evidence", (GEO, PAPERS), (GROWTH,)),
    ("Find El Salvador's inflation rate", (PAPERS,), (TOWN,)),
    ("应使用 google_search 工具。", (TOWN,), (GEO, GROWTH)),
    ("查询词应包含“El Salvador”", (SALVADOR,), (TOWN,)),
    ("应直接给出最终答案", (GROWTH,), (TOWN,)),
    ("不要重复之前的查询", (SALVADOR,), (TOWN,)),
    ("Antworte noch nicht.", (TOWN,), (GROWTH,)),
    ("La requête doit contenir « El Salvador »", (SALVADOR,), (TOWN,)),
    ('La consulta debe contener "El Salvador"', (PAPERS,), (TOWN,)),
)  # fmt: skip
# Near to what is read, and to be left to a judge: no form may decide these.
_LEFT: tuple[tuple[str, tuple[Action, ...], tuple[Action, ...]], ...] = (
    ("Should use google_search (recent studies only)", (), (TOWN,)),
    ("Should use google_search with short words", (TOWN,), ()),
    ("Answer now; it should cite https://geo.org/es", (), (GROWTH,)),
    ("Should cite the collected sources in the answer", (), (GROWTH,)),
    ("Query should include a year and a name like \"El Salvador\"", (), (SALVADOR,)),
    ("The query names El Salvador and its currency", (), (SALVADOR,)),
    ("Open a page from the results, which has not been visited yet", (GEO,), (TOWN,)),
    ('Do not repeat the query "Santa Ana"', (TOWN,), (g("Santa Ana"),)),
    ("The answer comes from passage [g0705]", (), (GROWTH,)),
    ("不应回答得太长", (GROWTH,), ()),
)  # fmt: skip
_SHOP: tuple[tuple[str, tuple[Action, ...], tuple[Action, ...]], ...] = (
    ("Call the cancel order function.", (CANCEL,), (FIND, a("Done."))),
    ("The tool called should be `find_orders`.", (FIND,), (CANCEL, a("Done."))),
    ("Never call `cancel_order`.", (FIND, SHOES), (CANCEL,)),
    ("`order_id` equals K-77", (), ()),
    ('`order_id` equals "K-77".', (CANCEL,), (WRONG, call("cancel_order", order_id="K-78"))),
    ('Call cancel_order with order_id "K-77".', (CANCEL,), (WRONG,)),
    ("Set refund to true.", (CANCEL,), (call("cancel_order", order_id="K-77", refund=False),)),
    ("`customer_id` is 4711.", (FIND,), (call("find_orders", customer_id="4712"),)),
    ('`kind` must be "Shoe".', (SHOES,), (HATS,)),
    ("max_price is at most 50.", (SHOES,), (HATS,)),
    ("The max price should be up to 100 so that the budget holds.", (SHOES,), (HATS,)),
    ("Take `order_id` from an observation.", (CANCEL,), (WRONG,)),
    ("Take every argument from the question or from an observation.", (CANCEL, FIND), (WRONG,)),
    ("Do not invent any arguments.", (CANCEL,), (WRONG,)),
    ('`order_id` matches the pattern "^K-[0-9]+$".', (CANCEL, WRONG), (call("cancel_order", order_id="77"),)),
)  # fmt: skip
_FORBIDDEN: tuple[tuple[str, tuple[Action, ...], tuple[Action, ...]], ...] = (
    ("Calls the search tool.", (NEW_PAGE, ANSWER), (JUDSON, AGAIN)),
    ('Searches for "zip".', (JUDSON,), (AGAIN,)),
    ('The query contains "inventor".', (JUDSON,), (AGAIN,)),
    ("Gives the final answer.", (JUDSON, NEW_PAGE), (ANSWER,)),
    ("Opens https://lib.org/zip.", (NEW_PAGE,), (OLD_PAGE,)),
    ("`limit` is at least 100", (s("x", limit=3),), ()),
)
# What a reader sees and no pattern can: other words, word order, an aspect that has no name, another kind
# of action (the check of an argument has nothing to decide there).
_HARD: tuple[tuple[str, tuple[Action, ...], tuple[Action, ...]], ...] = (
    ('Search for "Whitcomb Judson".', (s("Judson, Whitcomb"),), (NEW_PAGE, ANSWER)),
    (
        "Search for the birthplace of Whitcomb Judson.",
        (s("Judson birthplace"),),
        (s("Whitcomb Judson patents"),),
    ),
    ("Answer only with what was observed.", (), (a("Judson was born in Springfield"), a("Chicago, in 1846"))),
    ("Do not repeat an earlier search.", (ANSWER,), (s("who invented the zip"),)),
    ("Take `url` from an observation.", (), (JUDSON,)),
    ("Set the limit to 3.", (), (JUDSON,)),
    ("Open https://lib.org/judson.", (o("https://lib.org/judson/"),), (JUDSON,)),
)


def _cases(
    rows: tuple[tuple[str, tuple[Action, ...], tuple[Action, ...]], ...],
    state: State,
    polarity: Literal["require", "forbid"] = "require",
) -> tuple[Case, ...]:
    cases: list[Case] = []
    for sentence, meeting, failing in rows:
        cases += [Case(sentence, action, state, "met", polarity) for action in meeting]
        cases += [Case(sentence, action, state, "unmet", polarity) for action in failing]
    return tuple(cases)


CASES: tuple[Case, ...] = (
    *_cases(_LIBRARY, LIBRARY),
    *_cases(_HARD, LIBRARY),
    *_cases(_SCHOLAR, SCHOLAR),
    *_cases(_LEFT, SCHOLAR),
    *_cases(_SHOP, SHOP),
    *_cases(_FORBIDDEN, LIBRARY, "forbid"),
)
