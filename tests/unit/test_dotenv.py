import pytest

from simbuilder.scaffolding import dotenv


@pytest.mark.parametrize(
    ("text", "values"),
    [
        ("A=1", {"A": "1"}),
        ("export A=1", {"A": "1"}),
        ("  A = 1  ", {"A": "1"}),
        ("A=", {"A": ""}),
        ("# A=1\n\nB=2", {"B": "2"}),
        ("A=1 # why", {"A": "1"}),
        ("A=x#y", {"A": "x#y"}),
        ("A='$x \"y\"'", {"A": '$x "y"'}),
        (r'A="a \"b\" \\ \$c"', {"A": 'a "b" \\ $c'}),
        ('A="b" # c', {"A": "b"}),
        ("A=1\r\nB=2\r\n", {"A": "1", "B": "2"}),
        ("\ufeffA=1", {"A": "1"}),
        ("A=1\nA=2", {"A": "2"}),
    ],
)
def test_parse_reads_the_dialect(text: str, values: dict[str, str]) -> None:
    assert dotenv.parse(text) == (values, [])


@pytest.mark.parametrize("line", ["A", "=1", "1A=2", 'A="open', "A='open", "A B=1"])
def test_parse_names_the_lines_it_cannot_read(line: str) -> None:
    assert dotenv.parse(f"X=1\n{line}\nY=2") == ({"X": "1", "Y": "2"}, [2])


NASTY = ["", "plain", "a b", "a;b", "$HOME", "`id`", "$(id)", "'", '"']
NASTY += ["\\", "\\n", "#", " # x", "é"]


@pytest.mark.parametrize("value", NASTY)
def test_what_is_rendered_is_read_back(value: str) -> None:
    assert dotenv.parse(dotenv.render({"A": value}, "comment")) == ({"A": value}, [])


def test_a_plain_value_is_not_quoted() -> None:
    assert dotenv.render({"A": "nats://u:p@127.0.0.1:1/x"}) == "A=nats://u:p@127.0.0.1:1/x\n"


def test_render_refuses_control_characters() -> None:
    with pytest.raises(ValueError, match="A holds"):
        dotenv.render({"A": "x\ny"})
