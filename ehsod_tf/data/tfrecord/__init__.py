"""TFRecord files with the keys of the TF Object Detection API: in and out."""
