"""What prices say: bars, volatility, liquidity, duration, correlation, clearing, renewable impact, anomalies."""
