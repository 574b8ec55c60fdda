"""Running the simulators: processes, pace and transports; what is simulated is decided in `simulators`."""
