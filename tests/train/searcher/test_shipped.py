"""The weights in the repository: served like any model, and they search."""

from __future__ import annotations

from coreact_tools import corpus_tools
from langchain_core.messages import ToolMessage

from coreact.cli.models import SEARCHER, open_model
from coreact.cli.recipes import load_agent
from coreact.train.searcher.entity_split import by_country
from coreact.worlds import Corpus, gazetteer, gold_share


def test_the_shipped_searcher_finds_more_than_half_of_the_proof_of_questions_it_never_saw() -> None:
    world = gazetteer()
    held_out = [q for q in by_country(world).held_out if (q.kind, q.hops) == ("bridge", 2)]
    questions = sorted(held_out, key=lambda question: question.id)[:20]
    tools = corpus_tools(Corpus(world.passages))[:1]
    found = []
    with open_model(SEARCHER) as model:
        agent = load_agent("react").build(model, tools, tool_calls=4)
        for question in questions:
            messages = agent.invoke({"messages": [("user", question.question)]})["messages"]
            shown = [one for m in messages if isinstance(m, ToolMessage) for one in m.artifact or ()]
            found.append(gold_share(shown, question))
    assert sum(found) / len(found) > 0.6
