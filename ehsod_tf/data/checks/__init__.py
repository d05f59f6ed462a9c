"""What is wrong with a data set: records, image files, images in two sets."""
