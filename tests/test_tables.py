import numpy as np
import pytest

from vitlib.records.tables import Table


def test_a_table_reads_as_aligned_text():
    table = Table(("name", "count"), (("ViT", 45923307), ("one", 1)))
    assert repr(table) == "name       count\nViT   45,923,307\none            1"


def test_floats_have_three_significant_digits_and_no_exponent():
    table = Table(("x",), ((3438.7,), (0.03284,), (2.6667,), (16.0,)))
    assert repr(table).split("\n")[1:] == ["3,440 ", "0.0328", "2.67  ", "16    "]


def test_numbers_of_numpy_read_as_numbers():
    table = Table(("x", "y"), ((np.int64(1296), np.float32(0.5)),))
    assert repr(table).split("\n")[1].split() == ["1,296", "0.5"]


def test_truth_values_stay_words():
    assert repr(Table(("x",), ((True,),))).split() == ["x", "True"]


def test_markdown_sets_numbers_to_the_right():
    lines = Table(("name", "n"), (("ViT", 1296),)).to_markdown().split("\n")
    assert lines == ["| name | n |", "| --- | ---: |", "| ViT | 1,296 |"]


def test_html_has_a_head_and_hides_no_characters():
    html = Table(("a < b", "n"), (("x & y", 1),))._repr_html_()
    assert '<th scope="col" style="text-align: left">a &lt; b</th>' in html
    assert '<td style="text-align: left">x &amp; y</td>' in html
    assert '<td style="text-align: right">1</td>' in html


def test_a_row_of_the_wrong_length_is_refused():
    with pytest.raises(ValueError, match=r"needs 2 values. Received: \(1,\)"):
        Table(("a", "b"), ((1,),))
