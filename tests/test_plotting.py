import matplotlib
import matplotlib.pyplot as plt
import numpy as np
import pytest

from vitlib import plotting
from vitlib.patches import Patches

matplotlib.use("agg")  # no window


@pytest.fixture
def ax():
    figure, ax = plt.subplots()
    yield ax
    plt.close(figure)


def shown(ax):
    return ax.get_images()[0].get_array()


def test_an_image_is_shown_as_it_is_and_without_ticks(ax):
    image = np.arange(48, dtype=np.uint8).reshape(4, 4, 3)
    assert plotting.show_image(ax, image) is ax
    np.testing.assert_array_equal(shown(ax), image)
    assert list(ax.get_xticks()) == list(ax.get_yticks()) == []


def test_a_float_image_is_clipped_to_the_range_of_pixels(ax):
    plotting.show_image(ax, np.array([[[-3.0, 255.9, 300.0]]]))
    np.testing.assert_array_equal(shown(ax), [[[0, 255, 255]]])


def test_a_float_table_without_channels_keeps_its_values(ax):
    plotting.show_image(ax, np.array([[0.25, 300.0]]))
    np.testing.assert_array_equal(shown(ax), [[0.25, 300.0]])


def test_every_number_stands_in_its_cell(ax):
    values = np.arange(6).reshape(2, 3)
    plotting.show_numbers(ax, values)
    written = {text.get_position(): text.get_text() for text in ax.texts}
    places = {(column, row): str(v) for (row, column), v in np.ndenumerate(values)}
    assert written == places


def test_numbers_are_dark_on_light_cells_and_light_on_dark_ones(ax):
    plotting.show_numbers(ax, [[7, 8]], colors=[[0, 1]])
    assert [text.get_color() for text in ax.texts] == ["white", "black"]


def test_cells_can_have_colors_of_their_own(ax):
    plotting.show_numbers(ax, [[7, 8]], colors=[[1, 0]])
    np.testing.assert_array_equal(shown(ax), [[1, 0]])


def test_the_grid_runs_between_the_pixels_of_neighbouring_patches(ax):
    plotting.draw_patch_grid(ax, image_size=(4, 6), patch_size=2)
    rows, columns = (lines.get_segments() for lines in ax.collections)
    assert [line[0][1] for line in rows] == [1.5]
    assert [line[0][0] for line in columns] == [1.5, 3.5]
    assert rows[0][1][0] == 5.5
    assert columns[0][1][1] == 3.5


def test_patches_are_drawn_in_reading_order_with_white_between(ax):
    image = np.random.default_rng(0).integers(0, 200, (1, 4, 4, 3)).astype("float32")
    plotting.show_patches(ax, Patches(patch_size=2)(image)[0], columns=2)
    canvas = shown(ax)
    assert canvas.shape == (5, 5, 3)
    assert (canvas[2] == 255).all() and (canvas[:, 2] == 255).all()
    kept = canvas[[0, 1, 3, 4]][:, [0, 1, 3, 4]]
    np.testing.assert_array_equal(kept, image[0])


def test_a_sequence_is_one_line_unless_told_otherwise(ax):
    plotting.show_patches(ax, np.zeros((3, 12)))
    assert shown(ax).shape == (2, 8, 3)


def test_an_unfinished_last_line_is_filled_with_white(ax):
    plotting.show_patches(ax, np.zeros((3, 12)), columns=2)
    assert (shown(ax)[3:, 3:] == 255).all()


def test_the_course_style_changes_only_what_it_is_used_for():
    before = matplotlib.rcParams["figure.dpi"]
    with plt.style.context("vitlib.course"):
        assert matplotlib.rcParams["figure.facecolor"] == "white"
        assert matplotlib.rcParams["figure.dpi"] == 150
    assert matplotlib.rcParams["figure.dpi"] == before


def test_the_colors_of_the_course_stand_out_from_white_and_from_each_other():
    with plt.style.context("vitlib.course"):
        colors = matplotlib.rcParams["axes.prop_cycle"].by_key()["color"]
    lightness = [luminance(color) for color in colors]
    assert len(set(colors)) == len(colors) == 7
    assert all(1.05 / (light + 0.05) >= 2 for light in lightness)


def luminance(color):
    """Relative luminance as in the Web Content Accessibility Guidelines."""
    rgb = np.array(matplotlib.colors.to_rgb(color))
    linear = np.where(rgb <= 0.04045, rgb / 12.92, ((rgb + 0.055) / 1.055) ** 2.4)
    return linear @ [0.2126, 0.7152, 0.0722]


def test_a_learning_curve_has_validation_solid_and_training_dashed(ax):
    history = {"top1": [0.1, 0.2], "val_top1": [0.3, 0.4]}
    assert plotting.plot_learning_curve(ax, history, label="ViT") is ax
    validation, training = ax.get_lines()
    np.testing.assert_allclose(validation.get_xydata(), [(1, 30), (2, 40)])
    np.testing.assert_allclose(training.get_ydata(), [10, 20])
    assert (validation.get_linestyle(), training.get_linestyle()) == ("-", "--")
    assert validation.get_color() == training.get_color()
    assert validation.get_label() == "ViT validation"
    assert ax.get_ylabel() == "top-1 accuracy (%)"
