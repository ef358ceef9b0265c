"""Writes the report of the day before the message was sent, from a database of orders.

The day comes from the message's time, not from the clock: a retry, or a run after an outage,
reports the day that was meant. The report is written whole, in one step, so it bears to run twice.
"""

import csv
import datetime
import os
import sqlite3
from contextlib import closing
from pathlib import Path

QUERY = """
SELECT product, count(*) AS orders, sum(cents) / 100.0 AS total
FROM orders WHERE day = ? GROUP BY product ORDER BY total DESC
"""


def main() -> None:
    sent = datetime.datetime.fromisoformat(os.environ["SentTimestamp"])
    day = (sent.date() - datetime.timedelta(days=1)).isoformat()
    with closing(sqlite3.connect(os.environ["ORDERS"])) as database:
        rows = database.execute(QUERY, [day]).fetchall()
    folder = Path(os.environ["REPORTS"])
    beside = folder / f".{day}.{os.environ['MessageId']}"
    with beside.open("w", newline="") as file:
        csv.writer(file).writerows([("product", "orders", "total"), *rows])
    beside.replace(folder / f"{day}.csv")
    print(f"{len(rows)} products, {sum(row[2] for row in rows):.2f} in all")


if __name__ == "__main__":
    main()
