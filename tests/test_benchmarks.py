"""What the benchmarks make of what they have measured."""

import pytest

from benchmarks import report
from benchmarks.client import longest_gap
from benchmarks.content import MEGABYTE
from benchmarks.contestants import DSLR, OURS
from benchmarks.restore import RESTORE, Result, nonsense


def result(contestant, milliseconds, kept, size=100):
    figures = {RESTORE: report.figures([milliseconds])}
    return Result(f"{size} MB", contestant, figures, size * MEGABYTE, kept * MEGABYTE, kept_after=0, refused=0)


def test_the_first_round_is_apart():
    assert report.figures([900.0, 3.0, 1.0, 2.0]) == report.Figures(rounds=3, first=900.0, p50=2.0, p95=3.0, max=3.0)


def test_a_single_round_is_all_there_is():
    assert report.figures([7.0]) == report.Figures(rounds=1, first=7.0, p50=7.0, p95=7.0, max=7.0)


@pytest.mark.parametrize(("share", "expected"), [(0.5, 10), (0.95, 19), (0.96, 20), (1.0, 20), (0.0, 1)])
def test_a_percentile_is_a_value_that_was_measured(share, expected):
    assert report.percentile(range(20, 0, -1), share) == expected


def test_a_ratio_says_how_many_times_longer_the_peer_takes():
    assert report.ratio(report.figures([2.0]), report.figures([100.0])) == 50.0


def test_a_table_has_its_figures_to_the_right_and_as_exact_as_they_are_worth():
    assert report.table(["who", "ms"], [["a", 1234.5], ["bcd", 0.123]]) == (
        "| who |    ms |\n|-----|------:|\n| a   | 1,234 |\n| bcd |  0.12 |"
    )


@pytest.mark.parametrize(
    ("begun", "ended", "expected"), [(1.5, 1.6, 1.0), (2.5, 4.5, 3.0), (2.5, 4.95, 3.0), (5.05, 5.06, 0.5)]
)
def test_a_gap_counts_when_it_touches_what_is_timed(begun, ended, expected):
    assert longest_gap([1.0, 2.0, 5.0, 5.5, 90.0], begun, ended) == pytest.approx(expected)


def test_it_makes_sense_that_we_are_faster():
    assert nonsense([result(OURS, 10.0, kept=300), result(DSLR, 500.0, kept=200)]) == []


def test_it_is_nonsense_that_dslr_restores_faster_at_100_mb():
    assert nonsense([result(OURS, 500.0, kept=300), result(DSLR, 250.0, kept=200)]) == [
        "100 MB: DSLR restores 2.0 times as fast as we do with a spare."
    ]


def test_at_7_mb_anybody_may_be_faster():
    assert nonsense([result(OURS, 50.0, kept=21, size=7), result(DSLR, 25.0, kept=14, size=7)]) == []


def test_it_is_nonsense_that_a_spare_takes_no_room():
    assert nonsense([result(OURS, 10.0, kept=200), result(DSLR, 500.0, kept=200)]) == [
        "100 MB: there was no spare in the series with one."
    ]
