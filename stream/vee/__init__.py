"""VEE in the engine: rule sets and where they come from, results, and what people do about them."""
