"""The smooth calibration error smECE (Błasiok and Nakkiran 2024), as relplot computes it.

Of a sample it is computed step by step like there; of many resamples at once by a cosine series.
The second is hard to read and slow to derive, and nothing else is like it: it is held against
relplot by tests, and is not to be extended. Whoever needs more of smECE asks relplot.
"""

from __future__ import annotations

from functools import cache
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.special import wofz

from .calibration_bins import Floats, blocks

Singles = NDArray[np.float32]
_RELPLOT_STEP = 1e-3
_RELPLOT_MESH = 200
_RELPLOT_DENSITY = 1e-4  # that is added to every density, lest one be 0
_HALVINGS = 10  # of the bandwidth
_MOST_MODES = 1024  # cosines of a wide kernel
_STEPS = 2**_HALVINGS  # of the bandwidth


def smooth_ece(confidence: Floats, outcome: Floats) -> Any:
    """smECE, step by step as relplot computes it; the import of relplot brings all of seaborn."""
    # The smallest bandwidth that is not below its error, by halving.
    bandwidth, below = 1.0, 0.0
    if _smoothed(confidence, outcome, bandwidth) <= bandwidth:
        for _ in range(_HALVINGS):
            middle = (bandwidth + below) / 2
            if middle < _RELPLOT_STEP or middle < _smoothed(confidence, outcome, middle):
                below = middle
            else:
                bandwidth = middle
    return _smoothed(confidence, outcome, bandwidth)


def _smoothed(confidence: Floats, outcome: Floats, bandwidth: float) -> Any:
    """Smoothed error at a bandwidth, by a Gaussian that is reflected at 0 and 1."""
    size = max(2000, round(20 / bandwidth)) // 2 + 1
    distance = np.linspace(0, 1, size) - 0.5
    kernel = np.exp(-distance * distance / (2 * bandwidth**2))
    kernel /= np.sqrt(2 * np.pi) * bandwidth
    # Items share what they have between the two points of the grid beside them, ...
    place = (confidence * (size - 1)).astype(int).clip(0, size - 2)
    share = confidence * (size - 1) - place
    # ... and the mesh, on which errors are added up, takes from the two beside it.
    mesh = np.linspace(0, 1, max(round(10 / bandwidth), _RELPLOT_MESH))
    step = 1 / (size - 1)
    beside = (mesh * (size - 1)).astype(int).clip(0, size - 2)
    weight = (mesh - beside * step) / step

    def spread(values: Floats) -> Floats:
        grid = np.zeros(size)
        np.add.at(grid, place, (1 - share) * values)
        np.add.at(grid, place + 1, share * values)
        reflected = np.concatenate([np.flip(grid)[:-1], grid, np.flip(grid)[1:]])
        smooth = np.convolve(reflected, kernel, "valid")[size // 2 : size // 2 + size]
        return np.asarray(smooth[beside] * (1 - weight) + smooth[beside + 1] * weight)

    density = spread(np.ones_like(outcome)) + _RELPLOT_DENSITY
    error = spread(confidence - outcome) / density
    return np.sum(np.abs(error) * density) / np.sum(density)


def relplot_place(confidence: Floats) -> Floats:
    """Where smECE puts the items: one step of relplot's grid away from 0 and 1.

    relplot does not reflect the first and last point of its grid, so that an item at
    exactly 1 has half the weight of one at 0.99, and saturated confidences are common.
    """
    return np.clip(confidence, _RELPLOT_STEP, 1 - _RELPLOT_STEP)


class Smoother:
    """smECE of many resamples: relplot's kernel, mesh and search.

    smECE is the smoothed error at the bandwidth that equals that error; relplot finds it by
    halving 0 to 1 ten times. So it is the error at the smallest k / 1024, from k = 2, that is
    not below it, if the error falls with the bandwidth, as it does for a Gaussian; and to find
    that k needs fewer than ten steps.

    A kernel that depends on the distance alone and is reflected at 0 and 1 is diagonal in the
    cosines: K(t, x) = sum over m of c_m cos(πmt) cos(πmx), where c_m is the kernel's cosine
    transform, twice but for m = 0. The sums over items are thus done once, for all bandwidths.
    relplot's Gaussian is cut at a distance of one half, which leaves an error where the bandwidth
    is large: up to 0.0003 of a smECE beyond a half.
    """

    def __init__(
        self, confidence: Floats, correct: NDArray[np.bool_], counts: NDArray[Any]
    ) -> None:
        """Take the items, sorted by confidence, and the resamples, shape (draws, n)."""
        self.place = relplot_place(confidence)
        self.residual = confidence - correct
        self.counts = counts
        # Sums over items of the residual, and of 1, times the cosine: (draws, modes).
        self.residual_of: Singles = np.empty((len(counts), 0), dtype=np.float32)
        self.density_of: Singles = np.empty((len(counts), 0), dtype=np.float32)
        self.kernels: dict[int, tuple[Singles, Singles, Singles]] = {}

    def errors(self) -> Floats:
        """SmECE of every resample, shape (draws,)."""
        draws = len(self.counts)
        # The wanted k is above `low`, and at most `high`; `result` is the error at `measured`.
        low, high = np.ones(draws, dtype=np.intp), np.full(draws, _STEPS, dtype=np.intp)
        measured, result = np.zeros(draws, dtype=np.intp), np.full(draws, np.nan)
        now = np.full(draws, _STEPS // 16)
        active = np.arange(draws)
        while active.size:
            k = now[active]
            error = np.empty(active.size)
            for value in np.unique(k).tolist():
                rows = k == value
                error[rows] = self.smoothed(value, active[rows])
            # The bandwidth that equals this error, rounded up to a step: an error at a smaller
            # bandwidth is not below this one, and one at a larger bandwidth not above it.
            equal = np.clip(np.ceil(_STEPS * error), 1, _STEPS).astype(np.intp)
            wide = (equal <= k) | (k == _STEPS)
            result[active[wide]], measured[active[wide]] = error[wide], k[wide]
            # The mesh, and the cut of the kernel, can make an error rise by its last digits.
            within = np.maximum(np.minimum(equal, high[active]), k + 1)
            high[active] = np.where(wide, k, within)
            low[active] = np.where(wide, np.clip(equal - 1, low[active], k - 1), k)
            # Next, where a line of slope -1/2 equals the bandwidth: noise falls with its root.
            ahead = np.rint((k + 2 * _STEPS * error) / 3).astype(np.intp)
            unmeasured = measured != high
            now[active] = np.clip(ahead, low[active] + 1, (high - 1 + unmeasured)[active])
            active = active[(unmeasured | (low + 1 < high))[active]]
        return result

    def smoothed(self, k: int, rows: NDArray[np.intp]) -> Floats:
        """Smoothed error of some resamples at the bandwidth k / 1024."""
        coefficients, cosines, sums = self.kernel(k)
        modes = coefficients.size
        result = np.empty(rows.size)
        for some in np.array_split(np.arange(rows.size), 1 + rows.size * cosines.shape[1] // 2**22):
            residual = (self.residual_of[rows[some], :modes] * coefficients) @ cosines
            density = self.density_of[rows[some], : sums.size] @ sums
            result[some] = np.abs(residual, out=residual).sum(axis=1) / density
        return result

    def kernel(self, k: int) -> tuple[Singles, Singles, Singles]:
        """Coefficients, cosines on the mesh, and sums over the mesh for a bandwidth.

        Returns:
            c_m, shape (modes,); cos(πmt), shape (modes, points), for the points of the mesh that
            items reach; c_m times the sum of cos(πmt) over the whole mesh, for even m, because
            the others cancel.
        """
        if k not in self.kernels:
            bandwidth = k / _STEPS
            modes = _modes(bandwidth, self.place.size)
            self.extend(modes)
            points = max(round(10 / bandwidth), _RELPLOT_MESH)
            coefficients = _coefficients(bandwidth, modes)
            whole = np.arange(0, modes, 2) % (2 * points - 2) == 0
            sums = coefficients[::2] * np.where(whole, points, 1)
            if points > _RELPLOT_MESH:
                cosines = _cosines(self.within_reach(np.linspace(0, 1, points), bandwidth), modes)
            else:
                cosines = _coarse_cosines()[:modes]
            self.kernels[k] = coefficients.astype(np.float32), cosines, sums.astype(np.float32)
        return self.kernels[k]

    def within_reach(self, mesh: Floats, bandwidth: float) -> Floats:
        """The points of a mesh that are near an item."""
        after = np.searchsorted(self.place, mesh)
        around = [self.place[np.clip(after - i, 0, self.place.size - 1)] for i in (0, 1)]
        distance = np.min([np.abs(mesh - place) for place in around], axis=0)
        return np.asarray(mesh[distance < 8 * bandwidth])

    def extend(self, modes: int) -> None:
        """Sum over items for further cosines."""
        start = self.residual_of.shape[1]
        if modes <= start:
            return
        # Twice as many at least: every time costs a pass over the resamples.
        numbers = np.arange(start, max(modes, 2 * start))
        cosines = np.cos(np.pi * np.outer(self.place, numbers))
        density = cosines[:, numbers % 2 == 0]
        matrix = np.hstack([self.residual[:, None] * cosines, density]).astype(np.float32)
        sums = np.vstack([block.astype(np.float32) @ matrix for block in blocks(self.counts)])
        self.residual_of = np.hstack([self.residual_of, sums[:, : numbers.size]])
        self.density_of = np.hstack([self.density_of, sums[:, numbers.size :]])


def _modes(bandwidth: float, n: int) -> int:
    """How many cosines a kernel needs for n items.

    The coefficients of the Gaussian fall as exp(-(πm bandwidth)² / 2): beyond 2 / bandwidth
    they are below single precision. The cut of a wide one needs more, and the more the fewer
    the items are whose errors cancel.
    """
    most = min(max(128, 2**16 // n), _MOST_MODES)
    return most if bandwidth > 0.1 else int(np.ceil(2 / bandwidth))


def _cosines(mesh: Floats, modes: int) -> Singles:
    """cos(πmt), shape (modes, points)."""
    return np.cos(np.pi * np.outer(np.arange(modes), mesh)).astype(np.float32)


@cache
def _coarse_cosines() -> Singles:
    """The cosines on the mesh of wide kernels."""
    return _cosines(np.linspace(0, 1, _RELPLOT_MESH), _MOST_MODES)


@cache
def _coefficients(bandwidth: float, modes: int) -> Floats:
    """Cosine transform of a Gaussian that is cut at a distance of one half.

    The integral of exp(-d² / (2 bandwidth²)) cos(πmd) from -1/2 to 1/2, which is the real part of
    an error function of complex argument, written with the Faddeeva function w lest it overflow;
    twice that but for m = 0.
    """
    x = 1 / (2 * np.sqrt(2) * bandwidth)
    y = np.pi * np.arange(modes) * bandwidth / np.sqrt(2)
    cut = np.exp(-(x**2)) * (np.exp(-2j * x * y) * wofz(-y + 1j * x)).real
    integral = np.sqrt(2 * np.pi) * bandwidth * (np.exp(-(y**2)) - cut)
    return np.asarray(np.where(np.arange(modes) == 0, 1, 2) * integral)
