"""What a fit says once it has settled: which parameters are told, how sure they are, and how noisy each channel is; for many fits at once.

Parameters are in standard deviations of their priors, so that the normal matrix of a fit without data is the identity. Every
function takes any number of leading axes: one fit, or one for each element.
"""

from __future__ import annotations

import numpy as np

from topology.axes import Bools, Floats

INFORMED = 0.7
"""Largest ratio of deviation after to before at which data count as telling (half of the prior variance is gone)."""


def told(normal: Floats) -> Bools:
    """Parameters that data can tell: the least told one is put at its prior, until all that remain are told given those.

    Args:
        normal: (..., P, P) normal matrices with the priors in them.

    Returns:
        (..., P) True where told. Of two that only show as a product one remains.
    """
    flat = normal.reshape(-1, *normal.shape[-2:])
    free = np.ones(flat.shape[:2], np.bool_)
    rows = np.arange(flat.shape[0])
    for _ in range(flat.shape[1]):
        deviation = np.sqrt(_variance(flat[rows], free[rows]))
        worst = deviation.argmax(axis=1)
        bad = deviation[np.arange(rows.size), worst] > INFORMED
        if not bad.any():
            break
        rows, worst = rows[bad], worst[bad]
        free[rows, worst] = False
    return free.reshape(normal.shape[:-1])


def _variance(normal: Floats, free: Bools) -> Floats:
    """(N, P) variance of each free parameter with the others at their priors, 0 for those."""
    both = free[:, :, None] & free[:, None, :]
    own = np.where(both, normal, np.eye(normal.shape[-1]))
    return np.where(free, np.diagonal(np.linalg.inv(own), axis1=1, axis2=2), 0.0)


def covariance(normal: Floats, free: Bools) -> Floats:
    """Covariance of the errors of an estimate that keeps some parameters at their priors.

    With ``t`` told and ``u`` kept, ``t - t_hat = e + G (u - 0)`` where ``e`` has the covariance ``N_tt^-1`` and
    ``G = -N_tt^-1 N_tu``; ``u`` is as uncertain as its prior, which is the identity here. So whatever a told parameter owes to one that was
    kept is in its interval, and both together are as sure as the data make them (Gelman et al., Bayesian Data Analysis, 3rd ed.,
    section 3.5, conditional normal distributions).

    Args:
        normal: (..., P, P) normal matrices with the priors in them.
        free: (..., P) told parameters.

    Returns:
        (..., P, P) covariance in standard deviations of the priors.
    """
    tt = free[..., :, None] & free[..., None, :]
    tu = free[..., :, None] & ~free[..., None, :]
    eye = np.eye(normal.shape[-1])
    inverse = np.where(tt, np.linalg.inv(np.where(tt, normal, eye)), 0.0)
    owes = -inverse @ np.where(tu, normal, 0.0) + np.where(free[..., None], 0.0, eye)
    return np.asarray(inverse + owes @ np.swapaxes(owes, -1, -2))


def noise(residual: Floats, scale: float) -> Floats:
    """Root mean square of residuals, widened for neighbours that are alike; never below a thousandth of the first guess.

    Args:
        residual: (..., n) in order of time, NaN where there is nothing.
        scale: first guess, kept where there are fewer than three.

    Returns:
        (...) standard deviation of independent errors that say as much: the factor is ``sqrt((1 + r) / (1 - r))``.
    """
    good = np.isfinite(residual)
    count = good.sum(axis=-1)
    r = np.where(good, residual, 0.0)
    square = np.einsum("...n,...n->...", r, r) / np.maximum(count, 1)
    product = np.einsum("...n,...n->...", r[..., 1:], r[..., :-1] if good.all() else _before(r, good)[..., 1:])
    alike = np.divide(product / np.maximum(count - 1, 1), square, out=np.zeros_like(square), where=square > 0.0)
    alike = np.clip(alike, 0.0, np.maximum(1.0 - 2.0 / np.maximum(count, 1), 0.0))
    wide = np.sqrt(square * (1.0 + alike) / np.maximum(1.0 - alike, 1e-300))
    return np.where(count < 3, scale, np.maximum(wide, 1e-3 * scale))


def _before(r: Floats, good: Bools) -> Floats:
    """The finite residual before each one, 0 before the first."""
    at = np.where(good, np.arange(r.shape[-1]), -1)
    last = np.full(at.shape, -1)
    last[..., 1:] = np.maximum.accumulate(at, axis=-1)[..., :-1]
    return np.where(last >= 0, np.take_along_axis(r, np.maximum(last, 0), axis=-1), 0.0)
