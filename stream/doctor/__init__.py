"""Looks at everything that the engine needs and says what is wrong and what to do about it."""
