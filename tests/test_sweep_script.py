"""`experiments/sweep.py`: a grid of runs, on this machine or in a queue."""

import importlib.util
import json
import os
import re
import shlex
import signal
import subprocess
import sys
import time
from dataclasses import replace
from functools import partial
from pathlib import Path
from types import SimpleNamespace

import pytest
import submitit
from sample_run import as_first_version, make_run

from vitlib.records.runs import load_runs, save_run
from vitlib.studies import STUDIES
from vitlib.studies.study import grid

ROOT = Path(__file__).parents[1]
FAKE = Path(__file__).with_name("fake_train.py")


@pytest.fixture
def sweep(monkeypatch, tmp_path):
    """The script as a module of its own, with a play in place of the training."""
    monkeypatch.syspath_prepend(ROOT / "experiments")
    script = ROOT / "experiments" / "sweep.py"
    spec = importlib.util.spec_from_file_location("sweep_script", script)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    monkeypatch.setattr(module, "TRAIN", FAKE)
    monkeypatch.setattr(module, "LOGS", tmp_path / "logs")
    monkeypatch.setattr(module, "PAUSE", 0.05)
    cluster = importlib.import_module("cluster")
    monkeypatch.setattr(cluster, "visible_gpus", lambda: ["0", "1"])
    return module


@pytest.fixture
def write_grid(monkeypatch, tmp_path):
    """Makes a study ask for one preset; writes the record that the play copies."""

    def write(seeds, scale="full", preset="report-vit", study="report"):
        set_runs(monkeypatch, study, {scale: grid(preset, seed=seeds)})
        # Of the first version, whose records have no digest: the play changes names.
        sample = as_first_version(make_run(study=study, scale=scale))
        (tmp_path / "sample.json").write_text(json.dumps(sample))

    return write


def set_runs(monkeypatch, study, runs):
    monkeypatch.setitem(STUDIES, study, replace(STUDIES[study], runs=runs))


def run(sweep, tmp_path, *options, scale="full"):
    out = tmp_path / "results"
    return sweep.main(["report", f"--scale={scale}", f"--out={out}", *options])


def recorded(tmp_path):
    folder = tmp_path / "results"
    runs = load_runs(folder) if folder.exists() else []
    return [(run.name, run.seed) for run in runs]


@pytest.mark.parametrize("study", sorted(STUDIES))
def test_every_run_of_a_study_is_planned_once_and_can_be_rehearsed(
    sweep, tmp_path, study
):
    scales = list(STUDIES[study].runs)
    planned = [task for scale in scales for task in sweep.plan_tasks(study, scale)]
    assert len({task.path for task in planned}) == len(planned)
    for scale in scales:  # a recipe that warms up for longer would be refused
        rehearsed = sweep.plan_tasks(study, scale, changes=sweep.REHEARSAL)
        assert {task.epochs for task in rehearsed} == {5}
        assert not {task.path for task in rehearsed} & {task.path for task in planned}


def test_an_option_is_typed_as_train_has_it(sweep, monkeypatch):
    runs = grid("pooled-vit", position=["none", "2d"], train_images=5000, seed=[0, 3])
    set_runs(monkeypatch, "positions", {"full": runs})
    tasks = sweep.plan_tasks("positions", "full")
    assert [task.name for task in tasks] == [
        "pooled-vit-position-none-train-images-5000-seed0",
        "pooled-vit-position-none-train-images-5000-seed3",
        "pooled-vit-position-2d-train-images-5000-seed0",
        "pooled-vit-position-2d-train-images-5000-seed3",
    ]
    options = "--seed=3", "--position=none", "--train-images=5000"
    assert tasks[1].arguments == ("pooled-vit", *options)


# submitit's executor "debug" leaves the files of its log open.
@pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")
@pytest.mark.parametrize("cluster", ["local", "debug"])
def test_a_sweep_records_every_run_once(sweep, write_grid, tmp_path, capfd, cluster):
    write_grid([0, 5])
    save_run(tmp_path / "results", make_run(seed=5, utc="2020-01-01T00:00:00Z"))
    assert run(sweep, tmp_path, f"--cluster={cluster}") == 0
    assert recorded(tmp_path) == [("report-vit", 0), ("report-vit", 5)]
    assert load_runs(tmp_path / "results")[1].utc == "2020-01-01T00:00:00Z"
    lines = capfd.readouterr().out.splitlines()
    assert "1 done, 1 running, 0 left; time left: about 1 min" in lines[0]
    assert "2 done, 0 running, 0 left; time left: about 0 min" in lines[-1]


def test_a_run_that_fails_is_told_and_does_not_stop_the_others(
    sweep, write_grid, tmp_path, capfd, monkeypatch
):
    monkeypatch.delenv("PYTHONUNBUFFERED", raising=False)
    write_grid([1, 2, 0])
    assert run(sweep, tmp_path) == 1
    assert recorded(tmp_path) == [("report-vit", 0)]
    said = capfd.readouterr()
    assert "1 done, 0 running, 0 left, 2 failed" in said.out.splitlines()[-1]
    assert "report-vit-seed1 failed: exit status 1\n" in said.err
    assert "RuntimeError: the disk is full of holes\n" in said.err
    assert "report-vit-seed2 failed: exit status -9\n" in said.err
    assert "epoch 7/30\n" in said.err  # what a killed process said last


def test_a_dry_run_tells_why_a_run_of_an_earlier_sweep_failed(
    sweep, write_grid, tmp_path, capfd
):
    write_grid([1])
    assert run(sweep, tmp_path) == 1
    capfd.readouterr()
    assert run(sweep, tmp_path, "--dry-run") == 1
    said = capfd.readouterr()
    assert said.out.startswith("failed  python experiments/train.py report-vit")
    assert "RuntimeError: the disk is full of holes\n" in said.err


def test_a_run_that_broke_off_is_tried_again_by_the_next_sweep(
    sweep, write_grid, tmp_path
):
    write_grid([1])
    assert run(sweep, tmp_path) == 1
    write_grid([0])
    (tmp_path / "results/report/report-vit-seed1.checkpoint").rename(
        tmp_path / "results/report/report-vit-seed0.checkpoint"
    )
    assert run(sweep, tmp_path) == 0
    assert recorded(tmp_path) == [("report-vit", 0)]


def test_a_run_that_diverged_has_failed_and_is_not_repeated(
    sweep, write_grid, tmp_path, capfd
):
    write_grid([1])
    diverged = make_run(seed=1, status="failed", error="The loss was NaN.", test=None)
    save_run(tmp_path / "results", diverged)
    assert run(sweep, tmp_path) == 1
    said = capfd.readouterr()
    assert "0 done, 0 running, 0 left, 1 failed" in said.out
    assert said.err == "\nreport-vit-seed1 failed: The loss was NaN.\n"


def test_a_killed_sweep_leaves_its_run_alone_and_the_next_one_goes_on(
    sweep, write_grid, tmp_path
):
    """The run outlives the sweep; the fake says so by a record that comes later."""
    write_grid([3, 0])
    process = start_sweep(tmp_path)
    assert "1 running" in process.stdout.readline()
    process.send_signal(signal.SIGKILL)
    assert process.wait() == -signal.SIGKILL
    process.stdout.close()
    assert recorded(tmp_path) == []
    for _ in range(300):
        if recorded(tmp_path):
            break
        time.sleep(0.1)
    assert recorded(tmp_path) == [("report-vit", 3)]
    assert run(sweep, tmp_path) == 0
    assert recorded(tmp_path) == [("report-vit", 0), ("report-vit", 3)]


def test_ctrl_c_stops_a_sweep_and_its_run_with_a_sentence(write_grid, tmp_path):
    write_grid([3, 0])
    process = start_sweep(tmp_path)
    assert "1 running" in process.stdout.readline()
    for _ in range(300):
        if (tmp_path / "results/sleeping").exists():
            break
        time.sleep(0.1)
    os.killpg(process.pid, signal.SIGINT)
    said, _ = process.communicate()  # until all that write there have ended
    assert process.returncode == 130
    assert said == "sweep.py: Stopped; the same command goes on.\n"
    (log,) = tmp_path.rglob("*_log.out")
    assert "KeyboardInterrupt" in log.read_text()  # of the fake, within its sleep
    assert recorded(tmp_path) == []


def start_sweep(tmp_path):
    """A sweep of two runs in a process, and a group, of its own."""
    code = (
        "import sys; sys.path[:0] = sys.argv[1:3]; import sweep; from pathlib import "
        "Path; sweep.TRAIN, sweep.LOGS = map(Path, sys.argv[3:5]); "
        "runs = [{'preset': 'report-vit', 'seed': seed} for seed in (3, 0)]; "
        "sweep.STUDIES['report'].runs['full'] = runs; "
        "sys.exit(sweep.main(sys.argv[5:]))"
    )
    places = [ROOT / "experiments", ROOT, FAKE, tmp_path / "logs"]
    asked = ["report", "--scale=full", f"--out={tmp_path / 'results'}"]
    return subprocess.Popen(
        [sys.executable, "-c", code, *map(str, places), *asked],
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        env=os.environ | {"CUDA_VISIBLE_DEVICES": "0"},
        start_new_session=True,
        # A shell has what it starts in the background ignore Ctrl-C, tests too.
        preexec_fn=partial(signal.signal, signal.SIGINT, signal.SIG_DFL),
    )


def test_a_run_that_another_process_trains_is_waited_for(
    sweep, write_grid, tmp_path, monkeypatch
):
    monkeypatch.setattr(sweep, "RETRY", 0.2)
    write_grid([4])
    said = []

    def sleep(seconds):
        said.append(seconds)
        if len(said) == 400:
            pytest.fail("it never ended")
        wait(seconds)
        if any((tmp_path / "logs").rglob("*_result.pkl")):  # it has seen the other one
            save_run(tmp_path / "results", make_run(seed=4))

    wait = time.sleep
    monkeypatch.setattr(sweep.time, "sleep", sleep)
    assert run(sweep, tmp_path) == 0


def test_each_run_of_one_machine_gets_a_gpu_of_its_own(sweep, write_grid, tmp_path):
    write_grid([0, 3, 5])
    assert run(sweep, tmp_path, "--jobs=2") == 0
    gpus = {
        seed: (tmp_path / f"results/gpu-of-report-vit-seed{seed}").read_text()
        for seed in (0, 3, 5)
    }
    assert {gpus[0], gpus[3]} == {"0", "1"}
    assert gpus[5] == gpus[0]  # whose GPU was free while the slow one still ran


def test_a_laptop_run_sees_no_gpu(sweep, write_grid, tmp_path):
    write_grid(0, "laptop", "first-steps", "diagnosis")
    out = tmp_path / "results"
    assert sweep.main(["diagnosis", "--scale=laptop", f"--out={out}"]) == 0
    assert (out / "gpu-of-first-steps-seed0").read_text() == ""


def test_a_dry_run_shows_every_command_and_starts_none(
    sweep, write_grid, tmp_path, capsys
):
    write_grid([0, 1])
    save_run(tmp_path / "results", make_run())
    options = ["--dry-run", "--cluster=slurm", "--partition=gpu", "--hours=2"]
    assert run(sweep, tmp_path, *options) == 0
    first, second, counts, asked = capsys.readouterr().out.splitlines()
    assert first.startswith("done    python experiments/train.py report-vit --seed=0")
    assert second.startswith("left    python experiments/train.py report-vit --seed=1")
    assert counts == "1 done, 0 running, 1 left; time left: about 1 min"
    assert asked == "each job: slurm, 2 hours at most, 4 CPUs, 1 GPU, partition gpu"
    assert not (tmp_path / "logs").exists()


def test_a_rehearsal_makes_a_few_steps_of_each_run_elsewhere(
    sweep, write_grid, tmp_path, capsys
):
    write_grid([0, 1])
    asked = ["report", "--scale=full", "--rehearse", "--dry-run"]
    assert sweep.main(asked) == 0
    lines = capsys.readouterr().out.splitlines()
    steps = "--epochs=5 --steps-per-epoch=4 --evaluation-images=100"
    command = f"experiments/train.py report-vit --seed=0 {steps}"
    assert lines[0] == f"left    python {command} --out={sweep.REHEARSALS}"
    assert lines[1].startswith("0 done, 0 running, 1 left")  # one seed is enough
    assert sweep.main([*asked, f"--out={tmp_path}"]) == 0
    assert str(sweep.REHEARSALS) not in capsys.readouterr().out


def test_a_rehearsal_starts_anew_and_tells_how_long_all_would_take(
    sweep, write_grid, tmp_path, capfd
):
    write_grid([0, 1])
    (task,) = sweep.plan_tasks(
        "report", "full", tmp_path / "results", None, sweep.REHEARSAL
    )
    old = make_run(name=task.name.removesuffix("-seed0"), utc="2020-01-01T00:00:00Z")
    save_run(tmp_path / "results", old)
    begin(sweep, task, 60)  # by a rehearsal that was killed
    assert run(sweep, tmp_path, "--rehearse") == 0
    assert not sweep.checkpoint_of(task.path).exists()
    (made,) = load_runs(tmp_path / "results")
    assert made.utc != old.utc
    minutes = 30 * 40_000 / made.images_per_second / 60
    told = f"{made.images_per_second:,.0f} images/s, so about {minutes:,.0f} min in all"
    assert told in capfd.readouterr().out.splitlines()[-1]


@pytest.mark.parametrize(
    ("changes", "images"),
    [
        ({}, 30 * 1250 * 32),
        ({"epochs": 3}, 3 * 1250 * 32),
        ({"steps_per_epoch": 25}, 30 * 25 * 32),
        ({"epochs": [2, 7, 3], "steps_per_epoch": 25}, 7 * 25 * 32),  # the longest
        ({"train_images": 5000, "epochs": 3}, 3 * 1250 * 32),
    ],
)
def test_a_rehearsal_foretells_what_the_grid_asks_for(
    sweep, tmp_path, monkeypatch, capsys, changes, images
):
    set_runs(
        monkeypatch, "report", {"full": grid("report-vit", seed=[0, 1], **changes)}
    )
    tasks = sweep.plan_tasks("report", "full", tmp_path, changes=sweep.REHEARSAL)
    name = tasks[0].name.removesuffix("-seed0")
    rate = images / 600  # images a second, for ten minutes
    save_run(tmp_path, make_run(name=name, images_per_second=rate))
    sweep.show_forecast(sweep.Sweep(tasks, None, 1))
    (line,) = capsys.readouterr().out.splitlines()
    assert line.endswith("images/s, so about 10 min in all, validation not counted")


@pytest.mark.parametrize(
    "option", ["--jobs=0", "--jobs=-1", "--cpus=0", "--hours=0", "--hours=nan"]
)
def test_a_number_below_one_is_refused(sweep, write_grid, tmp_path, capsys, option):
    write_grid([0])
    with pytest.raises(SystemExit):
        run(sweep, tmp_path, option)
    least = "1/60" if "hours" in option else "1"
    assert f"must be at least {least}. Received: " in capsys.readouterr().err


def test_half_an_hour_may_be_asked_for(sweep, write_grid, tmp_path, capsys):
    write_grid([0])
    assert run(sweep, tmp_path, "--dry-run", "--hours=0.5") == 0
    assert "each job: local, 0.5 hours at most" in capsys.readouterr().out


def test_more_jobs_than_gpus_are_refused(sweep, write_grid, tmp_path, capsys):
    write_grid([0])
    assert run(sweep, tmp_path, "--jobs=3") == 2
    assert capsys.readouterr().err == (
        "sweep.py: --scale full must have an NVIDIA GPU for each job at a time "
        "(--jobs 3). Received: a machine that shows 2.\n"
    )


@pytest.mark.parametrize(
    ("named", "gpus"),
    [
        ("", []),
        ("-1", []),
        ("NoDevFiles", []),
        ("none", []),
        ("3", ["3"]),
        ("2,GPU-1f", ["2", "GPU-1f"]),
        ("MIG-1f-2,MIG-GPU-1f/1/0", ["MIG-1f-2", "MIG-GPU-1f/1/0"]),
        ("0, 1", ["0", "1"]),
        ("0,-1,1", ["0"]),
        ("0,,1", ["0"]),
        ("1,x,0", ["1"]),
    ],
)
def test_the_reader_may_name_the_gpus(monkeypatch, named, gpus):
    monkeypatch.syspath_prepend(ROOT / "experiments")
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", named)
    assert importlib.import_module("cluster").visible_gpus() == gpus


def test_the_driver_lists_the_gpus(monkeypatch, tmp_path):
    monkeypatch.syspath_prepend(ROOT / "experiments")
    cluster = importlib.import_module("cluster")
    monkeypatch.delenv("CUDA_VISIBLE_DEVICES", raising=False)
    monkeypatch.setenv("PATH", str(tmp_path))
    assert cluster.visible_gpus() == []
    listed = "GPU 0: NVIDIA A (UUID: GPU-1)\n  MIG 1g\nGPU 1: NVIDIA A (UUID: GPU-2)"
    (tmp_path / "nvidia-smi").write_text(f"#!/bin/sh\necho '{listed}'\n")
    (tmp_path / "nvidia-smi").chmod(0o755)
    assert cluster.visible_gpus() == ["0", "1"]


def test_time_left_counts_the_epochs_that_a_run_has_done(sweep, write_grid, tmp_path):
    write_grid([0])
    (task,) = sweep.plan_tasks("report", "full", tmp_path / "results")
    plan = sweep.Sweep([task], None, 1)
    assert plan.time_left() == "unknown"
    folder = sweep.checkpoint_of(task.path)
    folder.mkdir(parents=True)
    (folder / "progress.json").write_text('{"history": {"seconds": [60, 61, 90]}}')
    assert plan.time_left() == f"about {61 * 27 / 60:.0f} min"


def begin(sweep, task, *seconds):
    """A run that was stopped after some epochs."""
    folder = sweep.checkpoint_of(task.path)
    folder.mkdir(parents=True)
    history = {"history": {"seconds": seconds}}
    (folder / "progress.json").write_text(json.dumps(history))


def test_time_left_learns_from_the_epochs_of_another_seed(sweep, write_grid, tmp_path):
    write_grid([0, 1])
    first, second = sweep.plan_tasks("report", "full", tmp_path / "results")
    begin(sweep, first, *[60] * 29)
    one, two = (sweep.Sweep([first, second], None, jobs) for jobs in (1, 2))
    assert (one.time_left(), two.time_left()) == ("about 31 min", "about 30 min")


def test_time_left_says_when_it_knows_a_part_alone(sweep, tmp_path, monkeypatch):
    set_runs(
        monkeypatch, "report", {"full": grid("report-vit", "report-resnet", seed=0)}
    )
    tasks = sweep.plan_tasks("report", "full", tmp_path / "results")
    begin(sweep, tasks[0], 60)
    assert sweep.Sweep(tasks, None, 1).time_left() == "at least 29 min"


@pytest.mark.parametrize("content", ["", "[]", '{"history": {}}', '{"history": 3}'])
def test_a_damaged_checkpoint_does_not_stop_a_sweep(
    sweep, write_grid, tmp_path, content
):
    write_grid([0])
    (task,) = sweep.plan_tasks("report", "full", tmp_path / "results")
    begin(sweep, task)
    (sweep.checkpoint_of(task.path) / "progress.json").write_text(content)
    assert sweep.Sweep([task], None, 1).time_left() == "unknown"


def test_a_record_that_is_damaged_meanwhile_has_failed(sweep, write_grid, tmp_path):
    write_grid([0])
    (task,) = sweep.plan_tasks("report", "full", tmp_path / "results")
    path = save_run(tmp_path / "results", make_run())
    plan = sweep.Sweep([task], None, 1)
    assert plan.state(task) == "done"
    path.write_text("no run")
    assert plan.state(task) == "failed"
    assert str(path) in plan.failures()[task]


def test_a_run_of_another_process_takes_a_place(sweep, write_grid, tmp_path):
    write_grid([4, 0])
    tasks = sweep.plan_tasks("report", "full", tmp_path / "results")
    plan = sweep.Sweep(tasks, None, 1)
    plan.elsewhere = {tasks[0]: time.monotonic()}
    plan.step()  # whoever starts a job without an executor breaks
    assert plan.jobs == {}


@pytest.mark.parametrize(
    ("runs", "scale", "rule"),
    [
        ({"full": []}, "laptop", r"must be one of \['full'\]. Received: 'laptop'"),
        ({"full": grid("report-cnn")}, "full", "preset must be one of .*'report-cnn'"),
        ({"full": grid("report-vit", depth=3)}, "full", "option must be one .*'depth'"),
        ({"full": grid("report-resnet", position="2d")}, "full", "must go with a ViT"),
    ],
)
def test_runs_that_break_a_rule_are_refused_in_one_sentence(
    sweep, tmp_path, monkeypatch, capsys, runs, scale, rule
):
    set_runs(monkeypatch, "report", runs)
    assert run(sweep, tmp_path, scale=scale) == 2
    (line,) = capsys.readouterr().err.splitlines()
    assert line.startswith("sweep.py: ")
    assert re.search(rule, line)


def test_slurm_is_refused_where_there_is_none(
    sweep, write_grid, tmp_path, capsys, monkeypatch
):
    monkeypatch.setenv("PATH", "")
    write_grid([0])
    assert run(sweep, tmp_path, "--cluster=slurm") == 2
    assert capsys.readouterr().err == (
        "sweep.py: --cluster slurm needs SLURM's commands on this machine. "
        "Received: one without srun.\n"
    )


FAKE_SLURM = {
    # Takes as many jobs as `places` says, and starts them once `go` is there.
    "sbatch": """
        if [ $(find . -name '*.job' | wc -l) -ge $(cat places) ]; then
          echo "sbatch: error: QOSMaxSubmitJobPerUserLimit" >&2; exit 1
        fi
        id=$((101 + $(find . -name '*.sh' | wc -l)))
        cp "$1" $id.sh
        touch $id.job
        echo "Submitted batch job $id"
        (
          until [ -e go ]; do sleep 0.05; done
          export SLURM_JOB_ID=$id SLURM_NTASKS=1 SLURM_LOCALID=0 SLURM_PROCID=0
          export SLURM_NODEID=0 SLURM_JOB_NUM_NODES=1 SLURM_JOB_NODELIST=here
          bash $id.sh
          rm $id.job
        ) < /dev/null > /dev/null 2>&1 &""",
    "srun": """
        log=$(echo "$3" | sed "s/%j/$SLURM_JOB_ID/g; s/%t/0/")
        shift 3
        exec "$@" > "$log" 2>&1""",
    "sacct": "cat accounts",
}


@pytest.fixture
def slurm(tmp_path, monkeypatch):
    """Plays SLURM in a folder: one file for each job."""
    folder = tmp_path / "slurm"
    folder.mkdir()
    for name, lines in FAKE_SLURM.items():
        script = f"#!/bin/bash\ncd {shlex.quote(str(folder))}\n{lines}\n"
        (folder / name).write_text(script)
        (folder / name).chmod(0o755)
    (folder / "places").write_text("9")
    (folder / "accounts").write_text("JobID|State|NodeList\n")  # minutes too late
    (folder / "go").touch()
    monkeypatch.setenv("PATH", f"{folder}:{os.environ['PATH']}")
    return folder


def test_slurm_gets_what_the_command_line_asks_for(sweep, write_grid, tmp_path, slurm):
    write_grid([0])
    options = ["--partition=gpu", "--account=vision", "--qos=long", "--hours=2"]
    options += ["--constraint=a100&nvlink", "--memory=24.5", "--cpus=6"]
    options += ["--setup=module load cuda", "--setup=export A='b c'"]
    assert run(sweep, tmp_path, "--cluster=slurm", *options) == 0
    assert recorded(tmp_path) == [("report-vit", 0)]
    lines = (slurm / "101.sh").read_text().splitlines()
    asked = "account=vision constraint='a100&nvlink' cpus-per-task=6 gpus-per-node=1"
    asked += " mem=25088MB partition=gpu qos=long time=120 job-name=vitlib-report"
    assert {f"#SBATCH --{word}" for word in asked.split()} <= set(lines)
    setup = lines.index("module load cuda")
    assert lines[setup + 1] == "export A='b c'"
    assert any(line.startswith("srun ") for line in lines[setup + 2 :])


def test_slurm_asks_for_nothing_that_was_not_named(sweep, write_grid, tmp_path, slurm):
    write_grid([0], scale="laptop")
    assert run(sweep, tmp_path, "--cluster=slurm", scale="laptop") == 0
    words = re.findall(r"#SBATCH --([a-z-]+)", (slurm / "101.sh").read_text())
    unasked = {"account", "constraint", "gpus-per-node", "mem", "partition", "qos"}
    assert not unasked & set(words)


def start_after_a_look(sweep, slurm, monkeypatch):
    (slurm / "go").unlink()

    def sleep(seconds):
        (slurm / "go").touch()
        time.sleep(seconds)

    of_the_sweep = SimpleNamespace(**vars(time) | {"sleep": sleep})  # not of submitit
    monkeypatch.setattr(sweep, "time", of_the_sweep)


def test_a_job_in_the_queue_is_pending_until_it_starts(
    sweep, write_grid, tmp_path, slurm, monkeypatch, capfd
):
    start_after_a_look(sweep, slurm, monkeypatch)
    write_grid([3])  # takes two seconds
    assert run(sweep, tmp_path, "--cluster=slurm") == 0
    first, *between, last = capfd.readouterr().out.splitlines()
    assert "0 done, 0 running, 1 pending, 0 left;" in first
    assert any("0 done, 1 running, 0 left;" in line for line in between)
    assert "1 done, 0 running, 0 left;" in last


def test_a_refused_job_waits_until_there_is_a_place(
    sweep, write_grid, tmp_path, slurm, monkeypatch, capfd
):
    start_after_a_look(sweep, slurm, monkeypatch)
    monkeypatch.setattr(sweep, "RETRY", 0.2)
    (slurm / "places").write_text("1")
    write_grid([0, 3, 5])
    assert run(sweep, tmp_path, "--cluster=slurm") == 0
    assert len(recorded(tmp_path)) == 3
    said = capfd.readouterr()
    first = said.out.splitlines()[0]
    assert "0 done, 0 running, 1 pending, 1 refused, 1 left;" in first
    assert "SLURM said: sbatch: error: QOSMaxSubmitJobPerUserLimit" in first
    assert said.err == ""


def test_where_slurm_takes_no_job_at_all_one_sentence_says_so(
    sweep, write_grid, tmp_path, slurm, capfd
):
    (slurm / "places").write_text("0")
    write_grid([0, 3])
    assert run(sweep, tmp_path, "--cluster=slurm") == 2
    assert capfd.readouterr().err == (
        "sweep.py: SLURM must take a job. "
        "Received: sbatch: error: QOSMaxSubmitJobPerUserLimit\n"
    )


@pytest.mark.parametrize(
    ("name", "lines", "word"),
    [("sbatch", "echo no number", "no number"), ("sbatch", None, "sbatch")],
)
def test_a_broken_slurm_is_one_sentence(
    sweep, write_grid, tmp_path, slurm, capfd, name, lines, word
):
    (slurm / name).unlink()
    if lines:
        (slurm / name).write_text(f"#!/bin/sh\n{lines}\n")
        (slurm / name).chmod(0o755)
    write_grid([0])
    assert run(sweep, tmp_path, "--cluster=slurm") == 2
    (line,) = capfd.readouterr().err.splitlines()
    assert word in line


def test_a_cancelled_job_has_failed_with_what_slurm_says(
    sweep, write_grid, tmp_path, slurm, monkeypatch, capfd
):
    (slurm / "go").unlink()
    accounts = "JobID|State|NodeList\n101|CANCELLED by 0|None assigned\n"
    (slurm / "accounts").write_text(accounts)
    monkeypatch.setattr(submitit.SlurmJob, "_results_timeout_s", 0)
    write_grid([0])
    assert run(sweep, tmp_path, "--cluster=slurm") == 1
    assert "(state: CANCELLED by 0)" in capfd.readouterr().err
    (slurm / "101.sh").write_text("")
    (slurm / "go").touch()


@pytest.mark.parametrize(
    "option", ["--account=a", "--partition=p", "--memory=1", "--setup=true"]
)
def test_what_slurm_alone_understands_goes_with_it(
    sweep, write_grid, tmp_path, capsys, option
):
    write_grid([0])
    assert run(sweep, tmp_path, option, "--dry-run") == 2
    name = option.split("=")[0]
    assert capsys.readouterr().err == (
        f"sweep.py: {name} must go with --cluster slurm. Received: --cluster local.\n"
    )


def test_logs_that_cannot_be_written_are_one_sentence(
    sweep, write_grid, tmp_path, capfd
):
    write_grid([0])
    (tmp_path / "file").write_text("no folder")
    assert run(sweep, tmp_path, f"--logs={tmp_path / 'file'}") == 2
    assert capfd.readouterr().err == (
        "sweep.py: --logs must be a folder that can be written to, which every machine "
        f"of a cluster sees. Received: {tmp_path / 'file/report'} (Not a directory).\n"
    )
    assert run(sweep, tmp_path, f"--logs={tmp_path / 'elsewhere'}") == 0
    assert list((tmp_path / "elsewhere/report").rglob("*_log.out"))
    assert not (tmp_path / "logs").exists()


def test_what_a_sweep_says_before_it_trains_waits_for_no_keras(monkeypatch):
    monkeypatch.syspath_prepend(ROOT / "experiments")
    code = "import sweep, sys; sweep.main(['report', '--scale=full', '--dry-run']); "
    code += "sys.exit('keras' in sys.modules)"
    command = [sys.executable, "-c", code]
    places = f"{ROOT / 'experiments'}{os.pathsep}{ROOT}"
    environment = os.environ | {"PYTHONPATH": places}
    assert subprocess.run(command, env=environment).returncode == 0


def test_a_damaged_record_is_told_before_anything_starts(
    sweep, write_grid, tmp_path, capsys
):
    write_grid([0, 5])
    path = save_run(tmp_path / "results", make_run(seed=5))
    path.write_text(path.read_text().replace("0.375", "0.475"))
    assert run(sweep, tmp_path) == 2
    (line,) = capsys.readouterr().err.splitlines()
    assert line.startswith(f"sweep.py: {path} must be as the run wrote it.")
    assert not (tmp_path / "logs").exists()


def test_where_no_record_can_be_written_nothing_starts(
    sweep, write_grid, tmp_path, capfd
):
    write_grid([1])
    (tmp_path / "results").write_text("no folder")
    assert run(sweep, tmp_path) == 2
    said = capfd.readouterr().err
    assert said.startswith("sweep.py: --out must be a folder that can be written to")
    assert not (tmp_path / "logs").exists()
