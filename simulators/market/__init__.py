"""Invented markets: prices that demand and renewables explain, order books, trades, and labelled anomalies."""
