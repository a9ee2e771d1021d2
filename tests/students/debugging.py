"""What students hand in for the exercises of the chapter on defects.

The first mistake of each exercise is the program of the chapter, handed in as it was.
"""

import keras
import numpy as np
from keras import layers, ops

from vitlib import checks
from vitlib.training import tasks
from vitlib.training.optimizer import WarmupSchedule


def repaired_deviation(images):
    pixels = np.reshape(images, (-1, 3))
    return np.sqrt(np.mean((pixels - np.mean(pixels, axis=0)) ** 2, axis=0))


DEVIATION = {
    "deviation inside each image": lambda x: x.std(axis=(1, 2)).mean(axis=0),
    "variances inside the images": lambda x: (
        np.mean([np.var(image, axis=(0, 1)) for image in x], axis=0) ** 0.5
    ),
    "of the means of the images": lambda x: np.std(
        [image.mean(axis=(0, 1)) for image in x], axis=0
    ),
    "of each place": lambda x: np.std(x, axis=0).reshape(-1, 3).mean(axis=0),
    "that is the variance": lambda x: repaired_deviation(x) ** 2,
    "share one deviation": lambda x: [np.std(x)] * 3,
}


def repaired_variant(image, random):
    size = len(image)
    canvas = np.zeros((size + 8, size + 8, 3), image.dtype)
    canvas[4:-4, 4:-4] = image
    top, left = int(9 * random[0]), int(9 * random[1])
    cropped = canvas[top : top + size, left : left + size]
    return np.fliplr(cropped) if random[2] < 0.5 else cropped


def cropped_to_its_own_size(image, random):
    size = 32
    height, width, _ = image.shape
    top = int(random[0] * (height - size + 1))
    left = int(random[1] * (width - size + 1))
    cropped = image[top : top + size, left : left + size]
    return cropped[:, ::-1] if random[2] < 0.5 else cropped


def bordered(image, random, first, places=9, color=0):
    """A cut from a canvas on which the image stands at `first`."""
    size = len(image)
    canvas = np.zeros((size + 8, size + 8, 3)) + color
    canvas[first : first + size, first : first + size] = image
    top, left = int(places * random[0]), int(places * random[1])
    cropped = canvas[top : top + size, left : left + size]
    return np.fliplr(cropped) if random[2] < 0.5 else cropped


VARIANT = {
    "this still cuts a square": cropped_to_its_own_size,
    "on two sides alone": lambda image, random: bordered(image, random, 0),
    "never chosen": lambda image, random: bordered(image, random, 4, places=8),
    "rows and columns are swapped": lambda image, random: repaired_variant(
        image, random[[1, 0, 2]]
    ),
    "the flip is lost": lambda image, random: repaired_variant(
        image, np.append(random[:2], 0.9)
    ),
    "the flip comes before": lambda image, random: repaired_variant(
        np.fliplr(image) if random[2] < 0.5 else image, np.append(random[:2], 0.9)
    ),
    "the colour of the image": lambda image, random: bordered(
        image, random, 4, color=image.mean()
    ),
}


def repaired_patches(image, size):
    return [
        np.ravel(image[top : top + size, left : left + size])
        for top in range(0, image.shape[0], size)
        for left in range(0, image.shape[1], size)
    ]


def colours_in_front(image, size):
    rows, columns = image.shape[0] // size, image.shape[1] // size
    planes = image.transpose(2, 0, 1)
    tiles = planes.reshape(3, rows, size, columns, size).transpose(0, 1, 3, 2, 4)
    return tiles.reshape(rows * columns, 3 * size * size)


def one_colour_after_the_other(image, size):
    squares = np.reshape(repaired_patches(image, size), (-1, size * size, 3))
    return squares.swapaxes(1, 2).reshape(len(squares), -1)


def down_first(image, size):
    return [
        image[top : top + size, left : left + size].ravel()
        for left in range(0, image.shape[1], size)
        for top in range(0, image.shape[0], size)
    ]


PATCHES = {
    "keeps the colours in front": colours_in_front,
    "one colour after the other": one_colour_after_the_other,
    "cut along its rows": lambda image, size: image.reshape(-1, size * size * 3),
    "go down first": down_first,
    "each patch is transposed": lambda image, size: [
        patch.reshape(size, size, 3).swapaxes(0, 1).ravel()
        for patch in np.array(repaired_patches(image, size))
    ],
}


def count(width, heads, head_size, hidden, use_bias=True):
    """The parameters of a block that Keras builds."""
    inputs = keras.Input((5, width))
    y = layers.LayerNormalization()(inputs)
    attention = layers.MultiHeadAttention(heads, head_size, use_bias=use_bias)
    x = inputs + attention(y, y)
    y = layers.LayerNormalization()(x)
    y = layers.Dense(hidden, "gelu", use_bias=use_bias)(y)
    y = x + layers.Dense(width, use_bias=use_bias)(y)
    return keras.Model(inputs, y).count_params()


def repaired_block(head_size, heads, hidden):
    return count(heads * head_size, heads, head_size, hidden)


BLOCK = {
    "as long as one head; it is": lambda s, h, u: count(s, h, s, u),
    "each head is as wide as the whole token": lambda s, h, u: count(
        h * s, h, h * s, u
    ),
    "share the length of one head": lambda s, h, u: count(s, 1, s, u),
    "the biases are missing": lambda s, h, u: count(h * s, h, s, u, use_bias=False),
}


def rows_to_one(products, axis=-1):
    powers = np.exp(products)
    return powers / powers.sum(axis=axis, keepdims=True)


def products(queries, keys):
    return np.einsum("hqd,hkd->hqk", queries, keys)


def repaired_attention(queries, keys):
    return rows_to_one(products(queries / np.sqrt(queries.shape[2]), keys))


ATTENTION = {
    "divides after the softmax": lambda q, k: (
        rows_to_one(products(q, k)) / np.sqrt(q.shape[2])
    ),
    "nothing is divided": lambda q, k: rows_to_one(products(q, k)),
    "divided by the length": lambda q, k: rows_to_one(products(q, k) / q.shape[2]),
    "multiplied by the root": lambda q, k: rows_to_one(
        products(q, k) * np.sqrt(q.shape[2])
    ),
    "all heads together": lambda q, k: rows_to_one(
        products(q, k) / np.sqrt(q.shape[0] * q.shape[2])
    ),
    "the columns sum to 1": lambda q, k: rows_to_one(
        products(q, k) / np.sqrt(q.shape[2]), axis=1
    ),
}


def stacked(width, starts):
    return np.stack([ops.convert_to_numpy(start((width, width))) for start in starts])


def glorot(seed):
    return keras.initializers.GlorotUniform(seed=seed)


def repaired_weights(width, blocks, seed):
    rng = np.random.default_rng(seed)
    return stacked(width, [glorot(int(rng.integers(2**31))) for _ in range(blocks)])


WEIGHTS = {
    "every block the same": lambda w, b, s: stacked(w, [glorot(s)] * b),
    "two blocks still": lambda w, b, s: stacked(
        w, [glorot(9 * s + i // 2) for i in range(b)]
    ),
    "the same seed gives other weights": lambda w, b, s: stacked(
        w, [glorot(None) for _ in range(b)]
    ),
    "another seed gives the same": lambda w, b, s: stacked(
        w, [glorot(i) for i in range(b)]
    ),
    "do not count them up": lambda w, b, s: stacked(
        w, [glorot(s + i) for i in range(b)]
    ),
    "the limit of Glorot": lambda w, b, s: np.random.default_rng(s).normal(
        size=(b, w, w)
    ),
    "the weights are too small": lambda w, b, s: np.random.default_rng(s).uniform(
        -0.05, 0.05, (b, w, w)
    ),
    "must return an array of shape (blocks": lambda w, b, s: glorot(s)((w, w)),
}


def drop(x, noise, rate):
    kept = x / (1 - rate)
    kept[noise < rate] = 0
    return kept


def repaired_mix(weights, values, noise, rate, training):
    if not training:
        return weights @ values
    mixed = drop(weights, noise, rate) @ values
    return drop(mixed, noise[:, : values.shape[1]], rate)


def still_dropping(weights, values, noise, rate, training):
    mixed = drop(weights, noise, rate) @ values
    return drop(mixed, noise[:, : mixed.shape[1]], rate) if training else mixed


MIX = {
    "this still drops": still_dropping,
    "nothing is dropped any more": lambda w, v, noise, rate, training: w @ v,
    "never dropped": lambda w, v, noise, rate, training: (
        drop(w @ v, noise[:, :3], rate) if training else w @ v
    ),
    "now both places": lambda w, v, noise, rate, training: repaired_mix(
        w, v, noise, rate, True
    ),
    "on when it must be off": lambda w, v, noise, rate, training: repaired_mix(
        w, v, noise, rate, not training
    ),
    "made smaller": lambda w, v, noise, rate, training: (
        repaired_mix(w, v, noise, rate, training) * (1 if training else 1 - rate)
    ),
}


def descend(target, steps, learning_rate):
    optimizer = keras.optimizers.SGD(learning_rate)
    number = keras.Variable([0.0])
    optimizer.build([number])
    path = [0.0]
    for _ in range(steps):
        optimizer.apply([number - target])
        path.append(float(number.numpy()[0]))
    return path


def repaired_path(target, peak, warmup, steps):
    return descend(target, steps, WarmupSchedule(peak, warmup, steps, cosine=True))


def with_rates(target, steps, rates):
    path = [0.0]
    for rate in rates[:steps]:
        path.append(path[-1] + rate * (target - path[-1]))
    return path


def planned(peak, warmup, steps):
    schedule = WarmupSchedule(peak, warmup, steps, cosine=True)
    return [float(schedule(step)) for step in range(steps + 1)]


PATH = {
    "at the highest rate throughout": lambda t, p, w, n: descend(t, n, p),
    "the rate of step 0": lambda t, p, w, n: descend(t, n, planned(p, w, n)[0]),
    "of the next one": lambda t, p, w, n: with_rates(t, n, planned(p, w, n)[1:]),
    "the warm-up is lost": lambda t, p, w, n: with_rates(
        t, n, [p] * w + planned(p, w, n)[w:]
    ),
    "the fall is lost": lambda t, p, w, n: descend(
        t, n, WarmupSchedule(p, w, n, cosine=False)
    ),
}


def probabilities(features, kernel):
    powers = np.exp(features @ kernel)
    return powers / powers.sum(axis=1, keepdims=True)


def repaired_loss(features, kernel, labels):
    return tasks.score(features @ kernel, labels)["loss"]


LOSS = {
    "softmax twice": lambda x, w, y: tasks.score(probabilities(x, w), y)["loss"],
    "over the images": lambda x, w, y: (
        -np.mean(
            [np.log(rows_to_one(x @ w, axis=0)[i, label]) for i, label in enumerate(y)]
        )
    ),
    "the logarithm is missing": lambda x, w, y: (
        -np.mean(
            [row[label] for row, label in zip(probabilities(x, w), y, strict=True)]
        )
    ),
    "the losses are summed": lambda x, w, y: len(y) * repaired_loss(x, w, y),
    "that is the accuracy": lambda x, w, y: tasks.score(x @ w, y)["top1"],
}


def repaired_accuracy(answers, labels, batch_size):
    right = 0
    for start in range(0, len(labels), batch_size):
        batch = slice(start, start + batch_size)
        right += np.sum(answers[batch] == labels[batch])
    return right / len(labels)


def mean_of_means(answers, labels, batch_size):
    shares = []
    for start in range(0, len(labels), batch_size):
        batch = slice(start, start + batch_size)
        shares.append(np.mean(answers[batch] == labels[batch]))
    return np.mean(shares)


ACCURACY = {
    "the weight of a whole one": mean_of_means,
    "is left out": lambda a, y, n: mean_of_means(
        a[: len(a) // n * n], y[: len(a) // n * n], n
    ),
    "the places of all batches": lambda a, y, n: sum(a == y) / (-(-len(y) // n) * n),
    "are counted": lambda a, y, n: sum(a == y),
    "the share of wrong": lambda a, y, n: np.mean(a != y),
}

EXERCISES = {
    checks.check_repaired_deviation: (repaired_deviation, DEVIATION),
    checks.check_repaired_variant: (repaired_variant, VARIANT),
    checks.check_repaired_patches: (repaired_patches, PATCHES),
    checks.check_repaired_block: (repaired_block, BLOCK),
    checks.check_repaired_attention: (repaired_attention, ATTENTION),
    checks.check_repaired_weights: (repaired_weights, WEIGHTS),
    checks.check_repaired_mix: (repaired_mix, MIX),
    checks.check_repaired_path: (repaired_path, PATH),
    checks.check_repaired_loss: (repaired_loss, LOSS),
    checks.check_repaired_accuracy: (repaired_accuracy, ACCURACY),
}
