"""How well a linear model of scikit-learn predicts new examples."""

import warnings

import numpy as np
from sklearn.exceptions import ConvergenceWarning
from sklearn.linear_model import LinearRegression, LogisticRegression
from threadpoolctl import threadpool_limits

Array = np.ndarray
MOST_ITERATIONS = 2000


def accuracy_of_logistic_regression(x: Array, y: Array, new_x: Array, new_y: Array) -> float:
    """Return the share of new examples whose class logistic regression names; `x` is (example, input), `y` has a class per example.

    It has the L2 penalty that is scikit-learn's default. Where all examples are of one class, that is what it names.
    """
    y, new_y = y.ravel(), new_y.ravel()
    if len(np.unique(y)) == 1:
        return float(np.mean(new_y == y[0]))
    # Two threads for products of this size can take forty times as long as one, where another process wants the second core.
    with threadpool_limits(1), warnings.catch_warnings():
        # Inputs of very different sizes take more iterations; what has been reached is then reported.
        warnings.simplefilter("ignore", ConvergenceWarning)
        fitted = LogisticRegression(max_iter=MOST_ITERATIONS).fit(x.astype(float), y)
        return float(fitted.score(new_x.astype(float), new_y))


def r2_of_least_squares(x: Array, y: Array, new_x: Array, new_y: Array) -> float:
    """Return R^2 of least squares on new examples; `x` is (example, input), `y` (example, output)."""
    return float(LinearRegression().fit(x, y).score(new_x, new_y))
