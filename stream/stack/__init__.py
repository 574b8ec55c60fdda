"""The local stack: real servers as child processes, each in its own file, kept alive by one supervisor."""
