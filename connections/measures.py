"""What Prometheus is shown of connections."""

from collections.abc import Iterable

from django.db.models import Case, Count, F, Value, When
from django.db.models.functions import Coalesce

from connections.models import Connection, Health
from portal.metrics import Measure


def of_connections() -> Iterable[Measure]:
    state = Case(
        When(disabled_at__isnull=False, then=Value("disabled")),
        default=Coalesce(F("health__state"), Value(Health.State.NOT_CHECKED.value)),
    )
    counted = Connection.objects.values(counted_as=state).annotate(count=Count("pk")).order_by()
    found = {row["counted_as"]: row["count"] for row in counted}
    states = [({"state": name}, found.get(name, 0)) for name in (*Health.State.values, "disabled")]
    return [Measure("gatehouse_connections", "Connections, by what the last test found.", states)]
