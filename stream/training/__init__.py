"""Where models are trained: readings from files or a simulation, in the order of time."""
