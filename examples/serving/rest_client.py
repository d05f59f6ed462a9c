"""Asks TensorFlow Serving by REST what is on some images; standard library only.

python examples/serving/rest_client.py photo.jpg other.png
python examples/serving/rest_client.py photo.jpg --url http://HOST:8501/v1/models/ehsod
"""

import argparse
import base64
import json
import pathlib
import urllib.error
import urllib.request


def make_body(images: list[bytes]) -> dict:
    """The request about encoded images. JSON has no bytes: they go as base64."""
    rows = [
        {"image_bytes": {"b64": base64.b64encode(image).decode("ascii")}}
        for image in images
    ]
    return {"signature_name": "serving_default", "instances": rows}


def detect(url: str, images: list[bytes]) -> list[list[tuple]]:
    """For each image its detections, best first: class, score, box (ymin, xmin, ...).

    Raises:
        urllib.error.HTTPError: the server refuses the request; the body says why.
        OSError: the server is not there, or does not answer in time.
    """
    request = urllib.request.Request(
        f"{url}:predict",
        data=json.dumps(make_body(images)).encode("utf-8"),
        headers={"Content-Type": "application/json"},
    )
    with urllib.request.urlopen(request, timeout=60) as response:
        predictions = json.load(response)["predictions"]
    return [list_detections(prediction) for prediction in predictions]


def list_detections(prediction: dict) -> list[tuple]:
    """The rows of one answer that are not padding."""
    rows = zip(
        prediction["detection_classes"],
        prediction["detection_scores"],
        prediction["detection_boxes"],
        strict=True,
    )
    return list(rows)[: prediction["num_detections"]]


def main():
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("images", nargs="+")
    parser.add_argument("--url", default="http://localhost:8501/v1/models/ehsod")
    parser.add_argument("--labels", help="assets/labels.txt of the SavedModel")
    parser.add_argument("--score_threshold", type=float, default=0.3)
    flags = parser.parse_args()
    labels = flags.labels and pathlib.Path(flags.labels).read_text("utf-8").splitlines()
    content = [pathlib.Path(path).read_bytes() for path in flags.images]
    try:
        found = detect(flags.url, content)
    except urllib.error.HTTPError as error:
        raise SystemExit(f"{flags.url}: {error.read().decode('utf-8')}") from error
    except OSError as error:
        raise SystemExit(f"{flags.url}: {getattr(error, 'reason', error)}") from error
    for path, detections in zip(flags.images, found, strict=True):
        for label, score, box in detections:
            if score >= flags.score_threshold:
                print(path, labels[label] if labels else label, f"{score:.2f}", box)


if __name__ == "__main__":
    main()
