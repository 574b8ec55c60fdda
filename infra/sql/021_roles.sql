-- Group roles with no more than each needs; logins are made members of them (GRANT meterstream_reader TO somebody).
-- Roles belong to the whole server. Where whoever migrates may not create them, this says so and goes on: once somebody
-- has created the four, `SELECT grant_roles()` gives them what they need.

DO $$
DECLARE wanted text;
BEGIN
    FOREACH wanted IN ARRAY ARRAY['meterstream_engine', 'meterstream_reader', 'meterstream_grafana', 'meterstream_admin'] LOOP
        BEGIN
            IF NOT EXISTS (SELECT FROM pg_roles WHERE rolname = wanted) THEN
                EXECUTE format('CREATE ROLE %I NOLOGIN', wanted);
            END IF;
        EXCEPTION
            WHEN insufficient_privilege THEN
                RAISE NOTICE 'role % is not there and % may not create it', wanted, current_user;
            WHEN duplicate_object OR unique_violation THEN
                NULL; -- another database of this server was faster
        END;
    END LOOP;
END $$;

-- Give the roles that exist what they need in this schema, of what migrations to come will make, too; returns which.
CREATE FUNCTION grant_roles() RETURNS SETOF text LANGUAGE plpgsql AS $$
DECLARE
    home text := quote_ident(current_schema());
    named text;
BEGIN
    FOR named IN SELECT rolname FROM pg_roles
                 WHERE rolname IN ('meterstream_engine', 'meterstream_reader', 'meterstream_grafana', 'meterstream_admin')
    LOOP
        EXECUTE format('GRANT USAGE ON SCHEMA %s TO %I', home, named);
        EXECUTE format('GRANT SELECT ON ALL TABLES IN SCHEMA %s TO %I', home, named);
        EXECUTE format('ALTER DEFAULT PRIVILEGES IN SCHEMA %s GRANT SELECT ON TABLES TO %I', home, named);
        IF named = 'meterstream_engine' THEN
            -- Rows, no tables; partitions are made by a function that runs as the owner.
            EXECUTE format('GRANT INSERT, UPDATE, DELETE ON ALL TABLES IN SCHEMA %s TO %I', home, named);
            EXECUTE format('ALTER DEFAULT PRIVILEGES IN SCHEMA %s GRANT INSERT, UPDATE, DELETE ON TABLES TO %I', home, named);
            EXECUTE format('REVOKE INSERT, UPDATE, DELETE ON schema_migrations FROM %I', named);
            EXECUTE format('REVOKE UPDATE, DELETE ON vee_values FROM %I', named);
        ELSIF named = 'meterstream_grafana' THEN
            -- Original payloads may hold anything, and are for people who look for a cause.
            EXECUTE format('REVOKE SELECT ON rejected_readings FROM %I', named);
            EXECUTE format('GRANT SELECT (reject_id, reason, source, rejected_at, meter_number, payload_bytes)
                            ON rejected_readings TO %I', named);
        ELSIF named = 'meterstream_admin' THEN
            EXECUTE format('GRANT ALL ON ALL TABLES IN SCHEMA %s TO %I', home, named);
            EXECUTE format('GRANT ALL ON ALL SEQUENCES IN SCHEMA %s TO %I', home, named);
            EXECUTE format('GRANT CREATE ON SCHEMA %s TO %I', home, named);
            EXECUTE format('ALTER DEFAULT PRIVILEGES IN SCHEMA %s GRANT ALL ON TABLES TO %I', home, named);
        END IF;
        RETURN NEXT named;
    END LOOP;
END $$;

SELECT grant_roles();
