-- Prices beside their neighbours', judged interval by interval as they are stored (processors/market/neighbours.py), so that
-- a symbol which leaves the others is told of; `neighbour_outliers` answers the same of any span afterwards.

-- How far each market has been judged, by the times that its ticks bear, and what is usual of its prices.
CREATE TABLE market_neighbour_marks (
    market    text PRIMARY KEY,
    until     timestamptz NOT NULL,
    level     double precision NOT NULL,
    intervals bigint NOT NULL
);

-- What is usual of each series' distance from the middle of its market; apart_at is its newest tick that was not.
CREATE TABLE market_neighbours (
    series_id bigint PRIMARY KEY,
    mean      double precision NOT NULL,
    variance  double precision NOT NULL,
    seen      bigint NOT NULL,
    bound     double precision NOT NULL,
    calm      bigint NOT NULL,
    apart_at  timestamptz
);
