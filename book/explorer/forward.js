// The forward pass of a Vision Transformer in plain JavaScript, from the file of
// `vitlib.export_explorer` to the logits. Beside each function stands the layer of Keras or
// `vitlib` that it mirrors. A tensor is `{shape, data}`; tokens are one Float32Array, a row
// of `projection_dim` numbers for each token.
"use strict";

const vit = (() => {
  const FORMAT = "vitlib-explorer-1";
  const EPSILON = 1e-6; // of the layer norms: vitlib.models.blocks
  const KERAS_EPSILON = 1e-7; // of the normalization of pixels
  const MOST = { tokens: 64, layers: 12, heads: 16, units: 4096, bytes: 16e6 };

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

  // ---- the file -----------------------------------------------------------------------

  // One number of float16, from its sixteen bits.
  function half(bits) {
    const [exponent, fraction] = [(bits >> 10) & 31, bits & 1023];
    const size = exponent ? (1 + fraction / 1024) * 2 ** (exponent - 15) : fraction * 2 ** -24;
    return bits >> 15 ? -size : size;
  }

  // What must be in the file of a model of these sizes, by name.
  function expectedShapes(sizes) {
    const { projection_dim: dim, mlp_dim: hidden, num_classes: classes } = sizes;
    const width = sizes.num_heads * sizes.key_dim;
    const shapes = { mean: [3], variance: [3] };
    const give = (name, inputs, units) => {
      shapes[`${name}.kernel`] = [inputs, units];
      shapes[`${name}.bias`] = [units];
    };
    const norm = (name) => {
      for (const weight of ["gamma", "beta"]) shapes[`${name}.${weight}`] = [dim];
    };
    give("patches", sizes.patch_size ** 2 * 3, dim);
    if (sizes.position !== "none") {
      shapes.positions = [(sizes.image_size / sizes.patch_size) ** 2, dim];
    }
    for (let block = 0; block < sizes.num_layers; block += 1) {
      for (const name of ["norm1", "norm2"]) norm(`block${block}.${name}`);
      for (const name of ["query", "key", "value"]) give(`block${block}.${name}`, dim, width);
      give(`block${block}.output`, width, dim);
      give(`block${block}.mlp1`, dim, hidden);
      give(`block${block}.mlp2`, hidden, dim);
    }
    norm("norm");
    give("logits", dim, classes);
    return shapes;
  }

  function refuse(received) {
    throw new Error("A file of weights must be one that vitlib.export_explorer has written. "
      + `Received: ${received}.`);
  }

  // The header, and where the weights begin.
  function readHeader(buffer) {
    if (buffer.byteLength > MOST.bytes) refuse(`${(buffer.byteLength / 1e6).toFixed(0)} MB`);
    if (buffer.byteLength < 8) refuse(`${buffer.byteLength} bytes`);
    const view = new DataView(buffer);
    const end = view.getUint32(0, true) + 8;
    const whole = view.getUint32(4, true) === 0 && end <= buffer.byteLength;
    try {
      const text = whole && new TextDecoder("utf-8", { fatal: true })
        .decode(new Uint8Array(buffer, 8, end - 8));
      const header = JSON.parse(text || "no header");
      if (header.__metadata__.format !== FORMAT) throw new Error("another format");
      const sizes = JSON.parse(header.__metadata__.model);
      sizes.class_names ??= scenes.CLASS_NAMES;
      return { header, sizes, start: end };
    } catch {
      return refuse("a file of another kind, or one that was cut");
    }
  }

  function checkSizes(sizes) {
    const within = (name, most) => Number.isInteger(sizes[name]) && sizes[name] >= 1
      && sizes[name] <= most;
    const tokens = (sizes.image_size / sizes.patch_size) ** 2;
    const names = sizes.class_names;
    const fits = sizes.image_size === 32 && within("patch_size", 32)
      && Number.isInteger(Math.sqrt(tokens)) && tokens <= MOST.tokens
      && within("num_layers", MOST.layers) && within("num_heads", MOST.heads)
      && ["projection_dim", "key_dim", "mlp_dim", "num_classes"]
        .every((name) => within(name, MOST.units))
      && Array.isArray(names) && names.length === sizes.num_classes
      && names.every((name) => typeof name === "string") && typeof sizes.position === "string";
    if (!fits) refuse("a model of a shape that this page cannot show");
  }

  // The weights by name, as `{shape, data}`.
  function readTensors(buffer, { header, sizes, start }) {
    const tensors = new Map();
    for (const [name, shape] of Object.entries(expectedShapes(sizes))) {
      const entry = header[name];
      const count = shape.reduce((a, b) => a * b, 1);
      const fits = entry?.dtype === "F16" && String(entry.shape) === String(shape)
        && entry.data_offsets?.[1] - entry.data_offsets?.[0] === 2 * count
        && Number.isInteger(entry.data_offsets[0]) && entry.data_offsets[0] >= 0;
      if (!fits) refuse(`a model without ${name} of the shape ${shape.join(" x ")}`);
      if (start + entry.data_offsets[1] > buffer.byteLength) refuse("a file that was cut");
      const view = new DataView(buffer, start + entry.data_offsets[0], 2 * count);
      const data = Float32Array.from({ length: count }, (_, i) => half(view.getUint16(2 * i, true)));
      tensors.set(name, { shape, data });
    }
    return tensors;
  }

  // Puts `block0.query.kernel` to `blocks[0].query.kernel`, as the forward pass asks for it.
  function arrange(tensors) {
    const parts = { blocks: [] };
    for (const [name, tensor] of tensors) {
      const path = name.split(".");
      const block = /^block(\d+)$/.exec(path[0]);
      let place = parts;
      if (block) place = (parts.blocks[block[1]] ??= {}), path.shift();
      const last = path.pop();
      for (const word of path) place = (place[word] ??= {});
      place[last] = tensor;
    }
    return parts;
  }

  // Reads a file; throws an Error with a sentence where it cannot. Browsers compute a
  // SHA-256 on pages from a disk or by https alone; elsewhere shapes must do.
  async function read(buffer) {
    const found = readHeader(buffer);
    checkSizes(found.sizes);
    const tensors = readTensors(buffer, found);
    if (globalThis.crypto?.subtle) {
      const digest = await crypto.subtle.digest("SHA-256", buffer.slice(found.start));
      const text = Array.from(new Uint8Array(digest), (b) => b.toString(16).padStart(2, "0"));
      if (text.join("") !== found.header.__metadata__.sha256) {
        refuse("a file that was changed after it was written (its digest differs)");
      }
    }
    return { sizes: found.sizes, parts: arrange(tensors) };
  }

  return { read, forward, rollout, softmax };
})();
