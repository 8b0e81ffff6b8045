"""The screens in front of the table: a question, a name, help, and logs."""

from collections.abc import Callable, Sequence
from typing import ClassVar

from rich.text import Text
from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import Vertical, VerticalScroll
from textual.screen import ModalScreen
from textual.widgets import Footer, Input, RichLog, Static

from simbuilder.cli.watching.cells import LEGEND

_BACK = [Binding("escape", "back", "back"), Binding("q", "back", "back", show=False)]


class Question(ModalScreen[bool]):
    """Asks before something is lost; only `y` means yes."""

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("y", "answer(True)", "yes"),
        Binding("n,escape,q,enter", "answer(False)", "no"),
    ]

    def __init__(self, question: str) -> None:
        super().__init__()
        self._question = question

    def compose(self) -> ComposeResult:
        """Put the question in the middle."""
        with Vertical(classes="box"):
            yield Static(Text(f"{self._question}\n\n[y] yes   [n] no"))

    def action_answer(self, yes: bool) -> None:
        """Close with the answer."""
        self.dismiss(yes)


class Name(ModalScreen[str | None]):
    """Asks for a name, which may be left out; `None` if it was left with Esc."""

    BINDINGS: ClassVar[list[BindingType]] = [Binding("escape", "cancel", "cancel")]

    def __init__(self, question: str) -> None:
        super().__init__()
        self._question = question

    def compose(self) -> ComposeResult:
        """Put the question over the line to type in."""
        with Vertical(classes="box"):
            yield Static(Text(f"{self._question}\n"))
            yield Input(placeholder="name, or nothing", max_length=40, compact=True)
            yield Static(Text("\n[Enter] go on   [Esc] cancel"))

    def on_input_submitted(self, message: Input.Submitted) -> None:
        """Close with what was typed."""
        self.dismiss(message.value.strip())

    def action_cancel(self) -> None:
        """Close with nothing."""
        self.dismiss(None)


class Help(ModalScreen[None]):
    """Says what the keys do and what the words mean."""

    BINDINGS: ClassVar[list[BindingType]] = [*_BACK, Binding("question_mark", "back", show=False)]

    def __init__(self, keys: Sequence[tuple[str, str]]) -> None:
        super().__init__()
        self._keys = keys

    def compose(self) -> ComposeResult:
        """List both."""
        keys = "\n".join(f"  {key:<12} {what}" for key, what in self._keys)
        words = "\n".join(f"  {word:<12} {meaning}" for word, meaning in LEGEND)
        with VerticalScroll(classes="box"):
            yield Static(Text(f"Keys\n{keys}\n\nBelow the name of a server\n{words}"))

    def action_back(self) -> None:
        """Close."""
        self.dismiss(None)


class Logs(ModalScreen[None]):
    """Shows the logs of a session, and what is added to them.

    `news` returns what has come since the last time; it must not wait.
    """

    BINDINGS: ClassVar[list[BindingType]] = [*_BACK]

    def __init__(self, title: str, news: Callable[[], Sequence[str]]) -> None:
        super().__init__()
        self._title = title
        self._news = news

    def compose(self) -> ComposeResult:
        """Fill the screen."""
        yield Static(Text(self._title), id="title")
        yield RichLog(max_lines=5000, wrap=True, markup=False, highlight=False, min_width=20)
        yield Footer(show_command_palette=False)

    def on_mount(self) -> None:
        """Begin to read."""
        self.query_one(RichLog).focus()
        self.set_interval(0.5, self._read)
        self._read()

    def _read(self) -> None:
        log = self.query_one(RichLog)
        for line in self._news():
            log.write(Text(line))

    def action_back(self) -> None:
        """Close."""
        self.dismiss(None)
