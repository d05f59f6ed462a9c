"""Evaluates a run: `python evaluate.py --model_dir runs/quickstart`."""

from ehsod_tf import cli

if __name__ == "__main__":
    cli.run_script("evaluate", "evaluate.py")
