"""Show that the claims of a notebook can fail, while the notebook is being executed.

A claim is a code cell with the tag `claim`, and the metadata of its cell hold, as `falsify`, code
that makes it false (docs/testing-notebooks.md has an example). When the cell has run, that code and
then the claim are run in a copy of the notebook's names. The copy is one of names, not of objects:
code that falsifies assigns new objects and changes none in place.
"""

FAILS, HOLDS = "the claim fails", "the claim still holds"
TEST = f"""
exec(falsify, names)
try:
    exec(claim, names)
except AssertionError:
    pass
else:
    raise RuntimeError({HOLDS!r})
"""


def falsify_claims(client) -> None:
    """Have a `nbclient.NotebookClient` try each claim that it executes on falsified names.

    The cell's metadata get `falsified`: FAILS, as it should be, or HOLDS, or the error of another
    kind that came up. Outputs, counts and names of the notebook stay as they are.
    """

    async def falsify(cell, cell_index, execute_reply) -> None:
        if "falsify" not in cell.metadata or execute_reply["content"]["status"] != "ok":
            return
        scope = f"{{'falsify': {cell.metadata['falsify']!r}, 'claim': {cell.source!r}, "
        code = f"exec({TEST!r}, {scope}'names': dict(globals())}})"
        # nbclient passes over what it did not ask for itself, so outputs of this end nowhere.
        request = client.kc.execute(code, silent=True, store_history=False)
        reply = (await client.async_wait_for_reply(request))["content"]
        outcome = FAILS if reply["status"] == "ok" else f"{reply['ename']}: {reply['evalue']}"
        cell.metadata["falsified"] = outcome.removeprefix("RuntimeError: ")

    client.on_cell_executed = falsify


def unproven(notebook) -> list[str]:
    """The sources of an executed notebook's claims that were not shown to fail."""
    claims = [cell for cell in notebook.cells if "claim" in cell.metadata.get("tags", [])]
    return [cell.source for cell in claims if cell.metadata.get("falsified") != FAILS]


def register_engine() -> None:
    """Give papermill the engine `claims`: its own, with claims falsified."""
    from papermill.clientwrap import PapermillNotebookClient
    from papermill.engines import NBClientEngine, papermill_engines

    class ClaimsEngine(NBClientEngine):
        @classmethod
        def execute_managed_notebook(cls, nb_man, kernel_name, **options):
            known = PapermillNotebookClient.class_trait_names()
            options = {name: value for name, value in options.items() if name in known}
            client = PapermillNotebookClient(nb_man, kernel_name=kernel_name, **options)
            falsify_claims(client)
            client.execute()

    papermill_engines.register("claims", ClaimsEngine)
