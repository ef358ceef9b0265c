"""Reads schedules in three dialects and finds their fires, with an explicit rule for DST.

`parse` (in `dialects`) turns a text into a `Timetable`, which knows the next fire. Read `calendar`
for the search, and `zone` and `timetable` for changes of the clocks.
"""
