"""Run one experiment and record it: `python experiments/train.py compact`.

One run becomes one JSON file, OUT/STUDY/NAME-seed<k>.json. Stop it at any time and
start the same command again: it goes on after what was saved last, a few minutes ago.
"""

import argparse
import importlib.util
import os
import shutil
import sys
from contextlib import suppress
from dataclasses import replace
from pathlib import Path

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")  # before Keras loads TensorFlow
if importlib.util.find_spec("tensorflow") is None:  # what Keras takes unless told
    os.environ.setdefault("KERAS_BACKEND", "jax")
# JAX keeps what it has compiled here, so that the next run of a preset starts at once.
# It runs what it finds there: a folder of this checkout, not one that all may write.
os.environ.setdefault(
    "JAX_COMPILATION_CACHE_DIR",
    str(Path(__file__).resolve().parents[1] / "runs/compiled"),
)

from vitlib.config.models import POSITIONS
from vitlib.data.sets import load_data_set
from vitlib.data.splits import limit_evaluation, limit_train
from vitlib.folders import require_own
from vitlib.models.build import build_model
from vitlib.models.transfer import begin_with
from vitlib.models.weights import keep_weights, load_model, weights_path
from vitlib.records.claims import (
    BUSY,
    STOPPED,
    checkpoint_of,
    claim,
    clear,
)
from vitlib.records.runs import (
    PROGRESS,
    REFUSED,
    keep_refused,
    load_run,
    record_path,
    save_run,
    try_save,
)
from vitlib.studies import PRESETS
from vitlib.studies.experiment import OPTIONS, file_name, plan
from vitlib.training.loop import SAVE_MINUTES, train
from vitlib.training.parallel import process, use_devices
from vitlib.training.recording import draft
from vitlib.training.tasks import PERCENT, TASKS

# What a score is called, where it is no accuracy of a classification.
SHORT = {"miou": "mean IoU", "ap50": "AP50", "ap": "AP", "loss": "loss"}
RESULTS = Path(__file__).resolve().parents[1] / "results"


def _minutes(text):
    """A time of at least 0 in minutes, from the command line."""
    if not (number := float(text)) >= 0:
        raise argparse.ArgumentTypeError(f"must be at least 0. Received: {text}.")
    return number


def parse_arguments(arguments):
    """Reads the command line."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("preset", choices=sorted(PRESETS), help="what to run")
    parser.add_argument("--seed", type=int, default=0, help="default: 0")
    _add_changes(parser)
    parser.add_argument(
        "--devices", type=int, default=1, help="that share each batch; default: 1"
    )
    parser.add_argument(
        "--save-minutes",
        type=_minutes,
        default=SAVE_MINUTES,
        help=f"between two saves within an epoch; default: {SAVE_MINUTES}",
    )
    parser.add_argument("--data-dir", help="folder of cifar-100-binary.tar.gz")
    parser.add_argument("--out", default=RESULTS, type=Path, help="default: results")
    parser.add_argument("--force", action="store_true", help="repeat a recorded run")
    parser.add_argument("--keep-weights", action="store_true", help="beside the record")
    return parser.parse_args(arguments)


def _add_changes(parser):
    """The options that make another run of the preset: `OPTIONS`."""
    parser.add_argument("--initial", help="run whose encoder it begins with")
    parser.add_argument("--position", choices=POSITIONS, help="of a ViT's patches")
    parser.add_argument(
        "--mask-ratio", type=float, help="share of the patches that is hidden"
    )
    parser.add_argument("--epochs", type=int, help="in place of the preset's")
    parser.add_argument(
        "--learning-rate", type=float, help="the highest of the schedule"
    )
    parser.add_argument(
        "--steps-per-epoch", type=int, help="in place of a pass over all images"
    )
    parser.add_argument(
        "--train-images", type=int, help="train on so many, in as many steps"
    )
    parser.add_argument(
        "--evaluation-images", type=int, help="validate and test on so many"
    )


def asked(options):
    """The `Experiment` that the command line asks for.

    Raises:
        ValueError: When a value breaks a rule.
    """
    changes = {name: getattr(options, name) for name in OPTIONS}
    return plan(options.preset, options.seed, **changes)


def load_images(experiment, data_dir):
    """The data set of an experiment, with as many images as it wants."""
    data = load_data_set(experiment.data, data_dir)
    if (images := experiment.overrides.get("train_images")) is not None:
        data = limit_train(data, images)
    if (images := experiment.evaluation_images) is not None:
        data = limit_evaluation(data, images)
    return data


def describe_result(run):
    """How a run ended, in a few words."""
    if run.status == "failed":
        return f"failed: {run.error}"
    if "top1" not in run.test:
        rest = [
            f"{SHORT[name]} {run.test[name]:.4f}" for name in SHORT if name in run.test
        ]
        return f"test {', '.join(rest)}, {run.seconds / 60:.1f} minutes"
    return (
        f"test top-1 {PERCENT * run.test['top1']:.2f} %, "
        f"top-5 {PERCENT * run.test['top5']:.2f} %, loss {run.test['loss']:.4f}, "
        f"{run.seconds / 60:.1f} minutes"
    )


def execute(experiment, options, path):
    """Trains and records; goes on where a killed process stopped. Returns the `Run`."""
    use_devices(options.devices)
    number = process()[0]  # each has its own checkpoint; the first writes the record
    checkpoint = checkpoint_of(path, number)
    with claim(checkpoint):
        if path.exists() and not options.force:  # by whoever held it before
            return load_run(path)
        if options.force and not (checkpoint / REFUSED).exists():
            # To start anew; the claim itself must stay.
            (checkpoint / PROGRESS).unlink(missing_ok=True)
        model, run = train_experiment(experiment, options, checkpoint)
        if number == 0:
            is_kept = options.keep_weights or experiment.keeps_weights
            is_kept = is_kept and run.status == "finished"
            save(options.out, run, checkpoint, model if is_kept else None)
        shutil.rmtree(checkpoint, ignore_errors=True)
    return run


def save(out, run, checkpoint, model=None):
    """Records a run, with the weights of a model, or keeps it where the sentence says.

    Raises:
        ValueError: When the run could not be recorded.
    """
    path = record_path(out, run.study, run.name, run.seed)
    try:
        if model is not None:  # first, for the record has their digest
            try_save(out, run)
            run = replace(run, weights=keep_weights(model, path))
        save_run(out, run)
        if model is None:  # those of a record that was replaced
            weights_path(path).unlink(missing_ok=True)
    except (ValueError, OSError) as error:
        kept = checkpoint
        with suppress(OSError):
            kept = keep_refused(checkpoint, run, error)
        with suppress(OSError):  # so that --force goes on here, and nobody clears it
            (checkpoint / REFUSED).touch()
        raise ValueError(
            f"{error} Nothing is lost: the run is kept in {kept}, and the same command "
            "tries to record it again."
        ) from error


def train_experiment(experiment, options, checkpoint):
    """Trains what the command line asks for. Returns the model and the `Run`."""
    data = load_images(experiment, options.data_dir)
    model = build_model(experiment.model, experiment.training)
    about = experiment.about() | {"command": command_of(experiment, options.devices)}
    if experiment.initial:
        about["initial"] = start_from(experiment, options.out, model)
    task = TASKS[experiment.model.task].of(experiment.model)
    if process()[0] == 0:  # who records the run tries that before the first step
        first = draft(model, data, experiment.training, task, about)
        try_save(options.out, first)
    return model, train(
        model,
        data,
        experiment.training,
        checkpoint,
        watch=experiment.watch,
        save_minutes=options.save_minutes,
        task=task,
        about=about,
    )


def start_from(experiment, out, model):
    """Gives a model the encoder of another recorded run, of the same seed.

    Returns:
        What the record says of it: see `Run`.

    Raises:
        FileNotFoundError: When there is no such record, or no file of its weights.
        ValueError: When its encoder does not fit.
    """
    file = f"{file_name(experiment.initial, experiment.seed)}.json"
    record = next(out.glob(f"*/{file}"), None)
    if record is None:
        raise FileNotFoundError(
            f"--initial must be a run that is recorded in {out} with its weights, by "
            f"train.py --keep-weights. Received: {experiment.initial}, without {file}."
        )
    run = load_run(record)
    begin_with(model, experiment.model, load_model(record), run.model_config)
    return {"record": f"{run.study}/{file}", "digest": run.weights}


def command_of(experiment, devices):
    """The command that repeats a run, without the folders of this machine."""
    changes = {"seed": experiment.seed, **experiment.overrides}
    if devices > 1:
        changes["devices"] = devices
    words = [f"--{key.replace('_', '-')}={value}" for key, value in changes.items()]
    return " ".join(["python experiments/train.py", experiment.preset, *words])


def main(arguments):
    """Runs the experiment.

    Returns:
        0; 1 when the training failed; 2 for bad input; 3 (`BUSY`) when another process
        is training the same run; 130 (`STOPPED`) after Ctrl-C.
    """
    options = parse_arguments(arguments)
    try:
        experiment = asked(options)
        folder, name = experiment.study.name, experiment.name
        path = record_path(options.out, folder, name, options.seed)
        recorded = path.exists() and not options.force
        run = load_run(path) if recorded else execute(experiment, options, path)
    except (ValueError, OSError) as error:
        print(f"train.py: {error}", file=sys.stderr)
        return BUSY if isinstance(error, BlockingIOError) else 2
    except KeyboardInterrupt:
        goes_on = "the same command goes on from what was saved last"
        print(f"train.py: Stopped; {goes_on}.", file=sys.stderr)
        return STOPPED
    if recorded:
        clear(path)
        without = options.keep_weights and run.weights is None
        words = ", without its weights" if without else ""
        print(f"This run is recorded already{words}; --force repeats it.")
    print(f"{path}: {describe_result(run)}")
    return 0 if run.status == "finished" else 1


if __name__ == "__main__":
    require_own(Path(__file__).resolve().parents[1])
    sys.exit(main(sys.argv[1:]))
