#!/bin/sh
# Grafana's login: a member of meterstream_grafana, which reads everything but the payloads of rejects. The image runs this
# once, when it makes its database; `meterstream db migrate` gives the role what it may read.
set -eu
psql --set=ON_ERROR_STOP=1 --set=password="$GRAFANA_DATABASE_PASSWORD" --username="$POSTGRES_USER" --dbname="$POSTGRES_DB" <<'SQL'
CREATE ROLE meterstream_grafana NOLOGIN;
CREATE ROLE grafana LOGIN PASSWORD :'password' IN ROLE meterstream_grafana CONNECTION LIMIT 10;
ALTER ROLE grafana SET default_transaction_read_only = on;
ALTER ROLE grafana SET statement_timeout = '30s';
SQL
