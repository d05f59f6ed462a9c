"""Public data sets, from their official sources into the layout that configs expect.

This package knows nothing of the rest of the library but its errors.
"""

from ehsod_tf.downloads.fetching import download as download
from ehsod_tf.downloads.sources import SOURCES as SOURCES
from ehsod_tf.downloads.sources import Archive as Archive
from ehsod_tf.downloads.sources import Folder as Folder
