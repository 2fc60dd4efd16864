"""An exchange whose volumes are a multiple or a fraction of what they were: of another unit."""

from __future__ import annotations

from collections.abc import Iterator
from math import exp, log

from candle_ingestor.model.quality_rules import QualityRule
from candle_ingestor.quality.findings import Found
from candle_ingestor.quality.hours import Hours, usual_before
from candle_ingestor.quality.robust import least_of, median_of, middle_of, runs_of, smallest_change
from candle_ingestor.quality.tuning import Tuning

_LEAST_TIMES = 20.0
_TIMES_USUAL = 2.5
_NEARLY_ALL = 0.8
_MOST_LOG = 40.0
_LEAST_HOURS = 2


def volume_shares(hours: Hours, tuning: Tuning) -> Iterator[Found]:
    """Hours in a row with another typical volume, beside its own usual one and that of the others.

    The value is how many times larger, and negative how many times smaller, its volume is than what
    it usually is, after what the others did meanwhile is taken out.
    """
    changes = {
        series: side["log_volume"] - usual_before(side["log_volume"], hours.a_day)
        for series, side in hours.sides.items()
    }
    for series, own in changes.items():
        others = [change for each, change in changes.items() if each != series]
        change = smallest_change([own, own - middle_of(others, own)]) if others else own
        usual = usual_before(change.abs(), hours.a_day, _NEARLY_ALL)
        for sign in (1, -1):
            learnt = (_TIMES_USUAL * usual).clip(log(_LEAST_TIMES), _MOST_LOG).exp()
            threshold = tuning.thresholds_of(QualityRule.VOLUME_SHARE, learnt)
            times = (change * sign).exp()
            for start, end in runs_of(times > threshold, _LEAST_HOURS):
                rows = slice(start, end)
                yield Found(
                    QualityRule.VOLUME_SHARE,
                    series,
                    hours.interval(series, start, end),
                    sign * median_of(times[rows]),
                    least_of(threshold[rows]),
                    {"usual_times": exp(float(usual[start]))},
                )
