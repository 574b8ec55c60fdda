"""The demo: everything from nothing, a simulated fleet, a live view, and the proof at the end."""
