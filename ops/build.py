"""Builds the compiled ops into one shared library for the TensorFlow installed.

    python ops/build.py          builds into ehsod_tf/ops/_native
    build(output_dir)            the same for setup.py

CUDA kernels are included when nvcc is found. Compilers are taken from CXX and NVCC,
else from the PATH.
"""

import concurrent.futures
import dataclasses
import json
import os
import pathlib
import shutil
import subprocess
import sys
import tempfile

OPS = pathlib.Path(__file__).resolve().parent
OUTPUT_DIR = OPS.parent / "ehsod_tf" / "ops" / "_native"
LIBRARY_NAME = "libehsod_ops.so"
BUILD_INFO_NAME = "build_info.json"

# Lists of files, relative to this folder; CMakeLists.txt reads them too.
SOURCES = json.loads((OPS / "sources.json").read_text())
# Real code for these as far as nvcc still makes it, and PTX of the last for later GPUs.
CUDA_ARCHITECTURES = (70, 75, 80, 86, 89, 90)

COMPILE_FLAGS = (*SOURCES["flags"], "-std=c++17", "-fPIC")
# NMS compares IoUs with a threshold: they must round alike on every processor.
EXACT_FLAGS = {".cc": "-ffp-contract=off", ".cu": "-fmad=false"}

TENSORFLOW_SERIES = "2.21."
QUERY = """
import json, tensorflow as tf
print(json.dumps({
    "version": tf.__version__,
    "compile_flags": tf.sysconfig.get_compile_flags(),
    "link_flags": tf.sysconfig.get_link_flags(),
}))
"""


class BuildError(Exception):
    """The ops cannot be built here; says why and what to do."""


@dataclasses.dataclass(frozen=True)
class Cuda:
    """A CUDA toolkit: its compiler, its folder, its version, the targets it serves."""

    nvcc: str
    home: pathlib.Path
    version: str
    architectures: tuple[int, ...]


def find_tensorflow():
    """Returns version and flags of the TensorFlow that the ops will run in.

    pip hides the installed packages from an isolated build through PYTHONPATH; an
    interpreter that ignores it (-I) sees them, and must be asked first.
    """
    for options in (["-I"], []):
        result = subprocess.run(
            [sys.executable, *options, "-c", QUERY], capture_output=True, text=True
        )
        if result.returncode == 0:
            found = json.loads(result.stdout.splitlines()[-1])
            if found["version"].startswith(TENSORFLOW_SERIES):
                return found
    raise BuildError(f"found no TensorFlow {TENSORFLOW_SERIES}*; install it.")


def find_compiler():
    """Returns the C++ compiler's path."""
    for name in (os.environ.get("CXX"), "g++", "clang++", "c++"):
        if name and shutil.which(name):
            return shutil.which(name)
    raise BuildError("no C++ compiler found; install g++, or set CXX.")


def find_cuda():
    """Returns the CUDA toolkit, or None where there is none."""
    nvcc = shutil.which(os.environ.get("NVCC") or "nvcc")
    if nvcc is None:
        return None
    listed = _run([nvcc, "--list-gpu-code"]).split()
    architectures = tuple(k for k in CUDA_ARCHITECTURES if f"sm_{k}" in listed)
    # The dry run names the toolkit's folder, wherever the compiler was linked from.
    steps = subprocess.run(
        [nvcc, "--dryrun", "-x", "cu", "-c", os.devnull, "-o", os.devnull],
        capture_output=True,
        text=True,
    ).stderr
    tops = [k.split("TOP=", 1)[1] for k in steps.splitlines() if "TOP=" in k]
    if not tops or not architectures:
        raise BuildError(f"{nvcc}: serves none of the targets; install CUDA 12 or 13.")
    version = _run([nvcc, "--version"]).rsplit("release ", 1)[1].split(",")[0]
    home = pathlib.Path(tops[0].strip().strip('"')).resolve()
    return Cuda(nvcc, home, version, architectures)


def build(output_dir=OUTPUT_DIR):
    """Builds the library and its record into `output_dir`; returns the record.

    Raises:
        BuildError: there is no compiler or no TensorFlow, or the build fails.
    """
    tensorflow = find_tensorflow()
    compiler = find_compiler()
    cuda = find_cuda()
    output_dir = pathlib.Path(output_dir)
    output_dir.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=output_dir) as folder:
        library = pathlib.Path(folder) / LIBRARY_NAME
        objects = _compile(compiler, cuda, tensorflow, pathlib.Path(folder))
        _run(_link_command(compiler, cuda, tensorflow, objects, library))
        info = {
            "tensorflow": tensorflow["version"],
            "compiler": _run([compiler, "--version"]).splitlines()[0],
            "cuda": cuda and cuda.version,
            "cuda_architectures": list(cuda.architectures) if cuda else [],
        }
        # The record goes first and the library comes last: a build cut short leaves no
        # library without a record of its own.
        (output_dir / LIBRARY_NAME).unlink(missing_ok=True)
        (output_dir / BUILD_INFO_NAME).write_text(json.dumps(info, indent=2) + "\n")
        library.replace(output_dir / LIBRARY_NAME)
    return info


def _compile(compiler, cuda, tensorflow, folder):
    kernels = [*SOURCES["kernels"], *SOURCES["cpu_kernels"]]
    ops = list(SOURCES["ops"])
    if cuda:
        kernels += SOURCES["cuda_kernels"]
        ops += SOURCES["cuda_ops"]
    includes = _tensorflow_includes(tensorflow, cuda)
    commands = [make_kernel_command(compiler, cuda, k, folder) for k in kernels]
    commands += [_compile_command(compiler, k, folder, includes) for k in ops]
    return run_all(commands)


def run_all(commands):
    """Runs compilers side by side; returns the object files, which come last in each.

    Raises:
        BuildError: one of them failed.
    """
    with concurrent.futures.ThreadPoolExecutor(os.cpu_count()) as pool:
        list(pool.map(_run, commands))
    return [command[-1] for command in commands]


def make_kernel_command(compiler, cuda, source, folder):
    """Returns the command that compiles a source without TensorFlow into `folder`."""
    if source.endswith(".cu"):
        return _cuda_command(compiler, cuda, source, folder)
    return _compile_command(compiler, source, folder)


def _compile_command(compiler, source, folder, includes=()):
    command = [compiler, *COMPILE_FLAGS, *_exact_flags(source), *includes]
    return [*command, *_files(source, folder)]


def _cuda_command(compiler, cuda, source, folder):
    command = [cuda.nvcc, "-ccbin", compiler, "-std=c++17", *_exact_flags(source)]
    # nvcc knows -O3; the other flags are its host compiler's.
    host_flags = [k for k in COMPILE_FLAGS if not k.startswith(("-O", "-std"))]
    command += ["-O3", "-Xcompiler", ",".join(host_flags)]
    for k in cuda.architectures:
        command.append(f"-gencode=arch=compute_{k},code=sm_{k}")
    last = cuda.architectures[-1]
    command.append(f"-gencode=arch=compute_{last},code=compute_{last}")
    return [*command, *_files(source, folder)]


def _exact_flags(source):
    if source not in SOURCES["exact_kernels"]:
        return []
    return [EXACT_FLAGS[pathlib.Path(source).suffix]]


def _files(source, folder):
    target = pathlib.Path(folder) / f"{pathlib.Path(source).name}.o"
    return ["-I", str(OPS / "include"), "-c", str(OPS / source), "-o", str(target)]


def _tensorflow_includes(tensorflow, cuda):
    # -isystem: warnings of TensorFlow's own headers are not ours to remove.
    flags = [k.replace("-I", "-isystem", 1) for k in tensorflow["compile_flags"]]
    return flags + (["-isystem", str(cuda.home / "include")] if cuda else [])


def _link_command(compiler, cuda, tensorflow, objects, library):
    command = [compiler, "-shared", "-o", str(library), *objects]
    command += tensorflow["link_flags"]
    return command + (cuda_link_flags(cuda) if cuda else [])


def cuda_link_flags(cuda):
    """Returns what links the static CUDA runtime, hidden.

    The library also loads where there is no CUDA, and does not meet the runtime that
    TensorFlow or PyTorch brings.
    """
    folders = [f"-L{cuda.home / 'lib64'}", f"-L{cuda.home / 'lib'}"]
    libraries = ["-lcudart_static", "-lrt", "-ldl", "-lpthread"]
    return [*folders, *libraries, "-Wl,--exclude-libs,ALL"]


def _run(command):
    result = subprocess.run(command, capture_output=True, text=True)
    if result.returncode != 0:
        output = "\n".join((result.stdout + result.stderr).strip().splitlines()[-30:])
        raise BuildError(f"this command failed:\n{' '.join(command)}\n{output}")
    return result.stdout


if __name__ == "__main__":
    try:
        print(json.dumps(build(), indent=2))
    except BuildError as error:
        sys.exit(f"ops/build.py: {error}")
