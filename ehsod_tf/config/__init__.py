"""Configuration by gin: the names that config files may bind.

The only package of the library that imports gin. Keras layers and dataclasses are bound
through factory functions, made in `factories` from their own signatures: gin cannot
subclass a Keras layer, and a factory lets the variables be created inside the scope of
the distribution strategy. A config binds ``Experiment.build_model = @build_model`` and
the like, and overrides constructor arguments by name: ``Cascade.num_stages = 2``.

`parsing` reads a config without executing anything, `checks` refuses lines that would
do nothing, `loading` makes an `Experiment`. `readers` are those of the data package, by
paths below one folder.
"""

from ehsod_tf.config.loading import (
    find_config,
    format_operative_config,
    load_config,
    load_run_config,
)

__all__ = ["find_config", "format_operative_config", "load_config", "load_run_config"]
