"""The order of the slices, and what is concluded from them.

A machine drifts, so two servers are never measured one after the other but in slices A B B A: a drift that
is linear in time is the same for both. With more servers a round is A B C C B A, in which every two of them
stand as A B B A. The conclusion is a ratio within the round, never a difference between rounds.
"""
import random
import statistics

BOOTSTRAP_RESAMPLES = 2000
BOOTSTRAP_SEED = 20260101
# Student's t, 97.5 %, by degrees of freedom from 1 on; above the last the normal distribution's is near.
STUDENT_T = (12.706, 4.303, 3.182, 2.776, 2.571, 2.447, 2.365, 2.306, 2.262, 2.228, 2.201)

# How often the interval of so many rounds holds the true ratio, simulated with independent noise of 10 %;
# meant are 95 %. A test simulates it again.
COVERAGE = {2: 0.50, 3: 0.75, 4: 0.82, 6: 0.88, 8: 0.91, 12: 0.95}


def round_order(names):
    """The slices of one round: there and back again."""
    return [*names, *reversed(names)]


def median(values):
    """Of at least one value."""
    ordered = sorted(values)
    middle = len(ordered) // 2
    if len(ordered) % 2:
        return ordered[middle]
    return (ordered[middle - 1] + ordered[middle]) / 2


def quantile(values, share):
    """Linear between the neighbours (type 7 of Hyndman and Fan)."""
    ordered = sorted(values)
    position = share * (len(ordered) - 1)
    below = int(position)
    above = min(below + 1, len(ordered) - 1)
    return ordered[below] + (ordered[above] - ordered[below]) * (position - below)


def round_ratios(numerators, denominators):
    """Ratios of the slices of the same half of the same round. Both are lists of rounds, a round is a
    list of slices; the halves of a round have A and B in opposite order."""
    return [[above / below for above, below in zip(first, second)]
            for first, second in zip(numerators, denominators)]


def flat(rounds):
    return [value for each in rounds for value in each]


def tail_share(rounds):
    """How much to leave out on each side: less than 2.5 %, since the plain percentile bootstrap of few
    rounds is too narrow (the expanded interval of Hesterberg, 2015, section 4.3). At least two rounds."""
    t = STUDENT_T[min(rounds - 1, len(STUDENT_T)) - 1]
    return statistics.NormalDist().cdf(-t * (rounds / (rounds - 1)) ** 0.5)


class Ratio:
    """Median ratio with its interval of confidence; `low` and `high` are None for a single round."""

    def __init__(self, value, low, high):
        self.value = value
        self.low = low
        self.high = high

    def as_json(self):
        return {"median": self.value, "low": self.low, "high": self.high}


def median_ratio(numerators, denominators, seed=BOOTSTRAP_SEED, resamples=BOOTSTRAP_RESAMPLES):
    """The median of the paired ratios and its interval of 95 %: a bootstrap over whole rounds, because the
    slices of a round are not independent of each other."""
    ratios = round_ratios(numerators, denominators)
    value = median(flat(ratios))
    if len(ratios) < 2:
        return Ratio(value, None, None)
    chance = random.Random(seed)
    medians = [median(flat(chance.choices(ratios, k=len(ratios)))) for _ in range(resamples)]
    tail = tail_share(len(ratios))
    return Ratio(value, quantile(medians, tail), quantile(medians, 1 - tail))
