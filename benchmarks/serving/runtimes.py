"""An exported folder, whatever its format, as one function on arrays.

``load(folder)(images, image_sizes, scales)`` gives the outputs of the SavedModel as
arrays. Each runtime gets `threads` threads.
"""

import functools
import json
import pathlib

import numpy as np

CORES = 2


def load(folder, threads=CORES):
    """Returns the function, and the settings in ``detector.json``."""
    folder = pathlib.Path(folder)
    settings = json.loads((folder / "detector.json").read_text())
    return _LOADERS[settings["format"]](folder, threads), settings


def _load_onnx(folder, threads):
    import onnxruntime

    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = threads
    session = onnxruntime.InferenceSession(folder / "detector.onnx", options)
    names = [output.name for output in session.get_outputs()]

    def detect(**inputs):
        return dict(zip(names, session.run(names, inputs), strict=True))

    return detect


def _load_openvino(folder, threads):
    import openvino

    # Processors with bfloat16 instructions would take that.
    hints = {"INFERENCE_PRECISION_HINT": "f32", "INFERENCE_NUM_THREADS": threads}

    @functools.cache
    def compile_canvas(height, width):
        path = folder / f"detector_{height}x{width}.xml"
        return openvino.Core().compile_model(path, "CPU", hints)

    def detect(**inputs):
        answer = compile_canvas(*inputs["images"].shape[1:3])(inputs)
        return {key.get_any_name(): value.copy() for key, value in answer.items()}

    return detect


def _load_litert(folder, threads):
    from ai_edge_litert.interpreter import Interpreter

    interpreter = Interpreter(str(folder / "detector.tflite"), num_threads=threads)

    def run(**inputs):
        _, height, width, _ = inputs["images"].shape
        return interpreter.get_signature_runner(f"detect_{height}x{width}")(**inputs)

    def detect(**inputs):
        rows = [
            run(**{name: value[row : row + 1] for name, value in inputs.items()})
            for row in range(len(inputs["images"]))
        ]
        return {name: np.concatenate([row[name] for row in rows]) for name in rows[0]}

    return detect


_LOADERS = {"onnx": _load_onnx, "openvino": _load_openvino, "litert": _load_litert}
