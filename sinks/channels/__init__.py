"""Ways to reach people and their tools: one kind of channel per file."""
