"""The variables of dashboards, and how queries ask for what was chosen."""

from panels.board import Variable

REGION = Variable(
    "region", "Region", "SELECT DISTINCT region FROM substations WHERE region IS NOT NULL ORDER BY 1", many=True
)
SUBSTATION = Variable(
    "substation",
    "Substation",
    "SELECT name FROM substations WHERE '*' IN ($region) OR region IN ($region) ORDER BY 1",
    many=True,
)
FEEDER = Variable(
    "feeder",
    "Feeder",
    """SELECT f.name FROM feeders f LEFT JOIN substations s USING (substation_id)
WHERE '*' IN ($region) OR s.region IN ($region) ORDER BY 1""",
    many=True,
)
CLASS = Variable(
    "class",
    "Class",
    """SELECT name FROM (
    SELECT 'all' AS name, 0 AS place
    UNION SELECT customer_class, 1 FROM smart_meters WHERE customer_class IS NOT NULL
) c ORDER BY place, name""",
)
QUALITY = Variable(
    "quality", "Quality", choices=(("best", "best values"), ("actual", "as measured"), ("all", "whatever came"))
)
WINDOW = Variable("window", "Window", choices=(("900", "quarter-hour"), ("3600", "hour"), ("86400", "day")))
METER = Variable("meter", "Meter")
ELEMENT = Variable("element", "Element")
SEVERITY = Variable(
    "severity", "Severity from", choices=(("info", "info"), ("warning", "warning"), ("critical", "critical"))
)
MARKET = Variable("market", "Market", "SELECT market FROM markets ORDER BY 1")
SYMBOL = Variable("symbol", "Symbol", "SELECT DISTINCT symbol FROM market_series WHERE market = '$market' ORDER BY 1")
KIND = Variable(
    "kind",
    "Kind",
    """SELECT kind FROM market_series WHERE market = '$market' AND symbol = '$symbol'
ORDER BY kind <> 'settlement', kind""",
)
BAR = Variable("bar", "Bar", choices=(("900", "15 min"), ("300", "5 min"), ("3600", "hour"), ("86400", "session")))

#: Windows of all classes together, or of the one that was chosen.
OF_CLASS = "customer_class IS NOT DISTINCT FROM nullif('$class', 'all')"

_ABOVE = "'*' IN ($region) OR s.region IN ($region)"
#: Names of elements, by the grid above them as it is now.
REGIONS = f"SELECT 'region/' || s.region FROM substations s WHERE {_ABOVE}"
SUBSTATIONS = (
    f"SELECT 'substation/' || s.name FROM substations s WHERE ({_ABOVE}) "
    "AND ('*' IN ($substation) OR s.name IN ($substation))"
)
FEEDERS = (
    "SELECT 'feeder/' || f.name FROM feeders f LEFT JOIN substations s USING (substation_id) "
    f"WHERE ({_ABOVE}) AND ('*' IN ($feeder) OR f.name IN ($feeder))"
)
FEEDERS_BELOW = (
    "SELECT 'feeder/' || f.name FROM feeders f JOIN substations s USING (substation_id) "
    f"WHERE ({_ABOVE}) AND ('*' IN ($substation) OR s.name IN ($substation))"
)
TRANSFORMERS = (
    "SELECT 'transformer/' || t.name FROM transformers t LEFT JOIN feeders f USING (feeder_id) "
    f"LEFT JOIN substations s USING (substation_id) WHERE ({_ABOVE}) AND ('*' IN ($feeder) OR f.name IN ($feeder))"
)
#: Meters with their grid, to be joined.
METERS = f"""(
    SELECT m.meter_id, m.meter_number, m.customer_class, coalesce(t.name, 'unassigned') AS transformer,
           coalesce(f.name, 'unassigned') AS feeder, coalesce(s.region, 'unassigned') AS region
    FROM smart_meters m LEFT JOIN transformers t USING (transformer_id) LEFT JOIN feeders f USING (feeder_id)
    LEFT JOIN substations s USING (substation_id)
    WHERE ({_ABOVE}) AND ('*' IN ($feeder) OR f.name IN ($feeder))
      AND ('$class' = 'all' OR m.customer_class = '$class')
) m"""
#: Alerts that stand or stood within the time shown, in the regions chosen.
ALERTS = """alerts a WHERE coalesce(a.ended_at, 'infinity') >= $__timeFrom()::timestamptz
  AND a.first_seen <= $__timeTo()::timestamptz AND ('*' IN ($region) OR a.region IN ($region))"""
