"""The notebook runs from its first cell to its last, in short form."""

import json
import shutil

import tiny_run

NOTEBOOK = tiny_run.ROOT / "notebooks" / "ehsod_tour.ipynb"


def read_cells():
    content = json.loads(NOTEBOOK.read_text(encoding="utf-8"))
    return [cell for cell in content["cells"] if cell["cell_type"] == "code"]


def test_the_notebook_has_no_outputs():
    for cell in read_cells():
        assert not cell["outputs"] and cell["execution_count"] is None


def test_the_notebook_runs(trained, scenes, tmp_path, capsys):
    """With the settings of a tiny run, one of which has been made already."""
    shutil.copytree(trained[0], tmp_path / "hybrid")
    names = {}
    for cell in read_cells():
        code = "".join(cell["source"])
        if "parameters" in cell["metadata"].get("tags", ()):
            exec(compile(code, "parameters", "exec"), names)
            assert {"SETTINGS", "DATA", "RUNS"} <= set(names)
            names |= {"SETTINGS": tiny_run.TINY, "DATA": scenes, "RUNS": tmp_path}
        else:
            exec(compile(code, str(NOTEBOOK), "exec"), names)
    text = capsys.readouterr().out
    assert "all classes" in text and "6 strong (boxes), 0 weak" in text
    assert names["maps"].shape[-1] == 6
    assert names["both"].width > 200
    assert (tmp_path / "boxes_only" / "report.html").exists()
