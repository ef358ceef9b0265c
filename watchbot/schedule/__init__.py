"""`watchbot schedule`: starts ECS tasks, or sends messages, at the times that jobs ask for."""
