"""What a cell printed reaches a terminal as text, and as nothing else."""

import pytest

from repro.core.scrubbing.terminal import for_terminal


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("plain\ttext\nand “more” – ä 日本 🦗", "plain\ttext\nand “more” – ä 日本 🦗"),
        ("\x1b[31mred\x1b[0m", "red"),
        ("\x1b[2J\x1b[1;1Hgone", "gone"),
        ("\x1b[?25l\x1b[38;2;1;2;3mx", "x"),
        ("\x1b]0;title\x07after", "after"),
        ("\x1b]8;;http://evil\x1b\\link\x1b]8;;\x1b\\", "link"),
        ("\x1b]0;never ended\nthe next line", "\nthe next line"),
        ("\x1bcreset", "reset"),
        ("ends with \x1b", "ends with "),
        ("\x9b31mred", "31mred"),
        ("over\rwritten\x08\x00\x7f", "overwritten"),
        ("abc\u202edef\u2066", "abcdef"),
        ("par\u200bted by\u00ad no\u2060thing\ufeff", "parted by nothing"),
        ("half \ud83d of a pair", "half  of a pair"),
    ],
)
def test_control_sequences_go_and_text_stays(text: str, shown: str) -> None:
    assert for_terminal(text) == shown


def test_whatever_comes_can_be_encoded_and_controls_nothing() -> None:
    everything = "".join(chr(code) for code in range(0x3000)) + "\ud800\udfff"
    shown = for_terminal(f"{everything}\x1b{everything}")
    shown.encode()
    assert not {char for char in shown if ord(char) < 32} - {"\n", "\t"}
