"""Pure functions on boxes: geometry, coding, anchors, matching and sampling."""
