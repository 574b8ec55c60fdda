"""The life of an alert: states, signs and time in, changes out; no clock and no outside world."""
