"""Published market files to ticks: one reader per source, what cannot be read named by its line."""
