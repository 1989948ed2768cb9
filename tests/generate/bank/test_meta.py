from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from coreact.errors import ConfigError
from coreact.generate.bank import meta as meta_module
from coreact.generate.bank.meta import MetaRubric, MetaRubricGenerator
from coreact.generate.generator import NoRubricError
from coreact.judge import Status
from coreact.judge.ordering import judged, standing
from coreact.rubric import Action, Criterion, NotRepeat, Rubric, State, Stops
from coreact.testing import ScriptedGenerator, ScriptedJudge

STATE = State.start("Which currency does Chile use?", limit=5)
FACT = Criterion(id="fact", text="State the currency.", kind="fact")
STYLE = Criterion(id="style", text="Answer in one word.", kind="style")


def load(folder: Path, text: str) -> MetaRubric:
    path = folder / "meta.toml"
    path.write_text(text, encoding="utf-8")
    return MetaRubric.load(path)


def ids(rubric: Rubric | None) -> list[str]:
    assert rubric is not None
    return [criterion.id for criterion in rubric]


def weights(rubric: Rubric | None) -> list[float]:
    assert rubric is not None
    return [criterion.weight for criterion in rubric]


def by_script(criterion: Criterion, action: Action) -> Status:
    long = "Chilean peso" in (action.answer or "")
    return "met" if (criterion.kind == "fact") == long else "unmet"


FILE = """
[weigh.kind]
fact = 2.0
style = {style}
"""


@pytest.mark.parametrize(("style", "preferred"), [("1.0", 0), ("3.0", 1)])
def test_editing_one_weight_flips_which_candidate_is_preferred(
    tmp_path: Path, style: str, preferred: int
) -> None:
    generator = MetaRubricGenerator(
        ScriptedGenerator(Rubric(criteria=(FACT, STYLE))), load(tmp_path, FILE.format(style=style))
    )
    rubric = generator.write(STATE).rubric
    candidates = [Action(answer="It is the Chilean peso, I think."), Action(answer="Peso.")]
    scores = standing(judged(rubric, candidates, STATE, judge=ScriptedJudge(by_script)))
    assert None not in scores
    assert scores.index(max(score for score in scores if score is not None)) == preferred


def test_the_file_that_comes_with_the_library_changes_nothing() -> None:
    default = MetaRubric.default()
    assert default == MetaRubric()
    rubric = Rubric(criteria=(FACT, STYLE.model_copy(update={"veto": True})), threshold=0.4)
    applied = default.apply(rubric)
    assert applied.rubric is not None
    assert applied.remarks == ()
    assert [rubric.share(c) for c in rubric] == weights(applied.rubric)
    assert applied.rubric.threshold == 0.4
    assert applied.rubric.criteria[1].veto


def test_every_line_that_the_file_suggests_is_valid(tmp_path: Path) -> None:
    text = Path(meta_module.__file__).with_name("meta_rubric.toml").read_text(encoding="utf-8")
    commented = ("# safety =", "# style =", "# late", '# "answer', "# threshold =")
    lines = text.splitlines()
    assert len([line for line in lines if line.startswith(commented)]) == 5
    suggested = [line.removeprefix("# ") if line.startswith(commented) else line for line in lines]
    meta = load(tmp_path, "\n".join(suggested))
    assert meta.weigh.kind == {"safety": 3.0, "style": 0.5}
    assert (meta.weigh.stage, meta.weigh.id, meta.enforce.threshold) == ({"late": 2.0}, {"answer*": 2.0}, 0.6)


# --- creation --------------------------------------------------------------------------------------


def test_kinds_that_are_not_let_in_are_dropped(tmp_path: Path) -> None:
    applied = load(tmp_path, '[create]\nkinds = ["fact"]').apply(Rubric(criteria=(FACT, STYLE)))
    assert ids(applied.rubric) == ["fact"]
    assert [(one.deed, one.criterion) for one in applied.remarks] == [("dropped", STYLE.text)]


def test_of_too_many_the_heaviest_stay_in_their_order(tmp_path: Path) -> None:
    rubric = Rubric(criteria=tuple(Criterion(id=f"c{w}", text="T.", weight=w) for w in (2, 9, 1, 4)))
    applied = load(tmp_path, "[create]\nmost = 2").apply(rubric)
    assert ids(applied.rubric) == ["c9", "c4"]
    assert [one.problem for one in applied.remarks] == ["too_many", "too_many"]
    # What is heaviest is told after weighting.
    lifted = load(tmp_path, "[create]\nmost = 2\n[weigh.id]\nc1 = 100").apply(rubric)
    assert ids(lifted.rubric) == ["c9", "c1"]


def test_long_criteria_are_dropped(tmp_path: Path) -> None:
    rubric = Rubric(criteria=(FACT, Criterion(id="long", text="word " * 6)))
    applied = load(tmp_path, "[create]\nmost_words = 5").apply(rubric)
    assert ids(applied.rubric) == ["fact"]
    assert applied.remarks[0].problem == "over_long"


def test_what_depends_on_a_dropped_criterion_goes_with_it(tmp_path: Path) -> None:
    then = Criterion(id="then", text="Then say so.", depends_on=("style",), weight=9)
    applied = load(tmp_path, '[create]\nkinds = ["fact", "principle"]').apply(
        Rubric(criteria=(FACT, STYLE, then))
    )
    assert ids(applied.rubric) == ["fact"]
    assert {one.criterion for one in applied.remarks} == {STYLE.text, then.text}
    few = load(tmp_path, "[create]\nmost = 1").apply(Rubric(criteria=(STYLE, then)))
    assert few.rubric is None
    assert {one.criterion for one in few.remarks} == {STYLE.text, then.text, ""}


@pytest.mark.parametrize("how", ["sync", "async"])
def test_too_few_criteria_are_no_rubric(tmp_path: Path, how: str) -> None:
    meta = load(tmp_path, "[create]\nleast = 2")
    generator = MetaRubricGenerator(ScriptedGenerator(Rubric(criteria=(FACT,))), meta)
    with pytest.raises(NoRubricError) as caught:
        generator.write(STATE) if how == "sync" else asyncio.run(generator.awrite(STATE))
    assert caught.value.remarks[-1].problem == "too_few"
    assert caught.value.cost.calls == 1


def test_the_rules_of_creation_can_be_told_to_a_writer(tmp_path: Path) -> None:
    meta = load(tmp_path, '[create]\nmost = 3\nkinds = ["fact"]\nphrasing = ["Begin with a verb."]')
    assert meta.instructions().splitlines() == [
        "Write 1 to 3 criteria of at most 40 words each.",
        "Kinds of criteria: fact.",
        "Begin with a verb.",
    ]


# --- weights ---------------------------------------------------------------------------------------


def test_the_nearest_rule_gives_the_factor(tmp_path: Path) -> None:
    meta = load(
        tmp_path, '[weigh.kind]\nfact = 2\n[weigh.stage]\nlate = 3\n[weigh.id]\n"c*" = 5\nc1 = 7\n"c?" = 11'
    )
    factors = [
        meta.weigh.factor(Criterion(id=name, text="T.", stage=stage, kind="fact"))
        for name, stage in [("c1", "late"), ("c2", "late"), ("d", "late"), ("d", "early"), ("d", None)]
    ]
    assert factors == [7, 5, 3, 2, 2]
    assert meta.weigh.factor(Criterion(id="d", text="T.")) == 1


def test_weights_are_shares_times_factors(tmp_path: Path) -> None:
    rubric = Rubric(criteria=(FACT.model_copy(update={"weight": 3.0}), STYLE))
    applied = load(tmp_path, "[weigh.kind]\nstyle = 2").apply(rubric)
    assert weights(applied.rubric) == [pytest.approx(0.6), pytest.approx(0.4)]
    assert [one.deed for one in applied.remarks] == ["weighted"]
    equal = load(tmp_path, '[weigh]\nbasis = "equal"\n[weigh.kind]\nstyle = 2').apply(rubric)
    assert weights(equal.rubric) == [pytest.approx(1 / 3), pytest.approx(2 / 3)]


@pytest.mark.parametrize(
    ("cap", "expected"),
    [
        (1.0, [0.7, 0.2, 0.1]),
        (0.6, [0.6, 0.4 * 2 / 3, 0.4 / 3]),
        (0.4, [0.4, 0.4, 0.2]),  # spreading lifts the second above the cap as well
        (0.3, [1 / 3, 1 / 3, 1 / 3]),
    ],
)
def test_no_share_is_above_the_cap(tmp_path: Path, cap: float, expected: list[float]) -> None:
    rubric = Rubric(criteria=tuple(Criterion(id=f"c{w}", text="T.", weight=w) for w in (7, 2, 1)))
    applied = load(tmp_path, f"[weigh]\ncap = {cap}").apply(rubric)
    assert weights(applied.rubric) == [pytest.approx(one) for one in expected]


@given(
    st.lists(st.floats(min_value=5e-324, max_value=1e308), min_size=1, max_size=6),
    st.floats(min_value=0.001, max_value=1),
)
def test_shares_add_up_and_keep_to_the_cap(written: list[float], cap: float) -> None:
    rubric = Rubric(criteria=tuple(Criterion(id=f"c{n}", text="T.", weight=w) for n, w in enumerate(written)))
    meta = MetaRubric.model_validate({"create": {"most": 6}, "weigh": {"cap": cap}})
    shares = weights(meta.apply(rubric).rubric)
    assert sum(shares) == pytest.approx(1)
    assert max(shares) <= max(cap, 1 / len(written)) + 1e-12
    assert min(shares) > 0


# --- enforcement -----------------------------------------------------------------------------------

CHECKED = Criterion(id="checked", text="Answer.", kind="hard", check=Stops())
PROSE = Criterion(id="prose", text="Be right.", kind="hard")
OWN = Criterion(id="own", text="Be new.", kind="process", check=NotRepeat(), veto=True)


@pytest.mark.parametrize(
    ("rules", "vetoes", "threshold"),
    [
        ("", ["own"], 0.7),
        ('veto = ["hard"]', ["checked", "own"], 0.7),
        ('veto = ["hard"]\nthreshold = 0.2', ["checked", "own"], 0.2),
        ('veto = ["hard"]\nenforcement = "score"', [], 0.7),
        ('veto = ["hard"]\nenforcement = "advice"\nthreshold = 0.9', [], 0.0),
    ],
)
def test_what_failing_means(tmp_path: Path, rules: str, vetoes: list[str], threshold: float) -> None:
    rubric = Rubric(criteria=(CHECKED, PROSE, OWN), threshold=0.7)
    applied = load(tmp_path, f"[enforce]\n{rules}").apply(rubric).rubric
    assert applied is not None
    assert [criterion.id for criterion in applied if criterion.veto] == vetoes
    assert applied.threshold == threshold


def test_a_failed_guardrail_beats_any_judge(tmp_path: Path) -> None:
    liked = Criterion(id="liked", text="Be pleasant.", weight=99)
    rubric = Rubric(criteria=(CHECKED, liked))
    pleasant = Action.model_validate({"call": {"name": "search"}})
    judge = ScriptedJudge(lambda _, action: "met" if action == pleasant else "unmet")
    gated = load(tmp_path, '[enforce]\nveto = ["hard"]').apply(rubric).rubric
    free = load(tmp_path, '[enforce]\nenforcement = "score"').apply(rubric).rubric
    assert gated is not None
    assert free is not None
    assert [one.passed for one in judged(gated, [pleasant], STATE, judge=judge)] == [False]
    assert [one.passed for one in judged(free, [pleasant], STATE, judge=judge)] == [True]


# --- files -----------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("[create]\nmots = 3", ["create.mots", "'most'"]),
        ("[creates]\n", ["creates", "'create'"]),
        ("[zzz]\n", ["zzz", "create, weigh, enforce"]),
        ("[create]\nmost = 0", ["create.most", "got 0"]),
        ("[create]\nleast = 6", ["create", "above most"]),
        ("[create]\nkinds = []", ["create", "no kind"]),
        ("[create]\nkinds = ['nice']", ["create.kinds", "nice"]),
        ("[weigh.kind]\nfact = 0", ["weigh.kind.fact"]),
        ("[weigh.kind]\nfact = -1.0", ["weigh.kind.fact"]),
        ("[weigh.kind]\nfact = nan", ["weigh.kind.fact"]),
        ("[weigh.kind]\nfacts = 1", ["weigh.kind.facts"]),
        ("[weigh]\ncap = 0", ["weigh.cap"]),
        ("[enforce]\nenforcement = 'strict'", ["enforce.enforcement"]),
        ("[enforce]\nthreshold = 1.1", ["enforce.threshold"]),
        ("[create\n", ["no TOML", "line 1"]),
    ],
)
def test_a_wrong_key_is_an_error_with_its_name_and_its_file(
    tmp_path: Path, text: str, told: list[str]
) -> None:
    with pytest.raises(ConfigError) as caught:
        load(tmp_path, text)
    for part in [*told, str(tmp_path / "meta.toml")]:
        assert part in str(caught.value)


def test_a_file_that_cannot_be_read_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="cannot be read"):
        MetaRubric.load(tmp_path / "none.toml")
    path = tmp_path / "latin.toml"
    path.write_bytes(b"[create]\nphrasing = ['\xff']")
    with pytest.raises(ConfigError, match="no TOML"):
        MetaRubric.load(path)


def test_a_generator_is_named_after_the_rules(tmp_path: Path) -> None:
    inner = ScriptedGenerator(Rubric(criteria=(FACT,)))
    one = MetaRubricGenerator(inner, load(tmp_path, "[create]\nmost = 3"))
    assert one.id == MetaRubricGenerator(inner, load(tmp_path, "[create]\nmost = 3")).id
    assert one.id != MetaRubricGenerator(inner).id
    assert one.id.startswith("meta(scripted@")


def test_async_gives_the_same(tmp_path: Path) -> None:
    meta: Any = load(tmp_path, FILE.format(style="3.0"))
    generator = MetaRubricGenerator(ScriptedGenerator(Rubric(criteria=(FACT, STYLE))), meta)
    assert asyncio.run(generator.awrite(STATE)) == generator.write(STATE)
