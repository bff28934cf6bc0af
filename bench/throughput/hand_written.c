/* Networks of one hidden layer of tanh units and one logistic output, trained by gradient descent on all examples: what somebody writes by
   hand who wants no more than this. Each lane of a vector is a training run of its own. INPUTS, HIDDEN and EXAMPLES are given to the
   compiler. */

#define WIDTH 16

typedef float vec __attribute__((vector_size(4 * WIDTH)));
typedef int mask __attribute__((vector_size(4 * WIDTH)));

static inline vec chosen(mask where, vec a, vec b) { return (vec)((where & (mask)a) | (~where & (mask)b)); }

/* The quotient of polynomials by which Eigen and XLA compute tanh in float32. */
static inline vec tanh_of(vec z) {
  const vec zero = {0};
  z = chosen(z > 7.9f, zero + 7.9f, chosen(z < -7.9f, zero - 7.9f, z));
  const vec s = z * z;
  vec p = s * -2.76076847742355e-16f + 2.00018790482477e-13f;
  p = p * s - 8.60467152213735e-11f;
  p = p * s + 5.12229709037114e-08f;
  p = p * s + 1.48572235717979e-05f;
  p = p * s + 6.37261928875436e-04f;
  p = p * s + 4.89352455891786e-03f;
  vec q = s * 1.19825839466702e-06f + 1.18534705686654e-04f;
  q = q * s + 2.26843463243900e-03f;
  q = q * s + 4.89352518554385e-03f;
  return z * p / q;
}

/* Train `blocks` blocks of WIDTH networks. `parameters` has the axes (block, parameter, lane), and its parameters are the weights of the
   hidden layer (input, unit), its biases, the weights of the output and its bias. `logits` gets the outputs at the end, with the axes
   (block, example, lane). */
void train(vec *parameters, vec *logits, const float *x, const float *y, float rate, long steps, long blocks) {
  for (long block = 0; block < blocks; block++) {
    vec *place = parameters + block * (INPUTS * HIDDEN + 2 * HIDDEN + 1);
    vec w[INPUTS][HIDDEN], b[HIDDEN], v[HIDDEN], c;
    for (int i = 0; i < INPUTS; i++)
      for (int j = 0; j < HIDDEN; j++) w[i][j] = place[i * HIDDEN + j];
    for (int j = 0; j < HIDDEN; j++) {
      b[j] = place[INPUTS * HIDDEN + j];
      v[j] = place[INPUTS * HIDDEN + HIDDEN + j];
    }
    c = place[INPUTS * HIDDEN + 2 * HIDDEN];
    for (long step = 0; step <= steps; step++) {
      vec dw[INPUTS][HIDDEN] = {0}, db[HIDDEN] = {0}, dv[HIDDEN] = {0}, dc = {0};
      for (int e = 0; e < EXAMPLES; e++) {
        vec h[HIDDEN], out = c;
        for (int j = 0; j < HIDDEN; j++) {
          vec z = b[j];
          for (int i = 0; i < INPUTS; i++) z += x[e * INPUTS + i] * w[i][j];
          h[j] = tanh_of(z);
          out += h[j] * v[j];
        }
        if (step == steps) logits[block * EXAMPLES + e] = out;
        const vec error = 0.5f * tanh_of(0.5f * out) + (0.5f - y[e]);
        dc += error;
        for (int j = 0; j < HIDDEN; j++) {
          const vec back = error * v[j] * (1.0f - h[j] * h[j]);
          dv[j] += error * h[j];
          db[j] += back;
          for (int i = 0; i < INPUTS; i++) dw[i][j] += back * x[e * INPUTS + i];
        }
      }
      const float change = rate / EXAMPLES;
      c -= change * dc;
      for (int j = 0; j < HIDDEN; j++) {
        b[j] -= change * db[j];
        v[j] -= change * dv[j];
        for (int i = 0; i < INPUTS; i++) w[i][j] -= change * dw[i][j];
      }
    }
  }
}
