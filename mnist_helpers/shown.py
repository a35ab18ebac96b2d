"""What the helpers show: in a notebook as it is meant, in a program that is none as text."""

from IPython.core.getipython import get_ipython
from IPython.display import DisplayHandle, display


def show(data: dict, metadata: dict | None = None) -> None:
    """Show an output, given in its forms by MIME type. Without IPython, print "text/plain"."""
    if get_ipython():
        display(data, raw=True, metadata=metadata)
    else:
        print(data["text/plain"])


class LiveText:
    """A text that is replaced while a cell runs. Without IPython, only the last is printed."""

    def __init__(self, text: str) -> None:
        self._handle = DisplayHandle() if get_ipython() else None
        if self._handle:
            self._handle.display({"text/plain": text}, raw=True)

    def update(self, text: str) -> None:
        if self._handle:
            self._handle.update({"text/plain": text}, raw=True)

    def finish(self, text: str) -> None:
        self.update(text)
        if not self._handle:
            print(text)
