"""`watchbot schedule`: starts ECS tasks, or sends messages, at the times that jobs ask for."""

COMPONENT, PACKAGE = "schedule", "watchbot.schedule"  # of its tables, for `watchbot.sql.migrate`
