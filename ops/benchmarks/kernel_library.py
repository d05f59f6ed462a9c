"""The kernels for PyTorch: compiled into one C library, called through ctypes.

    python ops/benchmarks/kernel_library.py FILE

builds the library for every GPU that the ops are built for, to carry it to a machine
without a compiler.
"""

import argparse
import ctypes
import dataclasses
import pathlib
import subprocess
import sys
import tempfile

OPS = pathlib.Path(__file__).resolve().parents[1]
sys.path.insert(0, str(OPS))
import build  # noqa: E402

BINDING = "benchmarks/torch_binding.cc"
MAX_LEVELS = 17


class RoiAlignProblem(ctypes.Structure):
    """As in include/ehsod/roi_align.h."""

    _fields_ = [
        (name, ctypes.c_int64)
        for name in (
            "batch",
            "num_boxes",
            "channels",
            "output_size",
            "sampling_ratio",
            "min_level",
            "num_levels",
        )
    ]
    _fields_ += [(k, ctypes.c_int64 * MAX_LEVELS) for k in ("heights", "widths")]


class NmsProblem(ctypes.Structure):
    """As in include/ehsod/non_max_suppression.h."""

    _fields_ = [(k, ctypes.c_int64) for k in ("batch", "num_boxes", "max_outputs")]
    _fields_ += [(k, ctypes.c_float) for k in ("iou_threshold", "score_threshold")]


def build_library(target, architectures=None):
    """Compiles the kernels and their C functions into the file `target`.

    Args:
        architectures: of GPUs, as (90,); None: all that the ops are built for.

    Raises:
        BuildError: there is no compiler or no CUDA, or the build fails.
    """
    compiler, cuda = build.find_compiler(), build.find_cuda()
    if cuda is None:
        raise build.BuildError("found no nvcc; install the CUDA toolkit, or set NVCC.")
    if architectures is not None:
        cuda = dataclasses.replace(cuda, architectures=architectures)
    sources = [BINDING]
    for key in ("kernels", "cpu_kernels", "cuda_kernels"):
        sources += build.SOURCES[key]
    with tempfile.TemporaryDirectory() as folder:
        objects = build.run_all(
            [build.make_kernel_command(compiler, cuda, k, folder) for k in sources]
        )
        command = [compiler, "-shared", "-o", str(target), *objects]
        subprocess.run([*command, *build.cuda_link_flags(cuda)], check=True)


class Kernels:
    """The library's functions on PyTorch tensors; each may raise RuntimeError."""

    def __init__(self, path):
        self.library = ctypes.CDLL(str(pathlib.Path(path).resolve()))
        self.library.ehsod_nms_scratch.restype = ctypes.c_size_t

    def call(self, name, *arguments):
        """Calls `ehsod_<name>`; tensors and lists of them go by their pointers."""
        function = getattr(self.library, f"ehsod_{name}")
        function.restype = ctypes.c_char_p
        objection = function(*map(_to_c, arguments))
        if objection is not None:
            raise RuntimeError(objection.decode())

    def count_nms_scratch(self, problem):
        return self.library.ehsod_nms_scratch(ctypes.byref(problem))


def _to_c(argument):
    if argument is None or isinstance(argument, int | ctypes.c_void_p):
        return argument
    if isinstance(argument, ctypes.Structure):
        return ctypes.byref(argument)
    if isinstance(argument, list):
        return (ctypes.c_void_p * len(argument))(*[k.data_ptr() for k in argument])
    return ctypes.c_void_p(argument.data_ptr())


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("target", metavar="FILE")
    try:
        build_library(parser.parse_args().target)
    except build.BuildError as error:
        sys.exit(f"kernel_library.py: {error}")
