"""The page of the logger says what becomes of values, and it is true."""

from __future__ import annotations

from tests.sdk import answer_table, value_table


def cells(line: str) -> list[str]:
    return [cell.strip() for cell in line.split("|")[1:-1]]


def test_the_table_of_the_page_is_what_logging_makes_of_values():
    """A column of an older release of its library may hold more: such a value is logged as one alone is."""
    (shown,) = value_table.TABLE.findall(value_table.PAGE.read_text())
    made = value_table.table().splitlines()
    assert len(made) == len(shown.splitlines())
    for line, expected in zip(made, shown.splitlines(), strict=True):
        dashes = [cell == value_table.NONE_HERE for cell in cells(expected)]
        one = cells(expected)[1]
        assert [
            value_table.NONE_HERE if dashed and cell == one else cell
            for cell, dashed in zip(cells(line), dashes, strict=True)
        ] == cells(expected)


def test_every_kind_of_column_holds_what_can_be_logged_of_it():
    """A dash is for what a library can't hold, not for what logging it makes of it."""
    (shown,) = value_table.TABLE.findall(value_table.PAGE.read_text())
    for line in shown.splitlines()[2:]:
        one, *others = [cell.strip() for cell in line.split("|")[2:-2]]
        held = {cell for cell in others if cell != value_table.NONE_HERE}
        assert held <= {one, "missing", one.removesuffix(", rounded")}


def test_the_table_of_answers_is_what_logging_makes_of_them():
    (shown,) = answer_table.TABLE.findall(answer_table.PAGE.read_text())
    assert shown == answer_table.table()
