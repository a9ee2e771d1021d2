"""The optimiser that a config asks for: decay, clipping, the rate of each step."""

import math

import keras
from keras import ops

COOLDOWN = 0.2  # share of all steps, of the schedule of this name


@keras.saving.register_keras_serializable(package="vitlib")
class WarmupSchedule(keras.optimizers.schedules.LearningRateSchedule):
    """Rises linearly to the learning rate, stays there, and falls to 0 if asked to.

    It falls along a cosine from the warm-up on, or along a line in the last steps.

    Args:
        learning_rate: Float. The highest of the schedule.
        warmup_steps: Integer, 0 for none. Step s, counted from 0, of the warm-up has
            `learning_rate * (s + 1) / warmup_steps`: no step is lost at 0.
        total_steps: Integer. Steps of the whole training; the cosine ends there.
        cosine: Boolean, whether the rate falls from the warm-up on.
        cooldown_steps: Integer, 0 for none. The last so many steps fall linearly: the
            last one of all has `learning_rate / cooldown_steps`.

    Reference:
        Loshchilov and Hutter, 2017, equation 5 (https://arxiv.org/abs/1608.03983);
        warm-up: Goyal et al., 2017, section 2.2 (https://arxiv.org/abs/1706.02677);
        cooldown: Hägele et al., 2024, section 3 (https://arxiv.org/abs/2405.18392).
    """

    def __init__(
        self, learning_rate, warmup_steps, total_steps, cosine, cooldown_steps=0
    ):
        self.learning_rate = learning_rate
        self.warmup_steps = warmup_steps
        self.total_steps = total_steps
        self.cosine = cosine
        self.cooldown_steps = cooldown_steps

    def __call__(self, step):
        step = ops.cast(step, "float32")
        rise = ops.minimum((step + 1) / max(self.warmup_steps, 1), 1.0)
        if not self.cosine:
            left = (self.total_steps - step) / max(self.cooldown_steps, 1)
            fall = ops.clip(left, 0.0, 1.0) if self.cooldown_steps else 1.0
            return self.learning_rate * rise * fall
        share = (step - self.warmup_steps) / (self.total_steps - self.warmup_steps)
        fall = 0.5 * (1 + ops.cos(math.pi * ops.clip(share, 0.0, 1.0)))
        return self.learning_rate * rise * fall

    def get_config(self):
        return dict(vars(self))


class _KeepsWeights:
    """An optimiser whose mean of the weights is looked at, and never trained on."""

    def finalize_variable_values(self, var_list):
        """Does nothing: Keras' `fit`, which ends with each epoch here, asks for it."""

    def put_averages(self, variables):
        """Gives the weights their running means, where `use_ema` has made any."""
        super().finalize_variable_values(variables)


@keras.saving.register_keras_serializable(package="vitlib")
class AdamW(_KeepsWeights, keras.optimizers.AdamW):
    """`keras.optimizers.AdamW` whose update is one operation on TensorFlow, too.

    Keras writes Adam's update as a dozen operations, and each goes through the memory
    of all weights. A compiler joins them on JAX. TensorFlow runs them one by one where
    it does not compile, as on a CPU, but has the whole update as one operation. It has
    none for `amsgrad`, which Keras computes.

    Reference:
        Loshchilov and Hutter, 2019, algorithm 2 (https://arxiv.org/abs/1711.05101).
    """

    def update_step(self, gradient, variable, learning_rate):
        if keras.backend.backend() != "tensorflow" or self.amsgrad:
            return super().update_step(gradient, variable, learning_rate)
        import tensorflow as tf  # noqa: TID251, the operation is TensorFlow's own

        index, dtype = self._get_variable_index(variable), variable.dtype
        step = tf.cast(self.iterations + 1, dtype)
        beta1, beta2 = (tf.cast(beta, dtype) for beta in (self.beta_1, self.beta_2))
        return tf.raw_ops.ResourceApplyAdam(
            var=variable.handle,
            m=self._momentums[index].value.handle,
            v=self._velocities[index].value.handle,
            beta1_power=beta1**step,
            beta2_power=beta2**step,
            lr=tf.cast(learning_rate, dtype),
            beta1=beta1,
            beta2=beta2,
            epsilon=tf.cast(self.epsilon, dtype),
            grad=tf.cast(tf.convert_to_tensor(gradient), dtype),
        )


@keras.saving.register_keras_serializable(package="vitlib")
class Muon(_KeepsWeights, keras.optimizers.Muon):
    """`keras.optimizers.Muon`, which takes the kernels of convolutions, too.

    A step of a matrix is its momentum with all singular values made about equal. Keras
    leaves a kernel of a convolution to AdamW; here it is the matrix that multiplies a
    window of the map, `(rows * columns * channels, filters)`. The AdamW of the other
    weights is that of Keras.

    Args:
        half: Boolean, whether the iteration that evens out the singular values computes
            in bfloat16, as that of its authors does: it need not be exact.
        **kwargs: Passed to `keras.optimizers.Muon`.

    Reference:
        Jordan et al., 2024 (https://kellerjordan.github.io/posts/muon), with the scale
        of Liu et al., 2025, section 2.2 (https://arxiv.org/abs/2502.16982), by which a
        rate and a decay that suit AdamW suit it as well.
    """

    def __init__(self, learning_rate=0.001, half=False, **kwargs):
        super().__init__(learning_rate, **kwargs)
        self.half = half

    def get_config(self):
        return super().get_config() | {"half": self.half}

    def _should_use_adamw(self, variable):
        kernel = len(variable.shape) == 4 and variable.name == "kernel"
        return not kernel and super()._should_use_adamw(variable)

    def lr_adjust(self, x):
        if len(x.shape) == 2:
            return super().lr_adjust(x)
        matrix = ops.reshape(x, (-1, x.shape[-1]))
        return ops.reshape(super().lr_adjust(matrix), x.shape)

    def zeropower_via_newtonschulz5(self, x, steps):
        matrix = ops.reshape(x, (-1, x.shape[-1]))
        matrix = ops.cast(matrix, "bfloat16" if self.half else x.dtype)
        matrix = super().zeropower_via_newtonschulz5(matrix, steps)
        return ops.cast(ops.reshape(matrix, x.shape), x.dtype)


# Of Muon: what makes tokens and what makes logits is left to AdamW, as its authors do.
ADAMW_LAYERS = ("patch_encoder", "logits")
KINDS = {"adamw": AdamW, "muon": Muon}


def make_optimizer(config, steps_per_epoch, kind=None):
    """The optimiser with the decay, the schedule and the clipping of a config.

    Weight decay acts on the weights, not through the gradient and its moments: each
    step first takes `learning_rate_t * weight_decay * w` off each decayed weight `w`,
    then makes Adam's step. So the decay follows the schedule, as in Keras and PyTorch.
    TensorFlow Addons takes off `weight_decay * w` instead, whatever the learning rate:
    its value is ours times the learning rate. Clipping comes first and scales all
    gradients together.

    Args:
        config: `TrainConfig`.
        steps_per_epoch: Integer.
        kind: A class that extends the one of `KINDS` that the config names; None for
            that one itself.

    Returns:
        `AdamW` or `Muon`.

    Reference:
        Loshchilov and Hutter, 2019, algorithm 2 (https://arxiv.org/abs/1711.05101).
    """
    total_steps = config.epochs * steps_per_epoch
    cools = config.schedule == "cooldown"
    schedule = WarmupSchedule(
        config.learning_rate,
        warmup_steps=config.warmup_epochs * steps_per_epoch,
        total_steps=total_steps,
        cosine=config.schedule == "cosine",
        cooldown_steps=max(round(COOLDOWN * total_steps), 1) if cools else 0,
    )
    decay, options = config.weight_decay, {}
    if config.optimizer == "muon":
        options = {"exclude_layers": list(ADAMW_LAYERS), "adam_weight_decay": decay}
        options["half"] = config.precision != "float32"
    if config.ema_momentum is not None:
        options |= {"use_ema": True, "ema_momentum": config.ema_momentum}
    optimizer = (kind or KINDS[config.optimizer])(
        schedule,
        weight_decay=decay,
        global_clipnorm=config.clip_norm,
        **options,
    )
    if config.decay_exclude:
        optimizer.exclude_from_weight_decay(var_names=list(config.decay_exclude))
    return optimizer
