"""Times that repeat: three ways to write them, one engine, and an explicit rule for DST.

`parse` (in `dialects`) reads a text. What it gives says when it fires next. Read `calendar` for
the search, and `zone` and `timetable` for what happens where clocks are turned.
"""
