"""CloudWatch Logs: metric filters."""

from __future__ import annotations

from collections.abc import Callable

from moto.logs.metric_filters import MetricFilters

from standins.aws.gaps.extend import wrap


class ChangedFilters:
    """moto adds a second metric filter of the same name where a put should change the first."""

    def install(self) -> None:
        """Extends moto."""

        @wrap(MetricFilters, "add_filter")
        def put(
            original: Callable[..., None],
            filters: MetricFilters,
            name: str,
            pattern: str,
            group: str,
            transformations: str,
        ) -> None:
            filters.metric_filters = [
                f for f in filters.metric_filters if (f["filterName"], f["logGroupName"]) != (name, group)
            ]
            original(filters, name, pattern, group, transformations)
