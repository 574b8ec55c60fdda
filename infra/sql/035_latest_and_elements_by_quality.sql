-- The newest value of a meter, and the energy of an element in even steps, of the quality that one asks for.

-- Nearly always it is of the last day; all that a meter ever sent is asked for only where nothing newer has the quality.
CREATE FUNCTION latest_value(of_meter text, quality quality_filter DEFAULT 'best')
RETURNS TABLE (meter_number text, reading_time timestamptz, consumption_kwh double precision, demand_kw double precision,
               voltage double precision, quality_flag quality_flag, kind text)
LANGUAGE plpgsql STABLE ROWS 1 AS $$
DECLARE
    asked bigint := (SELECT m.meter_id FROM smart_meters m WHERE m.meter_number = of_meter);
    newest timestamptz := greatest((SELECT max(r.reading_time) FROM meter_readings r WHERE r.meter_id = asked),
                                   (SELECT max(v.reading_time) FROM vee_values v WHERE v.meter_id = asked));
    reach interval;
BEGIN
    FOREACH reach IN ARRAY ARRAY[interval '1 day', interval '31 days', interval '100 years'] LOOP
        RETURN QUERY
        SELECT of_meter, v.*
        FROM meter_values(of_meter, newest - reach, newest + interval '1 microsecond', quality) v
        WHERE v.consumption_kwh IS NOT NULL OR v.demand_kw IS NOT NULL OR v.voltage IS NOT NULL
        ORDER BY v.reading_time DESC LIMIT 1;
        EXIT WHEN FOUND;
    END LOOP;
END $$;

-- An element in steps of whole hours from `since` on: the energy of the customers that stood below it, by the registry, when
-- each hour began, and how many of them were counted. Gaps are filled as `resample` fills those of a meter.
CREATE FUNCTION resample_element(
    of_element text, since timestamptz, until timestamptz, step interval DEFAULT '1 hour',
    quality quality_filter DEFAULT 'best', fill text DEFAULT 'none'
)
RETURNS TABLE (starts_at timestamptz, meters bigint, energy_kwh double precision, filled boolean)
LANGUAGE plpgsql STABLE AS $$
DECLARE
    members bigint[];
BEGIN
    IF fill NOT IN ('none', 'locf', 'interpolate') THEN
        RAISE EXCEPTION 'fill is %, not none, locf or interpolate', fill USING ERRCODE = 'invalid_parameter_value';
    ELSIF split_part(of_element, '/', 1) NOT IN ('transformer', 'feeder', 'substation', 'region', 'grid') THEN
        RAISE EXCEPTION 'element is %, not grid, or region/, substation/, feeder/ or transformer/ and a name', of_element
            USING ERRCODE = 'invalid_parameter_value';
    ELSIF extract(epoch FROM step) % 3600 <> 0 OR extract(epoch FROM since) % 3600 <> 0 THEN
        RAISE EXCEPTION 'energy by quality is kept by the hour: step % and begin % are to be whole hours', step, since
            USING ERRCODE = 'invalid_parameter_value';
    END IF;
    -- As an array, so that only these meters' hours are read.
    members := ARRAY(SELECT DISTINCT p.meter_id FROM meter_places p
                     WHERE p.transformer_id IN (SELECT transformers_below(of_element)) AND p.customer_class <> 'transformer'
                       AND p.valid_from < until AND p.valid_to > since);
    RETURN QUERY
    WITH found AS (
        SELECT date_bin(step, h.hour, since) AS at, count(DISTINCT h.meter_id) AS n,
               sum(round(h.energy_kwh * 1e9)::bigint)::float8 / 1e9 AS energy
        FROM hourly_energy(since, until, quality) h
        JOIN meter_places p ON p.meter_id = h.meter_id AND p.valid_from <= h.hour AND p.valid_to > h.hour
        WHERE h.meter_id = ANY(members) AND h.energy_kwh IS NOT NULL
          AND p.transformer_id IN (SELECT transformers_below(of_element)) AND p.customer_class <> 'transformer'
        GROUP BY 1
    ), steps AS (
        SELECT g AS at, coalesce(f.n, 0) AS n, f.energy,
               max(g) FILTER (WHERE f.n > 0) OVER before AS from_at, min(g) FILTER (WHERE f.n > 0) OVER after AS to_at
        FROM generate_series(since, until - interval '1 microsecond', step) AS g LEFT JOIN found f ON f.at = g
        WINDOW before AS (ORDER BY g), after AS (ORDER BY g ROWS BETWEEN CURRENT ROW AND UNBOUNDED FOLLOWING)
    ), shares AS (
        SELECT s.*, CASE WHEN fill = 'interpolate' THEN
                   extract(epoch FROM s.at - s.from_at)::float8 / nullif(extract(epoch FROM s.to_at - s.from_at), 0)::float8
                   ELSE 0 END AS share
        FROM steps s
    )
    SELECT s.at, s.n,
           CASE WHEN s.n > 0 OR fill = 'none' THEN s.energy
                ELSE b.energy + s.share * (coalesce(a.energy, b.energy) - b.energy) END,
           s.n = 0 AND fill <> 'none' AND s.from_at IS NOT NULL AND s.share IS NOT NULL
    FROM shares s LEFT JOIN found b ON b.at = s.from_at LEFT JOIN found a ON a.at = s.to_at
    ORDER BY s.at;
END $$;
