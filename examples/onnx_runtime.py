"""Finds the objects of an image with ONNX Runtime, without TensorFlow, and draws them.

pip install onnxruntime pillow
python examples/onnx_runtime.py exported/onnx image.jpg drawn.png
"""

import json
import pathlib
import sys

import numpy as np
import onnxruntime
from canvas import put_on_canvas
from PIL import Image, ImageDraw

folder, source, target = map(pathlib.Path, sys.argv[1:])
settings = json.loads((folder / "detector.json").read_text())
labels = (folder / "labels.txt").read_text(encoding="utf-8").splitlines()
session = onnxruntime.InferenceSession(folder / "detector.onnx")

image = Image.open(source)
if image.mode.startswith("I"):
    # Pillow would make white what is above 255; the detector takes the upper 8 bits.
    sys.exit(f"{source}: has 16 bits a pixel; convert it to 8")
image = image.convert("RGB")
names = [output.name for output in session.get_outputs()]
values = session.run(names, put_on_canvas(np.asarray(image), settings))
found = {name: value[0] for name, value in zip(names, values, strict=True)}

draw = ImageDraw.Draw(image)
for row in range(found["num_detections"]):
    score = found["detection_scores"][row]
    if score < 0.3:
        continue
    ymin, xmin, ymax, xmax = found["detection_boxes"][row].tolist()
    label = labels[found["detection_classes"][row]]
    draw.rectangle((xmin, ymin, xmax, ymax), outline="red", width=2)
    draw.text((xmin + 3, ymin + 2), f"{label} {score:.2f}", fill="red")
    print(f"{label} {score:.3f} {ymin:.1f} {xmin:.1f} {ymax:.1f} {xmax:.1f}")
image.save(target)
