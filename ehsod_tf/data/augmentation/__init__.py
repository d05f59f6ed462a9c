"""What training shows of an image: drawn views of it, and changed pixels.

Both are off in the paper's rows, and evaluation never uses them. A *view* is geometry:
which part of the image is seen, and how large. It is cut where images are read, since
that costs no more than the resizing it replaces. *Pixel changes* touch every pixel of a
batch and leave the geometry alone; they are made on the device, at the beginning of the
training step, where they cost least and a teacher can see the image without them.
"""
