"""What verdicts take on disk, by column: bytes for each judged hour of a stream, once all parts are merged.

python -m bench.judging judge FOLDER --keep JUDGED   # a store of real verdicts, or that of `make demo`
python -m bench.verdict_storage chdb://JUDGED/store
"""

from __future__ import annotations

import argparse

from driftline.embedded import open_store

_TABLES = ("verdict_records", "drift_verdicts")
"""Where verdicts are; some stores have the second as a table."""

_COLUMNS = """
SELECT column, sum(column_data_compressed_bytes) AS compressed, sum(column_data_uncompressed_bytes) AS plain
FROM system.parts_columns WHERE active AND database = currentDatabase() AND table = {table:String}
GROUP BY column ORDER BY compressed DESC
"""

_WHOLE = """
SELECT sum(bytes_on_disk), sum(rows) FROM system.parts
WHERE active AND database = currentDatabase() AND table = {table:String}
"""


def main() -> None:
    """Merge the parts of a store's verdicts, and print what they take."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("store", help="chdb:///folder or clickhouse://...")
    with open_store(parser.parse_args().store) as store:
        client = store.connect()
        hours = client.rows("SELECT count() FROM judged_hours FINAL")[0][0]
        made = client.rows(
            "SELECT name FROM system.tables WHERE database = currentDatabase() "
            "AND name IN {names:Array(String)} AND engine LIKE '%MergeTree'",
            parameters={"names": list(_TABLES)},
        )
        for (table,) in made:
            client.command(f"OPTIMIZE TABLE {table} FINAL")
            size, rows = client.rows(_WHOLE, parameters={"table": table})[0]
            print(f"{table}: {rows} verdicts on {hours} hours, {size / hours:,.0f} bytes an hour on disk")
            for column, compressed, plain in client.rows(_COLUMNS, parameters={"table": table}):
                print(f"  {column:<20} {compressed / hours:>8.1f} of {plain / hours:>9.1f}")
        client.close()


if __name__ == "__main__":
    main()
