"""What an embedded engine may not reach: files of its user outside of the store, and other hosts.

The engine's user is denied all sources, and table engines other than those that keep data in the store. For
four things the engine asks for no grant; what comes through the gateway is looked through for them.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING
from xml.sax.saxutils import escape

from driftline.errors import SettingError, StoreError

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from driftline.store.connection import Connection

_ENGINES = (
    "Null, Memory, MergeTree, ReplacingMergeTree, SummingMergeTree, AggregatingMergeTree, "
    "CollapsingMergeTree, VersionedCollapsingMergeTree"
)
_GRANTS = (
    "GRANT ALL ON *.*",
    "REVOKE SOURCES, ACCESS MANAGEMENT, NAMED COLLECTION ADMIN ON *.*",
    "REVOKE TABLE ENGINE ON *",
    f"GRANT {', '.join(f'TABLE ENGINE ON {engine}' for engine in _ENGINES.split(', '))}",
)
_INTERPRETED = "".join(
    f"<{name}>0</{name}>"
    for name in ("compile_expressions", "compile_aggregate_expressions", "compile_sort_description")
)
"""Compiling queries takes 30 ms each after every start, and deriving, the longest of them, gains nothing."""
_USERS = """<clickhouse><profiles><default>{}</default></profiles><quotas><default/></quotas><users><default>
<no_password/><networks><ip>::/0</ip></networks><profile>default</profile><quota>default</quota>
<grants>{}</grants></default></users></clickhouse>
"""
_CONFIG = "<clickhouse><users_config>{}</users_config></clickhouse>\n"
_UNUSABLE = "?&\\"
"""The engine takes its folder and its settings' file from one text, in which these mean something."""

_GAP = r"(?:\s|/\*.*?\*/|--[^\n]*\n|[#][^\n]*\n)*"
_QUOTE = '[`"\N{LEFT DOUBLE QUOTATION MARK}\N{RIGHT DOUBLE QUOTATION MARK}]?'
_READS_FILES = re.compile(
    rf"""\b(?:outfile|infile)\b
    |\b(?:file|http|executable|executable_pool){_QUOTE}{_GAP}\(
    |\bapply{_GAP}\(?{_GAP}{_QUOTE}file\b
    |[`"][^`"\n]*\\[^`"\n]*[`"]{_GAP}[()]""",
    re.IGNORECASE | re.DOTALL | re.VERBOSE,
)


def confine(folder: Path) -> Mapping[str, str]:
    """Write into a store's folder what confines its engine; return the engine's options that name it.

    Raises:
        SettingError: the engine takes no folder of that name.
        OSError: the folder can't be written to.
    """
    if found := sorted(set(_UNUSABLE) & set(str(folder))):
        marks = " ".join(found)
        raise SettingError(f"an embedded store can't be in {folder}: its engine takes no {marks} in a path")
    users, config = folder / "users.xml", folder / "engine.xml"
    grants = "".join(f"<query>{grant}</query>" for grant in _GRANTS)
    users.write_text(_USERS.format(_INTERPRETED, grants), encoding="utf-8")
    config.write_text(_CONFIG.format(escape(str(users))), encoding="utf-8")
    return {"config-file": str(config)}


def check_confined(connection: Connection) -> None:
    """Check that an engine is confined.

    Raises:
        StoreError: it is not.
    """
    if connection.command("CHECK GRANT READ ON FILE") != 0:
        raise StoreError("the embedded engine may read any file: it does not heed its settings")


def check_sql(sql: str) -> None:
    """Check a query for what the engine does without asking whether its user may.

    That is: ``INTO OUTFILE``, ``FROM INFILE``, the function ``file()``, and dictionaries made of files, of
    commands and of what other hosts answer. Fails closed: also where these names stand in a literal.

    Raises:
        ValueError: it may do one of them.
    """
    if found := _READS_FILES.search(sql):
        raise ValueError(
            f"Code: 497. DB::Exception: not through this gateway: {' '.join(found[0].split())!r} would reach "
            "files or other hosts; where it is part of a value, bind that as a parameter. (ACCESS_DENIED)"
        )
