"""Trains a detector: `python train.py --config configs/quickstart.gin`."""

from ehsod_tf import cli

if __name__ == "__main__":
    cli.run_script("train", "train.py")
