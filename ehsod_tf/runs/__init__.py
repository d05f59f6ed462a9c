"""A run from data to detector: its settings, and what is done with them.

`Experiment` holds the settings and nothing else. The functions of `data`, `model`,
`training`, `evaluation` and `export` here take it as their first argument; none of them
knows gin.

The run folder holds ``operative_config.gin``, ``split.json``, ``history.csv``,
``checkpoints/``, TensorBoard events, ``metrics.json``, ``detections.json``,
``supervision.txt``,
``saved_model/`` and ``report.html``; where records of the data set were left out, also
``left_out.csv``. Of a run on several machines, the first one writes it; the others read
the checkpoints, so that the folder must be one that all of them see.
"""
