"""What a text gives away about itself: padding in any script, form, wording."""

# ruff: noqa: RUF001 - letters of other scripts are what this is about

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from coreact.rubric import Criterion, State
from coreact.rubric.checks import ToolIs
from coreact.rubric.text import parse_rubric
from coreact.train.rewards.text import format_score, repetition, wording

GATE = 0.4

GOOD = {
    "English": """\
1. [0.4] Should use `search` with a query that contains the name of the river
2. [0.3] Should not repeat the query about the length of the river
3. [0.3] The query should contain the name of the country and not its capital""",
    "Chinese": """\
1. [0.4] 应使用搜索工具查找该歌手的出生地
2. [0.3] 查询应包含歌曲的名称而不是专辑的名称
3. [0.3] 不应重复之前已经用过的查询""",
    "Japanese": """\
1. [0.4] 検索ツールを使って歌手の出身地を調べること
2. [0.3] クエリには曲名を含めること
3. [0.3] 以前と同じクエリを繰り返さないこと""",
    "Korean": """\
1. [0.4] 검색 도구로 가수의 출생지를 찾아야 한다
2. [0.3] 질의에는 노래 제목이 들어가야 한다
3. [0.3] 이미 사용한 질의를 반복하지 않아야 한다""",
    "Russian": """\
1. [0.4] Следует искать место рождения певца с помощью поиска
2. [0.3] Запрос должен содержать название песни, а не альбома
3. [0.3] Нельзя повторять уже заданный запрос""",
    "Arabic": """\
1. [0.4] يجب استخدام البحث للعثور على مكان ميلاد المغني
2. [0.3] يجب أن يحتوي الاستعلام على اسم الأغنية
3. [0.3] يجب عدم تكرار استعلام سابق""",
    "Hindi": """\
1. [0.4] गायक का जन्मस्थान खोजने के लिए खोज का उपयोग करें
2. [0.3] प्रश्न में गीत का नाम होना चाहिए
3. [0.3] पहले किया गया प्रश्न दोबारा न करें""",
    "Thai": """\
1. [0.4] ควรใช้เครื่องมือค้นหาเพื่อหาสถานที่เกิดของนักร้อง
2. [0.3] คำค้นควรมีชื่อเพลงอยู่ด้วย
3. [0.3] ไม่ควรใช้คำค้นเดิมซ้ำอีก""",
    "Greek": """\
1. [0.4] Πρέπει να αναζητηθεί ο τόπος γέννησης του τραγουδιστή
2. [0.3] Το ερώτημα πρέπει να περιέχει τον τίτλο του τραγουδιού
3. [0.3] Δεν πρέπει να επαναληφθεί προηγούμενο ερώτημα""",
}


@pytest.mark.parametrize("script", GOOD)
def test_language_passes_in_every_script(script: str) -> None:
    assert repetition(GOOD[script]) < GATE / 2


@pytest.mark.parametrize("script", GOOD)
def test_one_criterion_five_times_is_caught_in_every_script(script: str) -> None:
    said = GOOD[script].splitlines()[0].partition("] ")[2]
    assert repetition("\n".join(f"{n}. [0.2] {said}" for n in range(1, 6))) == pytest.approx(0.8)


@pytest.mark.parametrize("script", GOOD)
def test_a_loop_inside_of_a_criterion_is_caught_in_every_script(script: str) -> None:
    said = GOOD[script].splitlines()[0].partition("] ")[2]
    assert repetition(f"1. [1] {' '.join([said] * 5)}") > GATE
    assert repetition(f"1. [1] {said.split()[0] * 30}") > GATE


def test_lines_that_differ_in_case_number_and_marks_alone_are_the_same() -> None:
    assert repetition("1. [0.5] Use search.\n2. [0.25] use Search\n- [.25] **Use** search!") == pytest.approx(
        2 / 3
    )


def test_blanks_make_no_difference_where_a_script_has_none() -> None:
    """Blanks that are set differently are no other text, and add no runs to a line."""
    assert repetition("1. [0.5] use search tool\n2. [0.5] usesearch tool") == 0.5
    spaced, close = "a b c d e f g h " * 2, "abcdefgh" * 2
    assert repetition(f"1. [1] {spaced * 3}") == repetition(f"1. [1] {close * 3}") > GATE


def test_criteria_of_one_form_are_no_repetition() -> None:
    lines = [f"{n}. [0.25] Search for name {n}." for n in range(1, 5)]
    assert repetition("\n".join(lines)) == 0.0


@given(st.text(max_size=400))
def test_any_text_has_a_share(text: str) -> None:
    assert 0 <= repetition(text) <= 1


def score(text: str, read: str | None = None) -> float:
    criteria = parse_rubric(text if read is None else read).criteria
    return format_score(text, criteria, least=3, most=5, tolerance=0.15)


def test_form_by_hand() -> None:
    """Half for the number of criteria, half for the sum of weights; lines beside them cost their share."""
    good = "1. [0.4] Use a.\n2. [0.3] Use b.\n3. [0.3] Use c."
    assert score(good) == 1.0
    assert score("1. [0.4] Use a.\n2. [0.3] Use b.\n3. [0.4] Use c.") == 1.0  # 1.1 is near enough
    assert score("1. [4] Use a.\n2. [3] Use b.\n3. [3] Use c.") == 0.5
    assert score("1. [0.6] Use a.\n2. [0.4] Use b.") == 0.5
    assert score("1. [6] Use a.\n2. [4] Use b.") == 0.0
    assert score(f"Here are the criteria:\n{good}") == pytest.approx(0.75)
    assert score(f"{good}\n4. [0.3] use c", good) == pytest.approx(0.75)  # a line that had to be dropped
    assert format_score("", (), least=3, most=5, tolerance=0.15) == 0.0


STATE = State.start("Where was the singer born?")


def criterion(text: str, **fields: Any) -> Criterion:
    return Criterion(id=f"c{abs(hash(text)) % 997}", text=text, **fields)


def test_wording_counts_demands_and_tools() -> None:
    atomic = criterion("The query contains the name of the song.")
    compound = criterion("Search for the song, open the page and cite its source.")
    assert wording([atomic], STATE, judged=True) == (1.0, 1.0)
    assert wording([atomic, compound], STATE, judged=True).atomic == 0.5
    two = criterion("Call `search` and then call `read`.")
    assert wording([atomic, two], STATE, judged=True).focus == 0.5
    assert wording([], STATE, judged=True) == (0.0, 0.0)


def test_what_code_decides_is_one_demand() -> None:
    text = "Search for the song, open the page and cite its source."
    assert wording([criterion(text, check=ToolIs(tools=("search",)))], STATE, judged=True).atomic == 1.0


def test_prose_that_nobody_decides_is_no_demand() -> None:
    prose = criterion("The query names the song.")
    code = criterion("Use `search`.", check=ToolIs(tools=("search",)))
    assert wording([prose, code], STATE, judged=True).atomic == 1.0
    assert wording([prose, code], STATE, judged=False).atomic == 0.5
