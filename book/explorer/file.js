// Reads the file of `vitlib.export_explorer`, in the format safetensors, into the sizes and
// weights that `vit.forward` takes, and refuses any other. A tensor is `{shape, data}`.
"use strict";

const weightsFile = (() => {
  const FORMAT = "vitlib-explorer-1";
  const MOST = { tokens: 64, layers: 12, heads: 16, units: 4096, bytes: 16e6 };

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

  return { read };
})();
