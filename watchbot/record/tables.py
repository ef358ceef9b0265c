"""The name of the record's tables, and the package that holds their `schema/`."""

COMPONENT, PACKAGE = "record", "watchbot.record"
