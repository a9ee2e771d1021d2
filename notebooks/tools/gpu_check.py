"""Say in one sentence whether Keras sees a GPU; exit with 1 if it does not."""

import os
import sys

REMEDY = (
    "On a machine with an NVIDIA GPU and its driver, `make setup "
    "REQUIREMENTS=requirements-gpu.txt` installs what is missing; on others, "
    "use the laptop profile."
)


def main():
    """Prints the sentence and returns the exit status."""
    try:
        import keras

        backend = keras.config.backend()
        devices = keras.distribution.list_devices("gpu")
    except Exception as error:  # whatever a backend or a driver says
        named = os.environ.get("KERAS_BACKEND", "the backend of its settings")
        reason = " ".join(f"{type(error).__name__}: {error}".split())
        print(f"Keras on {named} does not start ({reason}). {REMEDY}")
        return 1
    if devices:
        print(
            f"Keras on {backend} sees {len(devices)} GPU: {', '.join(devices)}."
        )
        return 0
    print(f"Keras on {backend} sees no GPU. {REMEDY}")
    return 1


if __name__ == "__main__":
    sys.exit(main())
