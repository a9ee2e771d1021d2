// The scenes of the embedded data set, as vitlib.data.shapes draws them: two shapes among
// dots, under noise. A scene is plain data; `paint` turns it into 32 * 32 * 3 pixels.
"use strict";

const scenes = (() => {
  const SIZE = 32; // pixels, the side of an image: vitlib.data.tiles
  const TILE = 8;
  const KINDS = ["square", "ring", "cross", "triangle", "diamond"];
  const ARRANGEMENTS = ["left of", "right of", "above", "below"];
  const CLASS_NAMES = KINDS.flatMap((first) => KINDS.flatMap((second) =>
    ARRANGEMENTS.map((words) => `${first} ${words} ${second}`)));
  const COLORS = [[190, 50, 20], [20, 80, 180]]; // of the shapes: red, blue
  const DOTS = [[90, 160, 70], [190, 170, 40], [110, 110, 110]];
  const BACKGROUND = [180, 175, 165];
  const HALFWAY = 15; // of the noise, which goes from 0 to 30

  // A stream of random numbers from 0 to 1 that a seed repeats (mulberry32).
  function stream(seed) {
    let state = seed >>> 0;
    return () => {
      state = (state + 0x6d2b79f5) >>> 0;
      let word = Math.imul(state ^ (state >>> 15), state | 1);
      word ^= word + Math.imul(word ^ (word >>> 7), word | 61);
      return ((word ^ (word >>> 14)) >>> 0) / 2 ** 32;
    };
  }

  const tint = (color, random) => color.map((value) => value + Math.floor(random() * 32));

  // Whether a pixel of a square of this size belongs to the kind: vitlib's draw_kinds.
  function covers(kind, size, row, column) {
    const x = Math.abs(2 * column - (size - 1));
    const y = Math.abs(2 * row - (size - 1));
    const round = x * x + y * y;
    if (kind === "ring") return round <= size * size && 3 * round > size * size;
    if (kind === "cross") return 4 * Math.abs(x - y) < size;
    if (kind === "triangle") return x <= row + 1;
    if (kind === "diamond") return x + y <= size;
    return true;
  }

  // A scene like those of the data set: both shapes in one row or in one column of tiles.
  function draw(seed) {
    const random = stream(seed);
    const pick = (count) => Math.floor(random() * count);
    const [line, first] = [pick(4), pick(4)];
    const second = (first + 1 + pick(3)) % 4;
    const isRow = random() < 0.5;
    const shapes = [first, second].map((place, i) => {
      const size = 6 + pick(3);
      const [row, column] = isRow ? [line, place] : [place, line];
      const [top, left] = [row, column].map((tile) => tile * TILE + pick(TILE - size + 1));
      return { kind: KINDS[pick(5)], size, top, left, color: tint(COLORS[i], random) };
    });
    const dots = Array.from({ length: 16 }, (_, tile) => ({ tile, color: DOTS[pick(3)],
      top: Math.floor(tile / 4) * TILE + pick(7), left: (tile % 4) * TILE + pick(7) }));
    return {
      shapes,
      dots: dots.filter(() => random() < 0.25),
      background: tint(BACKGROUND, random),
      dice: Uint8Array.from({ length: SIZE * SIZE * 3 }, () => pick(16) + pick(16)),
      noise: 1, // times that of the data set
      paint: new Map(), // from the number of a pixel to a colour, over all else
      photo: null, // pixels of a picture, in place of what is drawn
    };
  }

  // The pixels of a scene, from 0 to 255, row by row.
  function paint(scene) {
    const image = new Float32Array(SIZE * SIZE * 3);
    const set = (row, column, color) => image.set(color, (row * SIZE + column) * 3);
    if (scene.photo) {
      image.set(scene.photo);
    } else {
      for (let i = 0; i < SIZE * SIZE; i += 1) image.set(scene.background, i * 3);
      for (const { top, left, color } of scene.dots) {
        for (const [y, x] of [[0, 0], [0, 1], [1, 0], [1, 1]]) set(top + y, left + x, color);
      }
      for (const { kind, size, top, left, color } of [...scene.shapes].reverse()) {
        for (let y = 0; y < size; y += 1) {
          for (let x = 0; x < size; x += 1) {
            if (covers(kind, size, y, x)) set(top + y, left + x, color);
          }
        }
      }
    }
    const base = scene.photo ? 0 : HALFWAY; // a picture is not lifted by its noise
    image.forEach((value, i) => {
      const noise = base + scene.noise * (scene.dice[i] - HALFWAY);
      image[i] = Math.min(255, Math.max(0, Math.round(value + noise)));
    });
    for (const [pixel, color] of scene.paint) image.set(color, pixel * 3);
    return image;
  }

  const tileOf = (shape) => [shape.top, shape.left]
    .map((start) => Math.floor((start + shape.size / 2) / TILE));

  // The name of a scene in the data set, or null where it has none.
  function nameOf(scene) {
    if (scene.photo) return null;
    const [[row, column], [otherRow, otherColumn]] = scene.shapes.map(tileOf);
    const isRow = row === otherRow;
    if (isRow === (column === otherColumn)) return null; // one tile, or on no line
    const place = isRow ? +(column > otherColumn) : 2 + +(row > otherRow);
    return [scene.shapes[0].kind, ARRANGEMENTS[place], scene.shapes[1].kind].join(" ");
  }

  const isWithinTiles = (scene) => scene.shapes.every(({ top, left, size }) =>
    (top % TILE) + size <= TILE && (left % TILE) + size <= TILE);

  // Puts a shape wholly into the tile on which most of it lies.
  function snap(shape) {
    const tile = tileOf(shape);
    ["top", "left"].forEach((side, i) => {
      const first = tile[i] * TILE;
      shape[side] = Math.min(first + TILE - shape.size, Math.max(first, shape[side]));
    });
  }

  // The median colour of an image, channel by channel: what a masked patch is painted with.
  function median(image) {
    return [0, 1, 2].map((channel) => {
      const values = image.filter((_, i) => i % 3 === channel).sort();
      return (values[values.length / 2 - 1] + values[values.length / 2]) / 2;
    });
  }

  // Runs through the pixels of a patch: `visit(number of the pixel, its place in the patch)`.
  function eachPixel(patch, patchSize, visit) {
    const side = SIZE / patchSize;
    const start = Math.floor(patch / side) * patchSize * SIZE + (patch % side) * patchSize;
    for (let i = 0; i < patchSize ** 2; i += 1) {
      visit(start + Math.floor(i / patchSize) * SIZE + (i % patchSize), i);
    }
  }

  // Paints patches over with one colour.
  function erase(image, patches, patchSize, color) {
    const result = image.slice();
    for (const patch of patches) {
      eachPixel(patch, patchSize, (pixel) => result.set(color, pixel * 3));
    }
    return result;
  }

  // Puts the patch `order[i]` of an image at the place i.
  function reorder(image, order, patchSize) {
    const result = image.slice();
    order.forEach((from, to) => {
      const pixels = [];
      eachPixel(from, patchSize, (pixel) => pixels.push(pixel));
      eachPixel(to, patchSize, (pixel, i) =>
        result.set(image.subarray(pixels[i] * 3, pixels[i] * 3 + 3), pixel * 3));
    });
    return result;
  }

  return { SIZE, TILE, KINDS, ARRANGEMENTS, CLASS_NAMES, draw, paint, stream, tileOf, nameOf, isWithinTiles,
    snap, median, eachPixel, erase, reorder };
})();
