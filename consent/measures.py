"""What Prometheus is shown of grants."""

from collections.abc import Iterable

from django.db.models import Count, QuerySet
from django.db.models.functions import Now

from consent.models import Cancellation, Grant
from portal.metrics import Measure


def of_grants() -> Iterable[Measure]:
    found = dict(Grant.objects.values_list("state").annotate(Count("pk")).order_by())
    states = [({"state": name}, found.get(name, 0)) for name in Grant.State.values]
    return [Measure("gatehouse_grants", "What users have allowed, by state.", states)]


def of_cancellations() -> QuerySet[Cancellation]:
    """What providers are to be told by now."""
    return Cancellation.objects.filter(state=Cancellation.State.WAITING, try_at__lte=Now())
