// The page on which XOR is trained live: what is drawn, and what the buttons do. The training itself is in xor.js.
"use strict";

const live = (() => {
  const UNITS = 4, RATE = 0.5, STEPS = 2000, PER_FRAME = 10, SIZE = 260;
  const COLORS = ["#0072B2", "#D55E00", "#009E73", "#CC79A7"];
  let given = [], network = null, next = null, curve = [], timer = 0;

  const take = (starts) => { given = starts; };
  const equal = (value) => ({ w: [Array(UNITS).fill(value), Array(UNITS).fill(value)], b: Array(UNITS).fill(0), v: Array(UNITS).fill(value), c: 0 });

  // Two uniform numbers give a normal one (Box and Muller, 1958).
  const normal = () => Math.sqrt(-2 * Math.log(1 - Math.random())) * Math.cos(2 * Math.PI * Math.random());
  const noisy = (start, first, last = first) => ({
    ...start, w: start.w.map((row) => row.map((value) => value + first * normal())), v: start.v.map((value) => value + last * normal()),
  });
  const STARTS = {
    zero: () => equal(0),
    constant: () => equal(0.5),
    noise: () => noisy(equal(0.5), 0.001),
    random: () => noisy(equal(0), Math.sqrt(2 / (2 + UNITS)), Math.sqrt(2 / (UNITS + 1))),
  };

  function say(id, words) { document.getElementById(id).textContent = words; }

  function drawCurve() {
    const top = Math.max(1, ...curve), x = (i) => (SIZE * Math.log1p(i)) / Math.log1p(STEPS), y = (loss) => SIZE * (1 - loss / top);
    document.getElementById("live-curve").setAttribute("points", curve.map((loss, i) => `${x(i).toFixed(1)},${y(loss).toFixed(1)}`).join(" "));
    const line = document.getElementById("live-chance");
    for (const end of ["y1", "y2"]) line.setAttribute(end, String(y(Math.LN2)));
  }

  function drawUnits() {
    const reach = Math.max(1, ...network.w.flat().map(Math.abs)) * 1.1, at = (value) => (SIZE / 2) * (1 + value / reach);
    network.w[0].forEach((value, j) => {
      const dot = document.getElementById(`live-unit-${j}`);
      dot.setAttribute("cx", at(value).toFixed(1));
      dot.setAttribute("cy", (SIZE - at(network.w[1][j])).toFixed(1));
    });
    const distinct = new Set(network.w[0].map((value, j) => [value, network.w[1][j], network.b[j], network.v[j]].join())).size;
    say("live-distinct", `distinct hidden units: ${distinct} of ${UNITS}`);
  }

  function show() {
    drawCurve();
    drawUnits();
    const right = xor.X.filter((x, i) => (xor.forward(network, x).output > 0) === (xor.Y[i] === 1)).length;
    say("live-state", `step ${curve.length - 1}, loss ${curve.at(-1).toFixed(4)}, ${right} of 4 examples right`);
  }

  function advance(steps) {
    for (let i = 0; i < steps && curve.length <= STEPS; i++) {
      network = next.network;
      next = xor.step(network, RATE);
      curve.push(next.loss);
    }
    show();
  }

  function begin(start) {
    clearInterval(timer);
    network = start;
    next = xor.step(network, RATE);
    curve = [next.loss];
    show();
    const jumps = matchMedia("(prefers-reduced-motion: reduce)").matches;
    if (jumps) advance(STEPS);
    else timer = setInterval(() => { advance(PER_FRAME); if (curve.length > STEPS) clearInterval(timer); }, 30);
  }

  function compare(start) {
    const mine = xor.losses(start.network, RATE, Math.max(...start.steps));
    const largest = Math.max(...start.steps.map((step, i) => Math.abs(mine[step] - start.losses[i])));
    say("live-engine", `The engine trained this start as init seed ${start.seed} of x11-xor-width. ` +
      `At its logged steps up to ${Math.max(...start.steps)} the loss here differs by at most ${largest.toExponential(1)}.`);
  }

  function start() {
    const units = document.getElementById("live-units");
    for (let j = 0; j < UNITS; j++) {
      const dot = document.createElementNS("http://www.w3.org/2000/svg", "circle");
      dot.id = `live-unit-${j}`;
      dot.setAttribute("r", String(12 - 2 * j));
      dot.setAttribute("fill", COLORS[j]);
      units.append(dot);
    }
    for (const [name, made] of Object.entries(STARTS)) document.getElementById(`live-${name}`).addEventListener("click", () => { say("live-engine", ""); begin(made()); });
    const seeds = document.getElementById("live-seed");
    given.forEach(({ seed }, number) => seeds.add(new Option(`init seed ${seed}`, String(number))));
    document.getElementById("live-stored").addEventListener("click", () => { const one = given[Number(seeds.value)]; compare(one); begin(one.network); });
    begin(STARTS.zero());
  }

  return { take, start };
})();
