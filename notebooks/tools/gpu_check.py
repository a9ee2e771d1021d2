"""Say in one sentence whether Keras sees a GPU; exit with 1 if it does not."""

import sys

import keras


def main():
    """Prints the sentence and returns the exit status."""
    backend = keras.config.backend()
    devices = keras.distribution.list_devices("gpu")
    if devices:
        print(
            f"Keras on {backend} sees {len(devices)} GPU: {', '.join(devices)}."
        )
        return 0
    print(
        f"Keras on {backend} sees no GPU. On a machine with an NVIDIA GPU and "
        "its driver, `make setup REQUIREMENTS=requirements-gpu.txt` installs what is "
        "missing; on others, use the laptop profile."
    )
    return 1


if __name__ == "__main__":
    sys.exit(main())
