import matplotlib
import matplotlib.pyplot as plt
import numpy as np
import pytest
from sample_run import make_run

from vitlib.inspection import pictures, plotting
from vitlib.layers.patches import Patches

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
    assert pictures.show_image(ax, image) is ax
    np.testing.assert_array_equal(shown(ax), image)
    assert list(ax.get_xticks()) == list(ax.get_yticks()) == []


def test_a_float_image_is_clipped_to_the_range_of_pixels(ax):
    pictures.show_image(ax, np.array([[[-3.0, 255.9, 300.0]]]))
    np.testing.assert_array_equal(shown(ax), [[[0, 255, 255]]])


def test_an_image_of_fractions_would_be_black_and_is_refused(ax):
    with pytest.raises(ValueError, match=r"to 255\. Received: fractions up to 1"):
        pictures.show_image(ax, np.array([[[0.5, 1.0, 0.0]]]))


def test_a_float_table_without_channels_keeps_its_values(ax):
    pictures.show_image(ax, np.array([[0.25, 300.0]]))
    np.testing.assert_array_equal(shown(ax), [[0.25, 300.0]])


def test_every_number_stands_in_its_cell(ax):
    values = np.arange(6).reshape(2, 3)
    pictures.show_numbers(ax, values)
    written = {text.get_position(): text.get_text() for text in ax.texts}
    places = {(column, row): str(v) for (row, column), v in np.ndenumerate(values)}
    assert written == places


def test_numbers_are_dark_on_light_cells_and_light_on_dark_ones(ax):
    pictures.show_numbers(ax, [[7, 8]], colors=[[0, 1]])
    assert [text.get_color() for text in ax.texts] == ["white", "black"]


def test_cells_can_have_colors_of_their_own(ax):
    pictures.show_numbers(ax, [[7, 8]], colors=[[1, 0]])
    np.testing.assert_array_equal(shown(ax), [[1, 0]])


def test_the_grid_runs_between_the_pixels_of_neighbouring_patches(ax):
    pictures.draw_patch_grid(ax, image_size=(4, 6), patch_size=2)
    rows, columns = (lines.get_segments() for lines in ax.collections)
    assert [line[0][1] for line in rows] == [1.5]
    assert [line[0][0] for line in columns] == [1.5, 3.5]
    assert rows[0][1][0] == 5.5
    assert columns[0][1][1] == 3.5


@pytest.mark.backend
def test_patches_are_drawn_in_reading_order_with_white_between(ax):
    image = np.random.default_rng(0).integers(0, 200, (1, 4, 4, 3)).astype("float32")
    pictures.show_patches(ax, Patches(patch_size=2)(image)[0], columns=2)
    canvas = shown(ax)
    assert canvas.shape == (5, 5, 3)
    assert (canvas[2] == 255).all() and (canvas[:, 2] == 255).all()
    kept = canvas[[0, 1, 3, 4]][:, [0, 1, 3, 4]]
    np.testing.assert_array_equal(kept, image[0])


def test_a_sequence_is_one_line_unless_told_otherwise(ax):
    pictures.show_patches(ax, np.zeros((3, 12)))
    assert shown(ax).shape == (2, 8, 3)


def test_an_unfinished_last_line_is_filled_with_white(ax):
    pictures.show_patches(ax, np.zeros((3, 12)), columns=2)
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


def test_recorded_runs_stand_below_each_other_with_seeds_mean_and_interval(ax):
    top1 = {"first": [0.3, 0.5], "second": [0.6], "another": [0.1]}
    runs = [
        make_run(name=name, seed=seed, test={"loss": 1.0, "top1": value, "top5": 0.9})
        for name, values in top1.items()
        for seed, value in enumerate(values)
    ]
    failed = make_run(name="third", status="failed", test=None)
    names = {"second": "two", "third": "three", "first": "one"}
    assert plotting.plot_test_accuracies(ax, [*runs, failed], names) is ax
    lines = [line.get_xydata().tolist() for line in ax.get_lines()]
    reach = 10 * 12.706  # standard error times the quantile of Student, 1 degree
    assert lines[:2] == [[[60, 0]], [[60, 0]]]
    np.testing.assert_allclose(lines[2], [[40 - reach, 1], [40 + reach, 1]], rtol=1e-4)
    assert lines[3:] == [[[30, 1], [50, 1]], [[40, 1]]]
    assert [text.get_text() for text in ax.get_yticklabels()] == ["two", "one"]
    assert ax.get_ylim()[0] > ax.get_ylim()[1]
    assert ax.get_xlabel() == "test top-1 accuracy (%)"


def test_without_a_finished_run_the_axes_say_so(ax):
    plotting.plot_test_accuracies(ax, [], {"first": "one"})
    assert "no finished run" in ax.texts[0].get_text()
    assert not ax.get_lines()


def test_a_map_darkens_what_gets_less_attention(ax):
    image = np.full((4, 6, 3), 200, np.uint8)
    attention = [[0.5, 0.25, 0.0], [0.25, 0.0, 0.0]]
    assert pictures.show_map(ax, image, attention) is ax
    picture, shade = ax.get_images()
    np.testing.assert_array_equal(picture.get_array(), image)
    assert picture.get_extent() == shade.get_extent()
    expected = pictures.SHADE * (1 - 2 * np.array(attention))
    np.testing.assert_allclose(shade.get_alpha(), expected)


def test_maps_with_the_same_limit_compare(ax):
    image = np.zeros((4, 4, 3), np.uint8)
    pictures.show_map(ax, image, [[0.1, 0.4]], limit=0.2)
    shade = ax.get_images()[1].get_alpha()
    np.testing.assert_allclose(shade, [[pictures.SHADE / 2, 0]])


def test_the_query_is_framed_by_the_edges_of_its_patch(ax):
    pictures.show_map(ax, np.zeros((4, 6, 3)), np.ones((2, 3)), query=(1, 2))
    x, y = ax.get_lines()[0].get_data()
    assert (min(x), max(x), min(y), max(y)) == (3.5, 5.5, 1.5, 3.5)


def test_similarity_maps_stand_in_the_places_of_their_patches(ax):
    similarity = np.linspace(-0.9, 0.9, 36).reshape(2, 3, 2, 3)
    assert pictures.show_similarity_maps(ax, similarity) is ax
    canvas = np.ma.filled(shown(ax), np.nan)
    assert canvas.shape == (5, 11)
    assert np.isnan(canvas[2]).all() and np.isnan(canvas[:, [3, 7]]).all()
    np.testing.assert_allclose(canvas[3:, 4:7], similarity[1, 1])
    assert ax.get_images()[0].get_clim() == (-1, 1)


def test_each_image_has_axes_and_a_label_of_its_own():
    figure, axes = plt.subplots(2, 2)
    images = np.arange(4, dtype=np.uint8)[:, None, None, None].repeat(3, axis=-1)
    assert pictures.show_images(axes, images, list("abcd")) is axes
    assert [shown(ax)[0, 0, 0] for ax in axes.flat] == [0, 1, 2, 3]
    assert [ax.get_xlabel() for ax in axes.flat] == ["a", "b", "c", "d"]
    plt.close(figure)


def test_images_need_no_labels_but_axes(ax):
    pictures.show_images([ax], [np.zeros((2, 2))])
    assert ax.get_xlabel() == ""
    with pytest.raises(ValueError, match="zip"):
        pictures.show_images([ax], np.zeros((2, 4, 4)))
    with pytest.raises(ValueError, match="zip"):
        pictures.show_images([ax], np.zeros((1, 4, 4)), ["a", "b"])


READINGS = {"step": [10, 20], "loss": [4.7, 4.6], "dead": [[0.1, 0.2], [0.3, 0.9]]}


def test_readings_are_drawn_against_the_steps(ax):
    assert plotting.plot_readings(ax, READINGS, "loss", label="a run") is ax
    (line,) = ax.get_lines()
    np.testing.assert_array_equal(line.get_xydata(), [[10, 4.7], [20, 4.6]])
    assert (line.get_label(), ax.get_xlabel()) == ("a run", "step")
    assert ax.get_ylabel() == "loss (nats)"


def test_of_dead_units_the_last_hidden_layer_is_drawn(ax):
    plotting.plot_readings(ax, READINGS, "dead")
    np.testing.assert_array_equal(ax.get_lines()[0].get_ydata(), [0.2, 0.9])
