"""The parameters of the notebooks, and the check that stops a bad profile."""

import ast
import sys

from vitlib.folders import clones_here, require_own
from vitlib.studies.study import SCALES

# What a notebook's `parameters` cell may set: the name and the values it may take. The
# profiles in notebooks/profiles/ choose among them.
PARAMETERS = {
    "profile": SCALES,  # how large the models are that a chapter trains
    "data_set": ("cifar100", "shapes"),  # where the images come from
    "seed": range(2**31),  # of everything random
}


def check_parameters(namespace):
    """Stops a notebook that was started with a parameter that is unknown or bad.

    Or with settings of Keras, in a reader's `keras.json`, under which it would show
    other numbers, or fail in a cell that has nothing to do with them.

    Args:
        namespace: `globals()` of the notebook.

    Raises:
        ValueError: When papermill set a name that no notebook has, when a parameter
            has the wrong type or a value out of range, when the full profile finds
            no GPU, or as `vitlib.layers.inputs.require_settings` does.
        SystemExit: When the notebook lies in a clone of the course, and this package in
            another one.
    """
    for course in clones_here()[:1]:
        require_own(course)
    for name in _injected_names(namespace):
        if name not in PARAMETERS:
            raise ValueError(
                f"A parameter must be one of {sorted(PARAMETERS)}. Received: {name!r}."
            )
    for name, allowed in PARAMETERS.items():
        value = namespace.get(name, allowed[0])
        if type(value) is not type(allowed[0]) or value not in allowed:
            raise ValueError(
                f"Parameter {name} must be {_rule(allowed)}. Received: {value!r}."
            )
    if namespace.get("profile") == "full":
        _require_gpu()
    if "keras" in sys.modules:  # its start takes seconds: see `_require_gpu`
        from vitlib.layers.inputs import require_settings

        require_settings()


def _require_gpu():
    import keras  # its start takes seconds, which other profiles need not wait for

    if not keras.distribution.list_devices("gpu"):
        raise ValueError(
            "The full profile needs a GPU that Keras sees; choose 'quick' or 'laptop'. "
            f"Received: a machine with {keras.distribution.list_devices()} alone."
        )


def _injected_names(namespace):
    """Returns the names that papermill set: it puts in a cell that starts so."""
    cells = [
        code for code in namespace.get("In", []) if code.startswith("# Parameters\n")
    ]
    nodes = [node for code in cells for node in ast.parse(code).body]
    return [target.id for node in nodes for target in node.targets]


def _rule(allowed):
    if isinstance(allowed, range):
        return f"a whole number from {allowed[0]} to {allowed[-1]}"
    return f"one of {allowed}"
