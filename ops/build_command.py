"""The step of setup.py that builds the ops; a failure leaves the stock ops."""

import pathlib

import build
from setuptools import Extension
from setuptools.command.build_ext import build_ext

# As an extension module it makes the wheel one of this platform. `optional`: setuptools
# goes on without the file.
OPS_EXTENSION = Extension("ehsod_tf.ops._native.libehsod_ops", [], optional=True)


class BuildOps(build_ext):
    def get_ext_filename(self, fullname):
        return f"{fullname.replace('.', '/')}.so"

    def build_extension(self, ext):
        library = pathlib.Path(self.get_ext_fullpath(ext.name))
        try:
            build.build(build.OUTPUT_DIR if self.editable_mode else library.parent)
        except build.BuildError as error:
            self.warn(f"the ops were not built, stock TensorFlow ops will run: {error}")
