"""`archcalc compare`: settings behind a colon, what is refused, and what is printed."""

import json
from pathlib import Path

import click
import pytest
from click.testing import CliRunner, Result

import archcalc
from archcalc.cli import cli
from archcalc.cli.settings import labels_of, load_specs, parse_spec

SPEC = """
name = "x"
inputs.image = [3, "size", "size"]
variables = { size = 32, maps = 8, kernel = [1, 3], bias = true }
layers = [{ name = "conv", type = "conv2d", out_channels = "maps", kernel_size = "kernel", bias = "bias" }]
"""


def invoke(*arguments: str, text: str | None = None) -> Result:
    return CliRunner().invoke(cli, ["compare", *arguments], input=text, catch_exceptions=False)


def networks(*texts: str) -> dict[str, archcalc.Network]:
    return load_specs([*map(parse_spec, texts)], {}, {}, False, 1)


def refusal(*arguments: str) -> str:
    """The message of an error, of the command line or the library."""
    runner = CliRunner()
    result = runner.invoke(cli, ["compare", *arguments])
    if isinstance(result.exception, archcalc.ArchcalcError):
        return str(result.exception)
    assert result.exit_code == 2
    return result.output


# settings


@pytest.mark.parametrize(
    ("text", "spec", "settings"),
    [
        ("lenet5", "lenet5", {}),
        ("-", "-", {}),
        ("net:alpha=0.5", "net", {"alpha": "0.5"}),
        ("net:alpha=0.5,depth=2", "net", {"alpha": "0.5", "depth": "2"}),
        ("net: alpha = 0.5 , depth = 2", "net", {"alpha": "0.5", "depth": "2"}),
        ("net:image=3x160x160", "net", {"image": "3x160x160"}),
        ("net:sizes=[1, 2],other=max(3, 4)", "net", {"sizes": "[1, 2]", "other": "max(3, 4)"}),
        ("net:a=1 if 2==2 else 3,b=4", "net", {"a": "1 if 2==2 else 3", "b": "4"}),
        ("a/b.toml:alpha=1", "a/b.toml", {"alpha": "1"}),
        (r"C:\nets\b.toml", r"C:\nets\b.toml", {}),
        (r"C:\nets\b.toml:alpha=1", r"C:\nets\b.toml", {"alpha": "1"}),
        ("C:/nets/b.toml:alpha=1", "C:/nets/b.toml", {"alpha": "1"}),
        ("a=b/c.toml", "a=b/c.toml", {}),
        ("-:alpha=1", "-", {"alpha": "1"}),
    ],
)
def test_a_spec_and_its_settings(text: str, spec: str, settings: dict[str, str]) -> None:
    assert parse_spec(text)[:2] == (spec, settings)


def test_a_file_with_a_colon_is_a_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "net:alpha=1.toml").write_text(SPEC)
    monkeypatch.chdir(tmp_path)
    assert parse_spec("net:alpha=1.toml").settings == {}
    assert invoke("net:alpha=1.toml", "./net:alpha=1.toml:maps=16").exit_code == 0


@pytest.mark.parametrize("text", ["net:", "net:alpha", "net:=3", "net:alpha=", "net:alpha=1,", "net:alpha=1,depth"])
def test_wrong_settings(text: str) -> None:
    with pytest.raises(click.BadParameter, match="is not of the form SPEC:NAME=VALUE"):
        parse_spec(text)


def test_variables_and_inputs_share_the_colon(tmp_path: Path) -> None:
    file = tmp_path / "net.toml"
    file.write_text(SPEC)
    (network,) = networks(f"{file}:maps=4,kernel=[3, 5],bias=false,image=3x20x30").values()
    assert network.layers[0].output_shape == (4, 18, 26)
    assert network.totals.parameters == 4 * 3 * 3 * 5


def test_options_are_for_all_and_give_way_to_settings(tmp_path: Path) -> None:
    file = tmp_path / "net.toml"
    file.write_text(SPEC)
    output = invoke(
        str(file), f"{file}:maps=2", "--set", "maps=5", "--set", "size=9", "--batch", "3", "--format", "json"
    )
    first, second = json.loads(output.stdout)["layers"][0]["output_shapes"]
    assert (first, second) == ([5, 9, 7], [2, 9, 7])
    assert [network["batch"] for network in json.loads(output.stdout)["networks"]] == [3, 3]
    assert output.stderr == "note: every network is with --set maps=5, --set size=9\n"


def test_standard_input_under_two_settings() -> None:
    output = invoke("--", "-", "-:maps=16", text=SPEC).output
    assert "×2.00" in output
    assert output.splitlines()[3].startswith("maps=16  x · image 3×32×32")


def test_training_is_for_all() -> None:
    output = invoke("googlenet", "googlenet:image=3x256x256", "--training", "--quantity", "parameters").output
    assert "aux1" in output


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["lenet5"], "a comparison takes two networks or more, and gets 1"),
        ([], "Missing argument"),
        (["mobilenet_v1", "mobilenet_v1:alfa=1"], 'no variable and no input called "alfa"; did you mean "alpha"?'),
        (["lenet5", "lenet5:width=1"], 'no variable and no input called "width"; known: "image"'),
        (["lenet5", "lenet5:image=1x"], "is no shape; write sizes of 1 or more as 3x224x224"),
        (["mobilenet_v1", "mobilenet_v1:alpha=x"], 'alpha: no variable is called "x"'),
        (["lenet5", "lenet6"], 'did you mean "lenet5"'),
        (["lenet5", "lenet5:image=1x28x28"], "kernel_size 5 does not fit"),
        (["lenet5", "vgg11", "--quantity", "mac"], 'no quantity is called "mac"; did you mean "macs"?'),
        (["lenet5", "vgg11", "--quantity", "receptive-field"], "no quantity is called"),
        (["lenet5", "vgg11", "--format", "xml"], '"xml" is not a choice; choose from table'),
        (["lenet5", "vgg11", "--depth", "0"], "0 is not in the range"),
        (["lenet5", "vgg11", "--set", "batch_norm=true"], 'no variable is called "batch_norm"'),
    ],
)
def test_refused_arguments(arguments: list[str], message: str) -> None:
    assert message in refusal(*arguments)


# labels


@pytest.mark.parametrize(
    ("texts", "labels"),
    [
        (["lenet5", "specs/vgg11.toml"], ["lenet5", "vgg11"]),
        (["old/net.toml", "new/net.toml"], ["old/net.toml", "new/net.toml"]),
        (["net", "net:a=1", "net:a=2,b=3"], ["net", "a=1", "a=2,b=3"]),
        (["net:a=1", "net:a=1"], ["a=1", "a=1 (2)"]),
        (["net", "net:a=1", "other"], ["net", "net:a=1", "other"]),
    ],
)
def test_labels(texts: list[str], labels: list[str]) -> None:
    assert labels_of([*map(parse_spec, texts)]) == labels


# what is printed


def test_one_spec_under_two_settings() -> None:
    output = invoke("mobilenet_v1", "mobilenet_v1:alpha=0.5", "--depth", "1").output
    total = next(line for line in output.splitlines() if line.startswith("MACs ") and "," in line)
    assert total.split() == ["MACs", "568,740,352", "149,497,088", "−419,243,264", "−73.7", "%"]


def test_only_differences() -> None:
    output = invoke("resnet18", "resnet34", "--depth", "1", "--differences").output
    assert "2 layers are equal" in output  # the stem and the head
    names = [line.split()[0] for line in output.splitlines() if line.startswith("layer")]
    assert names == [f"layer{number}" for number in (1, 2, 3, 4)] * 2  # first their MACs, then the changes
    assert "layer3   count 2 → 6" in output


@pytest.mark.parametrize("form", ["json", "csv"])
def test_data_have_equal_layers_too(form: str) -> None:
    arguments = ("resnet18", "resnet34", "--depth", "1", "--format", form)
    assert invoke(*arguments, "--differences").output == invoke(*arguments).output


def test_counting() -> None:
    arguments = ("resnet18", "resnet50", "--depth", "1", "--counting", "fvcore")
    assert "fvcore MACs" in invoke(*arguments).output.splitlines()[5]
    assert invoke(*arguments, "--quantity", "parameters").output.splitlines()[5].startswith("Parameters")
    assert invoke(*arguments, "--quantity", "count").output == invoke(*arguments).output
    assert 'no quantity is called "count"' in refusal("lenet5", "vgg11", "--quantity", "count")
    assert 'no counting convention is called "thob"; did you mean "thop"?' in refusal(
        "lenet5", "vgg11", "--counting", "thob"
    )


@pytest.mark.parametrize("quantity", ["parameters", "trainable-parameters", "trainable_parameters", "activations"])
def test_another_quantity(quantity: str) -> None:
    output = invoke("lenet5", "lenet5_1998", "--quantity", quantity)
    assert output.exit_code == 0
    assert "C3" in output.output


def test_only_one_read_of_a_file_and_no_heavy_import() -> None:
    import subprocess
    import sys

    code = (
        "import sys, archcalc.cli; archcalc.cli.cli(['compare', 'lenet5', 'vgg11'], standalone_mode=False);"
        "print([name for name in ('torch', 'numpy', 'tabulate', 'tree_sitter', 'difflib') if name in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.splitlines()[-1] == "[]"
