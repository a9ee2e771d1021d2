// The forward pass of a Vision Transformer in plain JavaScript, from pixels to logits, with
// the weights that file.js has read. Beside each function stands the layer of Keras or
// `vitlib` that it mirrors. Weights are `{shape, data}`; tokens are one Float32Array, a row
// of `projection_dim` numbers for each token.
"use strict";

const vit = (() => {
  const EPSILON = 1e-6; // of the layer norms: vitlib.models.blocks
  const KERAS_EPSILON = 1e-7; // of the normalization of pixels

  // ---- the layers ---------------------------------------------------------------------

  // vitlib.Normalization: each channel by its mean and variance. Pixels from 0 to 255.
  function normalize(pixels, mean, variance) {
    const scale = variance.data.map((v) => 1 / Math.max(Math.sqrt(v), KERAS_EPSILON));
    return Float32Array.from(pixels, (p, i) => (p - mean.data[i % 3]) * scale[i % 3]);
  }

  // vitlib.Patches: (H, W, 3) to (N, P * P * 3), left to right, then top to bottom.
  function cut(image, size, patch) {
    const side = size / patch;
    const patches = new Float32Array(image.length);
    let next = 0;
    for (let token = 0; token < side * side; token += 1) {
      const top = Math.floor(token / side) * patch;
      const left = (token % side) * patch;
      for (let y = top; y < top + patch; y += 1) {
        const start = (y * size + left) * 3;
        patches.set(image.subarray(start, start + patch * 3), next);
        next += patch * 3;
      }
    }
    return patches;
  }

  // keras.layers.Dense, row by row: x @ kernel + bias.
  function dense(x, { kernel, bias }) {
    const [inputs, units] = kernel.shape;
    const y = new Float32Array((x.length / inputs) * units);
    for (let from = 0, to = 0; from < x.length; from += inputs, to += units) {
      y.set(bias.data, to);
      for (let i = 0; i < inputs; i += 1) {
        const value = x[from + i];
        const row = i * units;
        for (let unit = 0; unit < units; unit += 1) y[to + unit] += value * kernel.data[row + unit];
      }
    }
    return y;
  }

  // keras.layers.Add.
  const add = (x, y) => x.map((value, i) => value + y[i]);

  // keras.layers.LayerNormalization, row by row.
  function layerNorm(x, { gamma, beta }) {
    const width = gamma.data.length;
    const y = new Float32Array(x.length);
    for (let from = 0; from < x.length; from += width) {
      const row = x.subarray(from, from + width);
      const mean = row.reduce((sum, value) => sum + value, 0) / width;
      const variance = row.reduce((sum, value) => sum + (value - mean) ** 2, 0) / width;
      const scale = 1 / Math.sqrt(variance + EPSILON);
      for (let i = 0; i < width; i += 1) {
        y[from + i] = (row[i] - mean) * scale * gamma.data[i] + beta.data[i];
      }
    }
    return y;
  }

  // keras.activations.gelu: x times the normal distribution function. The error function
  // is that of Abramowitz and Stegun, 7.1.26, right to 1.5e-7.
  function gelu(x) {
    const z = Math.abs(x) / Math.SQRT2;
    const t = 1 / (1 + 0.3275911 * z);
    const series = 1.061405429 * t - 1.453152027;
    const tail = ((((series * t + 1.421413741) * t - 0.284496736) * t + 0.254829592) * t)
      * Math.exp(-z * z);
    return x > 0 ? x * (1 - tail / 2) : x * (tail / 2);
  }

  // keras.ops.softmax of one row.
  function softmax(row) {
    const most = row.reduce((a, b) => Math.max(a, b), -Infinity);
    const powers = row.map((value) => Math.exp(value - most));
    const sum = powers.reduce((a, b) => a + b, 0);
    return powers.map((value) => value / sum);
  }

  // vitlib.SelfAttention: each query meets all keys, in each head for itself. Returns the
  // new tokens, and one table of N * N weights a head.
  function attend(tokens, block, { num_heads: heads, key_dim: length }) {
    const [query, key, value] = ["query", "key", "value"].map((n) => dense(tokens, block[n]));
    const width = heads * length;
    const count = query.length / width;
    const mixed = new Float32Array(query.length);
    const maps = [];
    for (let head = 0; head < heads; head += 1) {
      const map = new Float32Array(count * count);
      for (let q = 0; q < count; q += 1) {
        const own = q * width + head * length;
        const scores = new Float32Array(count);
        for (let k = 0; k < count; k += 1) {
          for (let i = 0, other = k * width + head * length; i < length; i += 1) {
            scores[k] += (query[own + i] / Math.sqrt(length)) * key[other + i];
          }
        }
        const weights = softmax(scores);
        map.set(weights, q * count);
        for (let k = 0; k < count; k += 1) {
          for (let i = 0, other = k * width + head * length; i < length; i += 1) {
            mixed[own + i] += weights[k] * value[other + i];
          }
        }
      }
      maps.push(map);
    }
    return { output: dense(mixed, block.output), maps };
  }

  // keras.layers.GlobalAveragePooling1D.
  function average(tokens, width) {
    const mean = new Float32Array(width);
    tokens.forEach((value, i) => { mean[i % width] += value * width / tokens.length; });
    return mean;
  }

  // ---- the model ----------------------------------------------------------------------

  // vitlib.build_vit. Takes pixels from 0 to 255, row by row; returns the tokens before the
  // first block and after each, the attention by block and head, and the logits.
  function forward(model, pixels, usePositions = true) {
    const { sizes, parts } = model;
    const image = normalize(pixels, parts.mean, parts.variance);
    let x = dense(cut(image, sizes.image_size, sizes.patch_size), parts.patches);
    if (parts.positions && usePositions) x = add(x, parts.positions.data);
    const tokens = [x];
    const attention = [];
    for (const block of parts.blocks) { // vitlib.transformer_block
      const { output, maps } = attend(layerNorm(x, block.norm1), block, sizes);
      x = add(x, output);
      const hidden = dense(layerNorm(x, block.norm2), block.mlp1).map(gelu);
      x = add(x, dense(hidden, block.mlp2).map(gelu)); // vitlib.mlp: after each layer
      tokens.push(x);
      attention.push(maps);
    }
    const pooled = average(layerNorm(x, parts.norm), sizes.projection_dim);
    return { tokens, attention, logits: dense(pooled, parts.logits) };
  }

  // vitlib.inspection.introspect.attention_rollout: the share of each patch in each token.
  function rollout(attention) {
    const count = Math.sqrt(attention[0][0].length);
    let flow = Float64Array.from({ length: count * count }, (_, i) => +(i % (count + 1) === 0));
    for (const maps of attention) {
      const next = new Float64Array(count * count);
      for (let q = 0; q < count; q += 1) {
        for (let k = 0; k < count; k += 1) {
          const mean = maps.reduce((sum, map) => sum + map[q * count + k], 0) / maps.length;
          const share = (mean + +(q === k)) / 2;
          for (let p = 0; p < count; p += 1) next[q * count + p] += share * flow[k * count + p];
        }
      }
      flow = next;
    }
    return flow;
  }

  return { forward, rollout, softmax };
})();
