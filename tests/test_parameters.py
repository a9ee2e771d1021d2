import keras
import pytest

from vitlib.parameters import PARAMETERS, check_parameters


def notebook(injected="", **values):
    """The globals of a notebook into which papermill put a cell."""
    cells = ["data_set: str = 'shapes'", f"# Parameters\n{injected}\n"]
    return {"In": cells, "data_set": "shapes", "seed": 0, **values}


def test_the_defaults_pass():
    check_parameters(notebook())


def test_what_papermill_may_set_passes():
    check_parameters(notebook('data_set = "cifar100"\nseed = 3', data_set="cifar100"))


def test_an_unknown_parameter_is_named():
    with pytest.raises(ValueError, match="one of .*'seed'.* Received: 'sede'"):
        check_parameters(notebook("sede = 1", sede=1))


def test_names_that_the_notebook_defines_itself_are_no_parameters():
    check_parameters(notebook("seed = 1", batch=32, name="x"))


@pytest.mark.parametrize("value", ["0", 1.0, True, -1, None, 2**31])
def test_a_seed_of_the_wrong_type_or_out_of_range_is_refused(value):
    with pytest.raises(ValueError, match="seed must be a whole number from 0 to 2147"):
        check_parameters(notebook(seed=value))


def test_an_unknown_data_set_is_refused():
    with pytest.raises(ValueError, match="data_set must be one of .*'shapes'.*'mnist'"):
        check_parameters(notebook(data_set="mnist"))


def test_an_unknown_profile_is_refused():
    with pytest.raises(ValueError, match="profile must be one of .*'quick'.*'fast'"):
        check_parameters(notebook(profile="fast"))


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


def test_a_notebook_needs_not_have_every_parameter():
    check_parameters({"In": [""]})


def test_every_parameter_has_values_of_one_type():
    for allowed in PARAMETERS.values():
        assert len({type(value) for value in allowed[:10]}) == 1
