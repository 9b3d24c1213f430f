"""The page of a job on another set: what a reader finds on it, and that nothing from a file becomes markup."""

import html
import re
from dataclasses import replace

from focalseg.records.scores.external import ExternalRecord
from focalseg.report.external.page import render_external
from focalseg.report.wording import MINUS
from records.test_record import RECORDS

RECORD = next(record for record in RECORDS if isinstance(record, ExternalRecord))


def read_text(page: str) -> str:
    """What is to be read on a page."""
    body = page.partition("<main>")[2]
    return " ".join(html.unescape(re.sub(r"<[^>]+>", " ", body)).replace("\N{NO-BREAK SPACE}", " ").split())


def test_the_page_tells_the_verdict_both_differences_and_whether_they_agree() -> None:
    text = read_text(render_external(RECORD))
    assert "The trainings of OUT (made from another folder) on another set: a folder , 3 cases in 3 groups." in text
    assert "Attention helps: +0.100 Dice." in text
    assert "On the job's own test cases attention helps as well." in text
    assert f"placed {MINUS} none +0.100 [0.000, +0.200] 0.060 unknown +0.100 [0.000, +0.200]" in text
    assert f"placed 0.700 [0.600, 0.900] 0.100 [{MINUS}0.200, 0.300]" in text
    assert "ü +0.250 0.500 0.750" in text
    assert "1 case left out seen is case_1 of the job" in text
    assert text.index("Differences, there and on") < text.index("Arms") < text.index("Cases that differ most")


def test_a_name_from_a_file_is_text_and_no_markup() -> None:
    hostile = "<script>alert(1)</script>"
    case = replace(RECORD.extremes[0], case=hostile)
    page = render_external(replace(RECORD, data=hostile, extremes=(case,), notes=(hostile,), left_out={hostile: "was seen"}))
    assert "<script" not in page
    assert page.count("&lt;script&gt;") >= 4


def test_where_nothing_was_placed_the_cases_are_those_of_all_against_none() -> None:
    pair = replace(RECORD.comparisons[0], one="all", other="none")
    text = read_text(render_external(replace(RECORD, same_networks=True, comparisons=(pair,))))
    assert f"Case all {MINUS} none none all" in text
    assert "all - none, there" in text


def test_the_same_record_gives_the_same_page() -> None:
    assert render_external(RECORD) == render_external(replace(RECORD))


def test_every_table_scrolls_by_itself_so_that_a_narrow_page_does_not() -> None:
    page = render_external(RECORD)
    tables = re.findall(r"(<div [^>]*>)\s*<table", page)
    assert len(tables) == page.count("<table")
    assert all('class="scroll' in before for before in tables)
