"""Makes a database with the orders of yesterday and today."""

import datetime
import sqlite3
import sys

today = datetime.datetime.now(datetime.UTC).date()
yesterday = today - datetime.timedelta(days=1)
with sqlite3.connect(sys.argv[1]) as database:
    database.execute("CREATE TABLE orders (day TEXT, product TEXT, cents INTEGER)")
    database.executemany(
        "INSERT INTO orders VALUES (?, ?, ?)",
        [
            (str(yesterday), "tea", 450),
            (str(yesterday), "tea", 450),
            (str(yesterday), "coffee", 1250),
            (str(today), "tea", 450),
        ],
    )
database.close()
