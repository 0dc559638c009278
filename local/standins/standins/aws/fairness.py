"""Fair shares of a standard queue, by what AWS documents of SQS's fair queues.

A group is noisy when it holds over a tenth of all messages in flight and at least 30 itself, or when over a tenth of
the consumers' recent time went to it. While quiet groups have messages waiting, these are received first; among noisy
groups, those of the one with the fewest in flight. A group is quiet again when nothing of it waits, or when it has sent
nothing for five minutes.

AWS calls its thresholds approximate, and says neither how long "recent" is (here: five minutes) nor how fast it notices
(here: at once).
"""

from __future__ import annotations

from collections import Counter, defaultdict, deque
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

#: Share of the messages in flight, or of the consumers' time, above which a group is noisy.
SHARE = 0.1
#: Messages that a group has in flight at least, for its share of them to count.
FEWEST_IN_FLIGHT = 30
#: Seconds for which consumers' time counts as recent.
RECENT = 300.0
#: Seconds without a new message after which a group is quiet again.
SILENCE = 300.0


@dataclass(frozen=True)
class Waiting:
    """A message, as far as fairness looks at it."""

    group: str
    received_at: float | None
    """When it was received last, in seconds of the clock."""


@dataclass
class Fairness:
    """What one queue remembers of its groups."""

    clock: Callable[[], float]
    _sent: dict[str, float] = field(default_factory=dict)
    _work: deque[tuple[float, str, float]] = field(default_factory=deque)
    _noisy: set[str] = field(default_factory=set)

    def sent(self, message: Waiting) -> None:
        """Takes note of a message that was sent."""
        self._sent[message.group] = self.clock()

    def worked(self, message: Waiting) -> None:
        """Takes note of a message that a consumer is done with."""
        now = self.clock()
        self._work.append((now, message.group, now - (message.received_at or now)))

    def order(self, waiting: Sequence[Waiting], in_flight: Sequence[Waiting]) -> list[int]:
        """The order in which waiting messages are received, as positions in `waiting`."""
        counts = Counter(message.group for message in in_flight)
        self._judge({message.group for message in waiting}, counts, in_flight)

        def rank(position: int) -> tuple[bool, int]:
            group = waiting[position].group
            noisy = group in self._noisy
            return noisy, counts[group] if noisy else 0

        # Sorting is stable: within a rank the order stays.
        return sorted(range(len(waiting)), key=rank) if self._noisy else list(range(len(waiting)))

    def _judge(self, waiting: set[str], counts: Counter[str], in_flight: Sequence[Waiting]) -> None:
        now = self.clock()
        times = self._recent_times(now, in_flight)
        all_in_flight, all_time = counts.total(), sum(times.values())
        active = {group for group in waiting if now - self._sent.get(group, now) < SILENCE}
        loud = {
            group
            for group in active
            if (counts[group] >= FEWEST_IN_FLIGHT and counts[group] > SHARE * all_in_flight)
            or times.get(group, 0.0) > SHARE * all_time
        }
        self._noisy = (self._noisy | loud) & active
        # Only groups with messages matter: what is gone would pile up.
        self._sent = {group: at for group, at in self._sent.items() if group in waiting or now - at < SILENCE}

    def _recent_times(self, now: float, in_flight: Sequence[Waiting]) -> dict[str, float]:
        while self._work and self._work[0][0] <= now - RECENT:
            self._work.popleft()
        times: dict[str, float] = defaultdict(float)
        for _, group, seconds in self._work:
            times[group] += min(seconds, RECENT)
        for message in in_flight:
            times[message.group] += min(now - (message.received_at or now), RECENT)
        return times
