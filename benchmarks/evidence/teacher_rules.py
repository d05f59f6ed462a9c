"""How good the boxes of a run's teacher would be under other rules.

    python benchmarks/evidence/teacher_rules.py runs/taught --rules 0.3,0.7

Each rule is `best_score,other_score` of `Teacher`; the boxes are those of the averages
of the weights on weak images, whose own the split holds back; see
`measure_pseudo_boxes`.
"""

import argparse
import dataclasses
import os

from ehsod_tf import data
from ehsod_tf.api import load_experiment
from ehsod_tf.evaluation import measure_pseudo_boxes
from ehsod_tf.runs.data import load_data, make_evaluation_dataset
from ehsod_tf.runs.model import make_promoter, restore_model


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("model_dir")
    parser.add_argument(
        "--rules", nargs="+", default=["0.3,0.7", "0.7,0.9", "0.9,0.95"]
    )
    arguments = parser.parse_args()
    experiment = load_experiment(
        os.path.join(arguments.model_dir, "operative_config.gin")
    )
    image_set = load_data(experiment, data.Findings()).held_back_set
    model = restore_model(
        experiment, arguments.model_dir, len(image_set.class_names), averaged=True
    )
    rule = model.teacher
    print("best, others: images promoted, precision, recall")
    for pair in arguments.rules:
        best, others = map(float, pair.split(","))
        model.teacher = dataclasses.replace(rule, best_score=best, other_score=others)
        dataset = make_evaluation_dataset(experiment, image_set)
        figures = measure_pseudo_boxes(make_promoter(model), dataset)
        print(f"{pair:>10}: " + ", ".join(map(_format, figures.values())), flush=True)


def _format(figure):
    return "–" if figure is None else f"{figure:.3f}"


if __name__ == "__main__":
    main()
