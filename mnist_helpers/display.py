"""Show outputs: in a notebook as they are meant, in a plain program as text."""

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
        self._handle = DisplayHandle()
        if get_ipython():
            self._handle.display({"text/plain": text}, raw=True)

    def update(self, text: str, last: bool = False) -> None:
        if get_ipython():
            self._handle.update({"text/plain": text}, raw=True)
        elif last:
            print(text)
