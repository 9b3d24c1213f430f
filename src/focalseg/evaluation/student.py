"""Student's t: how likely a value is, and which value is that unlikely, for any degrees of freedom.

SciPy has both, and is a dependency. Importing its `special` takes 0.4 s of processor time, most of it for the array libraries
that it looks for, and `focalseg compare` has half a second for everything. So the two are made here of the standard library,
and the tests compare them with SciPy's over all degrees of freedom: they agree to 1e-12 of the value.
"""

import math
from functools import cache

_EXPANDED_FROM = 1000.0
"""Degrees of freedom from which four terms in one over them give the quantile to the last digit but one."""
_TINY = 1e-300


def student_tail(freedom: float, value: float) -> float:
    """The chance that Student's t with these degrees of freedom exceeds a value of 0 or more: 0.5 at 0, 0 at infinity.

    Half the incomplete beta function I_x(f / 2, 1 / 2) at x = f / (f + t^2), by its continued fraction, taken on the side on
    which that converges fast (DLMF 8.17.4).
    """
    if value <= 0:
        return 0.5
    square = value * value
    a, b = freedom / 2, 0.5
    # The logarithms of x and 1 - x, exact however near 0 either comes.
    log_x, log_rest = -math.log1p(square / freedom), -math.log1p(freedom / square)
    front = math.exp(a * log_x + b * log_rest + _log_gamma_ratio(a) - math.lgamma(b))
    x, rest = math.exp(log_x), math.exp(log_rest)
    if x < (a + 1) / (a + b + 2):
        return front / (2 * _fraction(a, b, x, rest))
    return 0.5 - front / (2 * _fraction(b, a, rest, x))


@cache
def student_quantile(freedom: float, tail: float) -> float:
    """What Student's t with these degrees of freedom exceeds with a probability, tail, below one half.

    Newton's method on logarithms: that of the tail is a concave, falling function of that of the value, on which it cannot
    diverge. For many degrees of freedom the expansion about the normal quantile (Abramowitz and Stegun 26.7.5).
    """
    if freedom >= _EXPANDED_FROM:
        return _expand(freedom, normal_quantile(tail))
    wanted, position = math.log(tail), 0.5
    for _ in range(200):
        value = math.exp(position)
        found = student_tail(freedom, value)
        log_density = _log_gamma_ratio(freedom / 2) - (freedom + 1) / 2 * math.log1p(value * value / freedom)
        slope = -value * math.exp(log_density) / math.sqrt(freedom * math.pi) / found
        step = max((math.log(found) - wanted) / slope, -1.0)  # further out the tail could be no number
        position -= step
        if abs(step) < 1e-15:
            break
    return math.exp(position)


def _expand(freedom: float, z: float) -> float:
    s = z * z
    terms = (
        z * (s + 1) / 4,
        z * ((5 * s + 16) * s + 3) / 96,
        z * (((3 * s + 19) * s + 17) * s - 15) / 384,
        z * ((((79 * s + 776) * s + 1482) * s - 1920) * s - 945) / 92160,
    )
    return z + sum(term / freedom**power for power, term in enumerate(terms, start=1))


def normal_tail(value: float) -> float:
    """The chance that a normal variable exceeds a value."""
    return math.erfc(value / math.sqrt(2)) / 2


@cache
def normal_quantile(tail: float) -> float:
    """What a normal variable exceeds with that probability: Newton's method on the logarithm of the tail, as above."""
    z = 1.0
    for _ in range(100):
        found = normal_tail(z)
        slope = -math.exp(-z * z / 2) / math.sqrt(2 * math.pi) / found
        step = (math.log(found) - math.log(tail)) / slope
        z -= step
        if abs(step) < 1e-15:
            break
    return z


def _fraction(a: float, b: float, x: float, rest: float) -> float:
    """The continued fraction of which x^a (1 - x)^b / B(a, b) is divided for I_x(a, b), by the modified method of Lentz.

    rest: 1 - x, which x alone would not give exactly where it is small. Sources: Didonato and Morris 1992, equation 9, for the
    fraction; Thompson and Barnett 1986 for the method.
    """
    found = upper = _fraction_step(a, b, x, rest, 0)
    lower = 0.0
    for number in range(1, 10_000):
        numerator = (a + number - 1) * (a + b + number - 1) * number * (b - number) * (x / (a + 2 * number - 1)) ** 2
        step = _fraction_step(a, b, x, rest, number)
        lower = 1 / ((step + numerator * lower) or _TINY)
        upper = (step + numerator / upper) or _TINY
        found *= upper * lower
        if abs(upper * lower - 1) < 1e-16:
            break
    return found


def _fraction_step(a: float, b: float, x: float, rest: float, number: int) -> float:
    return (
        number
        + (number and number * (b - number) * x / (a + 2 * number - 1))  # of a = 1 the divisor is 0 in the first step
        + (a + number) * (a * rest - b * x + 1 + number * (1 + rest)) / (a + 2 * number + 1)
    )


def _log_gamma_ratio(a: float) -> float:
    """log(gamma(a + 1/2) / gamma(a)). Two large logarithms would leave no digits of their difference: Stirling's series does.

    Source: DLMF 5.11.8, whose odd powers remain.
    """
    if a < 20:
        return math.lgamma(a + 0.5) - math.lgamma(a)
    s = 1 / (a * a)
    return math.log(a) / 2 - (1 / 8 - s * (1 / 192 - s * (1 / 640 - s * (17 / 14336 - s * 31 / 18432)))) / a
