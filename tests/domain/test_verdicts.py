"""One severity order, wherever several verdicts become one."""

from driftline.domain.verdicts import BY_SEVERITY, VerdictName, gravest


def test_a_window_too_short_to_judge_is_no_news_where_a_longer_one_was_judged():
    assert gravest(["insufficient_data", "ok"]) == VerdictName.OK
    assert gravest(["insufficient_data", "learning"]) == VerdictName.LEARNING


def test_what_pages_is_graver_than_all_else():
    assert gravest(["ok", "incomplete", "page", "warn"]) == "page"


def test_nothing_judged_is_too_little_data():
    assert gravest([]) == "insufficient_data"


def test_severities_follow_the_order_in_which_verdicts_are_listed():
    assert [name.severity for name in BY_SEVERITY] == list(range(len(VerdictName)))
    assert BY_SEVERITY[-1] is VerdictName.PAGE
