"""The text of errors, in which nothing can control a terminal."""

import pytest

from archcalc.errors import LONGEST, SHOWN, Diagnostic, Place, SpecError, did_you_mean, printable, quoted


def test_a_diagnostic_has_a_place_a_reason_and_a_remedy() -> None:
    place = Place("specs/lenet5.toml", 31, "kernel_size = 7")
    diagnostic = Diagnostic("kernel_size 7 does not fit", place, "⌊(5 + 2·0 − 7)/1⌋ + 1 = −1", "use kernel_size ≤ 5")
    assert str(diagnostic).split("\n") == [
        "error: kernel_size 7 does not fit",
        "  ┌ specs/lenet5.toml:31",
        "  │ kernel_size = 7",
        "  = ⌊(5 + 2·0 − 7)/1⌋ + 1 = −1",
        "  help: use kernel_size ≤ 5",
    ]


def test_an_unknown_place_has_no_line() -> None:
    assert str(Diagnostic("wrong", Place("x.toml"))) == "error: wrong\n  ┌ x.toml"


def test_a_code_and_a_severity() -> None:
    diagnostic = Diagnostic("odd", Place("x.toml", 1), severity="warning", code="unused")
    assert str(diagnostic).startswith("warning[unused]: odd\n")


@pytest.mark.parametrize("letter", ["\x1b", "\0", "\n", "\x9b", "\u202e", "\u2028", "\x7f", "\r", "\ud800"])
def test_no_text_injects_into_the_terminal(letter: str) -> None:
    bad = f"a{letter}[31mb"
    text = str(Diagnostic(bad, Place(bad, 1, bad), bad, bad))
    assert letter not in text.replace("\n", "", 4)
    assert len(text.split("\n")) == 5


def test_emoji_and_markup_stay() -> None:
    assert printable("🦊 <script>") == "🦊 <script>"
    assert printable("a\tb") == "a b"


def test_the_number_of_printed_problems_is_limited() -> None:
    diagnostics = [Diagnostic(f"problem {number}", Place("x")) for number in range(SHOWN + 7)]
    assert str(SpecError(diagnostics[:SHOWN])).count("error: ") == SHOWN
    text = str(SpecError(diagnostics))
    assert text.count("error: ") == SHOWN
    assert text.endswith("… and 7 more")
    assert SpecError(diagnostics).diagnostics == tuple(diagnostics)


@pytest.mark.parametrize(
    ("word", "known", "remedy"),
    [
        ("kernel", ["kernel_size", "stride"], 'did you mean "kernel_size"?'),
        ("x", ["b", "a", "b"], 'known: "a", "b"'),
        ("x", [f"word{number:02}" for number in range(30)], '"word19", …'),
        ("a" * 10_000, ["kernel_size"], 'known: "kernel_size"'),
        ("\x1b[31m", ["\x1b[32m"], 'did you mean "�[32m"?'),
    ],
)
def test_suggestions_of_misspelled_words(word: str, known: list[str], remedy: str) -> None:
    assert remedy in str(did_you_mean(word, known))


def test_unlike_words_have_no_suggestion() -> None:
    assert did_you_mean("x", []) is None


def test_quoted_words_are_shortened() -> None:
    assert quoted("a" * 80) == f'"{"a" * 80}"'
    assert quoted("a" * 81) == f'"{"a" * 77}…"'


def test_a_long_message_is_shortened() -> None:
    text = str(Diagnostic("w" * 10**6, Place("x.toml"), "r" * 10**6, "h" * 10**6))
    assert all(len(line) <= LONGEST for line in text.split("\n"))
    assert text.count("…\n") == 2
