// XOR trained in the browser: a network of two inputs, tanh units and one output, by gradient descent on the mean cross-entropy.
"use strict";

const xor = (() => {
  const X = [[0, 0], [0, 1], [1, 0], [1, 1]], Y = [0, 1, 1, 0];

  function forward({ w, b, v, c }, x) {
    const hidden = w[0].map((_, j) => Math.tanh(w[0][j] * x[0] + w[1][j] * x[1] + b[j]));
    return { hidden, output: hidden.reduce((sum, h, j) => sum + h * v[j], c) };
  }

  // The loss of the four examples, log(1 + exp(-z)) with z the output, negated for the second class, and its gradient.
  function gradient(network) {
    const { w, b, v } = network;
    const slope = { w: [w[0].map(() => 0), w[1].map(() => 0)], b: b.map(() => 0), v: v.map(() => 0), c: 0 };
    let loss = 0;
    X.forEach((x, i) => {
      const { hidden, output } = forward(network, x);
      loss += (Math.max(output, 0) - output * Y[i] + Math.log1p(Math.exp(-Math.abs(output)))) / X.length;
      const delta = (1 / (1 + Math.exp(-output)) - Y[i]) / X.length;
      slope.c += delta;
      hidden.forEach((h, j) => {
        slope.v[j] += delta * h;
        const inner = delta * v[j] * (1 - h * h);
        slope.b[j] += inner;
        slope.w[0][j] += inner * x[0];
        slope.w[1][j] += inner * x[1];
      });
    });
    return { loss, slope };
  }

  function step(network, rate) {
    const { loss, slope } = gradient(network);
    const moved = (values, slopes) => values.map((value, j) => value - rate * slopes[j]);
    const next = { w: network.w.map((row, k) => moved(row, slope.w[k])), b: moved(network.b, slope.b), v: moved(network.v, slope.v) };
    return { loss, network: { ...next, c: network.c - rate * slope.c } };
  }

  function losses(network, rate, steps) {
    const found = [];
    for (let i = 0; i <= steps; i++) {
      const next = step(network, rate);
      found.push(next.loss);
      network = next.network;
    }
    return found;
  }

  return { forward, step, losses, X, Y };
})();

if (typeof module !== "undefined") module.exports = xor;
