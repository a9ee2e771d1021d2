"""Exercises that check themselves: what is right, or what is wrong and where to look.

Each check takes the reader's own function, calls it on small inputs, and recognises the
usual mistakes by what they do. It returns a `Verdict`, which is shown as one sentence,
and which is true when the function is right. A layer is checked as a function, too:
`check_cut_planes(lambda images, size: MyPlanes(size)(images))`.

Example:
    >>> def images_needed(accuracy, error):
    ...     return accuracy * (1 - accuracy) / error
    >>> check_images_needed(images_needed)
    Not yet: the error falls with the root of the images; divide by its square.
"""

from vitlib.checks.attention import (
    check_look_left,
    check_mean_distance,
    check_row_distance,
    check_shuffle_map,
    check_silence,
    check_without_identity,
)
from vitlib.checks.comparison import (
    check_conv_growth,
    check_count_idle,
    check_count_unequal,
    check_images_needed,
    check_is_supported,
    check_paired_error,
    check_seeming_gap,
)
from vitlib.checks.data import (
    check_final_accuracy,
    check_flip_ceiling,
    check_normalize,
    check_shear_angle,
    check_stratified_split,
    check_superclass_accuracy,
    check_table_accuracy,
)
from vitlib.checks.debugging import (
    check_repaired_accuracy,
    check_repaired_attention,
    check_repaired_block,
    check_repaired_deviation,
    check_repaired_loss,
    check_repaired_mix,
    check_repaired_patches,
    check_repaired_path,
    check_repaired_variant,
    check_repaired_weights,
)
from vitlib.checks.patches import (
    check_attend,
    check_count_windows,
    check_cut_planes,
    check_from_torch,
    check_green_place,
    check_is_right,
    check_join,
    check_narrow_cost,
    check_pre_norm,
    check_small_weights,
)
from vitlib.checks.positions import (
    check_can_pass,
    check_encode,
    check_grid_offsets,
    check_growth,
    check_notices,
    check_sinusoid,
    check_steps_of,
    check_undo,
)
from vitlib.checks.pretraining import (
    check_gain,
    check_hidden_error,
    check_hide,
    check_images_left,
    check_masked_share,
    check_restore,
    check_vote,
)
from vitlib.checks.training import (
    check_cross_entropy,
    check_dead_units,
    check_decay,
    check_decisive,
    check_lowest_loss,
    check_pooled_parameters,
    check_rate,
    check_same_bound,
)

__all__ = [
    "check_attend",
    "check_can_pass",
    "check_conv_growth",
    "check_count_idle",
    "check_count_unequal",
    "check_count_windows",
    "check_cross_entropy",
    "check_cut_planes",
    "check_dead_units",
    "check_decay",
    "check_decisive",
    "check_encode",
    "check_final_accuracy",
    "check_flip_ceiling",
    "check_from_torch",
    "check_gain",
    "check_green_place",
    "check_grid_offsets",
    "check_growth",
    "check_hidden_error",
    "check_hide",
    "check_images_left",
    "check_images_needed",
    "check_is_right",
    "check_is_supported",
    "check_join",
    "check_look_left",
    "check_lowest_loss",
    "check_masked_share",
    "check_mean_distance",
    "check_narrow_cost",
    "check_normalize",
    "check_notices",
    "check_paired_error",
    "check_pooled_parameters",
    "check_pre_norm",
    "check_rate",
    "check_repaired_accuracy",
    "check_repaired_attention",
    "check_repaired_block",
    "check_repaired_deviation",
    "check_repaired_loss",
    "check_repaired_mix",
    "check_repaired_patches",
    "check_repaired_path",
    "check_repaired_variant",
    "check_repaired_weights",
    "check_restore",
    "check_row_distance",
    "check_same_bound",
    "check_seeming_gap",
    "check_shear_angle",
    "check_shuffle_map",
    "check_silence",
    "check_sinusoid",
    "check_small_weights",
    "check_steps_of",
    "check_stratified_split",
    "check_superclass_accuracy",
    "check_table_accuracy",
    "check_undo",
    "check_vote",
    "check_without_identity",
]
