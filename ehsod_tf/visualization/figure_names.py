"""What the figures of an evaluation are called, for people."""

EXPLANATIONS = {
    "AP": "mean over IoU 0.50 to 0.95",
    "AP50": "at IoU 0.50",
    "AP75": "at IoU 0.75",
    "voc_ap50_11point": "VOC2007, 11-point",
    "voc_ap50_area": "VOC2010 on, all points",
    "APs": "objects under 32² pixels",
    "APm": "32² to 96² pixels",
    "APl": "over 96² pixels",
    "AR1": "recall, 1 detection an image",
    "AR10": "recall, 10 detections",
    "AR100": "recall, 100 detections",
    "ARs": "recall, under 32² pixels",
    "ARm": "recall, 32² to 96² pixels",
    "ARl": "recall, over 96² pixels",
    "pseudo_images": "weak images to which the teacher gives boxes",
    "pseudo_precision": "of the teacher's boxes",
    "pseudo_recall": "of the teacher's boxes",
}
# Those that a page shows first.
LEADING = ("AP", "AP50", "AP75", "voc_ap50_11point", "voc_ap50_area")
