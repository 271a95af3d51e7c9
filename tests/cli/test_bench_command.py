"""`archcalc bench` on the command line."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from archcalc.cli import bench as command
from archcalc.cli import cli
from archcalc.errors import ArchcalcError, UsageError
from archcalc.measured.benchmark import MatrixPeak, Peak
from archcalc.pytorch.bench import run

QUICK = ("--seconds", "0.05", "--threads", "1")


@pytest.fixture(autouse=True)
def _quick_peak(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(run, "measure_peak", lambda *_: Peak({"float32": MatrixPeak(1e11, 512)}, 1e10, 2**20))


def bench(*arguments: str) -> Result:
    return CliRunner().invoke(cli, ["bench", *QUICK, *arguments], catch_exceptions=False)


def python(script: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=False)


def test_two_networks_are_compared() -> None:
    done = bench("dense_mnist", "mnist_cnn", "--batch", "1,2")
    assert done.exit_code == 0
    assert [line for line in done.output.splitlines() if line.startswith("batch ")] == 2 * [
        "batch 1 · float32",
        "batch 2 · float32",
    ]
    assert "Images/s" in done.output
    assert "Time ÷ dense_mnist's" in done.output


def test_json() -> None:
    document = json.loads(bench("dense_mnist", "--format", "json", "--mode", "training", "--threads", "1").output)
    assert [*document] == ["environment", "method", "peak", "ratios_to", "rows"]
    assert document["method"]["mode"] == "training"
    assert document["environment"]["threads"] == 1
    assert document["rows"][0]["seconds"]["median"] > 0


def test_csv_of_another_input() -> None:
    lines = bench("lenet5", "--format", "csv", "--input", "image=1x36x36").output.splitlines()
    assert len(lines) == 2
    assert lines[0].startswith("spec,batch,dtype,median,q1,q3,ci_low,ci_high,samples")
    assert lines[1].startswith("lenet5,1,float32,")
    assert float(lines[1].split(",")[3]) > 0


def test_a_file_is_written_and_not_replaced(tmp_path: Path) -> None:
    file = tmp_path / "bench.json"
    assert bench("lenet5", "-o", str(file), "--format", "json").output == ""
    written = file.read_text("utf-8")
    assert json.loads(written)["rows"][0]["spec"] == "lenet5"
    with pytest.raises(UsageError, match="is there already; --force replaces it"):
        bench("lenet5", "-o", str(file))
    assert file.read_text("utf-8") == written
    assert bench("lenet5", "-o", str(file), "--force", "--format", "table").exit_code == 0
    assert "Quartiles" in file.read_text("utf-8")


def test_a_file_that_cannot_be_written_is_reported_before_measuring(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(run, "measure_peak", lambda *_: pytest.fail("measured"))
    with pytest.raises(UsageError, match=r"cannot write .*no such file or directory"):
        bench("lenet5", "-o", str(tmp_path / "missing" / "bench.json"))


def test_a_result_that_cannot_be_written_is_printed(monkeypatch: pytest.MonkeyPatch) -> None:
    def full(*_: object) -> None:
        raise UsageError("no space left on device")

    monkeypatch.setattr(command, "write_file", full)
    done = CliRunner().invoke(cli, ["bench", *QUICK, "lenet5", "-o", "bench.csv", "--format", "csv"])
    assert isinstance(done.exception, UsageError)
    assert done.output.splitlines()[1].startswith("lenet5,1,float32,")


@pytest.mark.parametrize(
    "arguments",
    [
        ("--batch", "0"),
        ("--batch", "1,x"),
        ("--batch", ""),
        ("--mode", "both"),
        ("--threads", "0"),
        ("--seconds", "0"),
        ("--dtype", "int8"),
        ("--dtype", "float32,"),
        ("--device", "cuda:77"),
        ("--device", "gpu"),
        ("--cuda-graph",),
        ("--set", "x=1"),
        ("-", "-"),
    ],
)
def test_wrong_usage_ends_with_2(arguments: tuple[str, ...]) -> None:
    if arguments[0] in ("--device", "--dtype", "--cuda-graph", "--set", "-"):  # found out by the library
        with pytest.raises(ArchcalcError):
            bench("lenet5", *arguments)
    else:
        assert bench("lenet5", *arguments).exit_code == 2


def test_more_threads_than_the_system_can_give_are_refused() -> None:
    with pytest.raises(UsageError, match="100000 threads are too many"):
        bench("lenet5", "--threads", "100000")


def test_without_pytorch_an_error_names_the_remedy() -> None:
    done = python(
        "import sys; sys.modules['torch'] = None; sys.argv = ['archcalc', 'bench', 'lenet5'];"
        "from archcalc.cli import main; main()"
    )
    assert (done.returncode, done.stdout) == (2, "")
    assert done.stderr == "error: this needs PyTorch, which is not installed\n  help: pip install 'archcalc[torch]'\n"


def test_help_does_without_pytorch() -> None:
    done = python(
        "import sys; sys.modules['torch'] = None; sys.argv = ['archcalc', 'bench', '--help'];"
        "from archcalc.cli import main; main()"
    )
    assert done.returncode == 0
    assert "95 % confidence" in done.stdout


@pytest.mark.skipif(os.name == "nt", reason="signals of POSIX")
def test_ctrl_c_prints_the_rows_so_far() -> None:
    script = f"""
import os, signal, sys
signal.signal(signal.SIGINT, signal.default_int_handler)  # which the background of a shell ignores
from archcalc.cli import main
from archcalc.pytorch.bench import run, sampling
from archcalc.measured.benchmark import MatrixPeak, Peak
run.measure_peak = lambda *_: Peak({{"float32": MatrixPeak(1e11, 512)}}, 1e10, 2**20)
alternate = sampling.alternate
def interrupted(cases, *others):
    if cases[0].network.batch == 3:
        os.kill(os.getpid(), signal.SIGINT)
    alternate(cases, *others)
sampling.alternate = interrupted
sys.argv = ["archcalc", "bench", "lenet5", "--batch", "2,3,4", "--format", "csv", *{QUICK}]
main()
"""
    done = python(script)
    assert done.returncode == 130
    assert [line.split(",")[:2] for line in done.stdout.splitlines()[1:]] == [["lenet5", "2"]]
    assert done.stderr == ""


@pytest.mark.parametrize(("name", "start"), [("a.json", "{"), ("a.CSV", "spec,"), ("a.txt", "")])
def test_the_name_of_the_file_chooses_the_format(name: str, start: str, tmp_path: Path) -> None:
    bench("dense_3x3", "-o", str(tmp_path / name))
    text = (tmp_path / name).read_text("utf-8")
    assert text.startswith(start)
    assert (start == "") == ("peak measured here" in text)
