"""VEE: rules that say of each reading whether it can be billed from; pure functions on columns and state."""
