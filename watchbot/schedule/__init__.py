"""Starts ECS tasks, or sends messages, when jobs are due: `watchbot schedule`."""
