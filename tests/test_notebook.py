from keyword import iskeyword

import keras
import pytest
from fields import WORDS, index, one_of
from hypothesis import given
from hypothesis import strategies as st

from vitlib.notebook import PARAMETERS, check_parameters
from vitlib.studies.study import SCALES

pytestmark = pytest.mark.backend


def notebook(injected="", **values):
    """The globals of a notebook into which papermill put a cell."""
    cells = ["data_set: str = 'shapes'", f"# Parameters\n{injected}\n"]
    return {"In": cells, "data_set": "shapes", "seed": 0, **values}


def test_the_defaults_pass():
    check_parameters(notebook())


def test_what_papermill_may_set_passes():
    check_parameters(notebook('data_set = "cifar100"\nseed = 3', data_set="cifar100"))


def test_names_that_the_notebook_defines_itself_are_no_parameters():
    check_parameters(notebook("seed = 1", batch=32, name="x"))


# Every parameter. A new one has to be entered here: a test says so.
FIELDS = {
    "profile": one_of(SCALES),
    "data_set": one_of(("cifar100", "shapes")),
    "seed": index(2**31, "a whole number from 0 to 2147483647"),
}
each_field = pytest.mark.parametrize("name", FIELDS)


@pytest.fixture(scope="module", autouse=True)
def gpu():
    """The full profile needs one; a test of its own says so."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(keras.distribution, "list_devices", lambda kind=None: ["gpu:0"])
        yield


def test_the_table_has_every_parameter():
    assert list(FIELDS) == list(PARAMETERS)


@each_field
@given(data=st.data())
def test_a_value_that_keeps_its_rule_passes(name, data):
    check_parameters(notebook(**{name: data.draw(FIELDS[name].valid)}))


@each_field
@given(data=st.data())
def test_any_other_value_is_named_with_its_parameter_and_its_rule(name, data):
    value = data.draw(FIELDS[name].invalid)
    with pytest.raises(ValueError) as caught:
        check_parameters(notebook(**{name: value}))
    message = str(caught.value)
    assert (
        message == f"Parameter {name} must be {FIELDS[name].rule}. Received: {value!r}."
    )


@given(WORDS.filter(lambda word: word not in PARAMETERS and not iskeyword(word)))
def test_any_other_parameter_is_named(word):
    with pytest.raises(ValueError, match=f"one of .*'seed'.* Received: '{word}'"):
        check_parameters(notebook(f"{word} = 1", **{word: 1}))


def test_the_full_profile_says_that_it_needs_a_gpu(monkeypatch):
    devices = {"gpu": [], None: ["cpu:0"]}
    monkeypatch.setattr(
        keras.distribution, "list_devices", lambda kind=None: devices[kind]
    )
    with pytest.raises(ValueError, match="full profile needs a GPU.*'cpu:0'"):
        check_parameters(notebook(profile="full"))
    check_parameters(notebook(profile="laptop"))
    devices["gpu"] = ["gpu:0"]
    check_parameters(notebook(profile="full"))


@pytest.mark.parametrize(
    ("setting", "value"),
    [("image_data_format", "channels_first"), ("floatx", "float16"), ("epsilon", 1e-3)],
)
def test_other_settings_of_keras_stop_a_notebook(setting, value):
    usual = getattr(keras.config, setting)()
    change = getattr(keras.config, f"set_{setting}")
    change(value)
    try:
        with pytest.raises(ValueError, match=f"{setting} of Keras .*: {value!r}"):
            check_parameters(notebook())
    finally:
        change(usual)


def test_a_notebook_needs_not_have_every_parameter():
    check_parameters({"In": [""]})


def test_every_parameter_has_values_of_one_type():
    for allowed in PARAMETERS.values():
        assert len({type(value) for value in allowed[:10]}) == 1
