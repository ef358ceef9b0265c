"""A job: its fields, their types and limits, and the words that refuse a wrong one."""
