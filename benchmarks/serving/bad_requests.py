"""Requests that are wrong: by hand, and by changing valid files at random.

    python benchmarks/serving/bad_requests.py runs/quickstart/saved_model \
        --mutations 10000

sends all of them to the offline server, a good request after every twentieth, and
counts the answers. A crash, an answer that is not finite, or a good request that is
answered otherwise than at first ends it with an error.
"""

import argparse
import collections
import io
import json
import struct
import tempfile
from collections.abc import Iterator

import numpy as np
from offline_server import Answer, ask, build, make_file_request, make_request
from PIL import Image

FORMS = ("JPEG", "PNG", "BMP", "GIF", "WEBP")
GOOD_EVERY = 20


def draw(height: int = 48, width: int = 64, seed: int = 0) -> Image.Image:
    """A picture of a few rectangles, so that files of it have long and short runs."""
    rng = np.random.default_rng(seed)
    pixels = np.full([height, width, 3], 90, np.uint8)
    for _ in range(6):
        top, left = rng.integers(0, [max(height - 1, 1), max(width - 1, 1)])
        pixels[top : top + 12, left : left + 16] = rng.integers(0, 256, 3)
    pixels[: height // 4] = rng.integers(0, 256, [height // 4, width, 3])
    return Image.fromarray(pixels)


def encode(image: Image.Image, form: str, **options) -> bytes:
    """The bytes of a file."""
    file = io.BytesIO()
    image.save(file, form, **options)
    return file.getvalue()


def claim_size(height: int, width: int) -> bytes:
    """A small PNG whose header names another size."""
    content = bytearray(encode(draw(), "PNG"))
    content[16:24] = struct.pack(">II", width, height)
    return bytes(content)


def list_handmade() -> list[tuple[str, str, object]]:
    """(name, "OK" or "error" as is to be answered, the request)."""
    return [*_list_files(), *_list_tensors(), *_list_messages()]


def _list_files():
    picture, jpeg = draw(), encode(draw(), "JPEG")
    transparent = encode(picture.convert("RGBA"), "PNG")
    for name, status, content in (
        ("no bytes", "error", b""),
        ("text", "error", b"This is not an image.\n" * 20),
        ("truncated JPEG", "error", jpeg[: len(jpeg) // 2]),
        ("JPEG's first marker alone", "error", jpeg[:3]),
        ("header of 20,000 x 20,000", "error", claim_size(20_000, 20_000)),
        ("header of 2 ** 31 - 1", "error", claim_size(2**31 - 1, 2**31 - 1)),
        ("TIFF", "error", encode(picture, "TIFF")),
        ("1 x 1", "OK", encode(draw(1, 1), "PNG")),
        ("1 x 500", "OK", encode(draw(1, 500), "JPEG")),
        ("grey JPEG", "OK", encode(picture.convert("L"), "JPEG")),
        ("grey PNG", "OK", encode(picture.convert("L"), "PNG")),
        ("black and white PNG", "OK", encode(picture.convert("1"), "PNG")),
        ("PNG of 16 bits", "OK", encode(picture.convert("I;16"), "PNG")),
        ("palette PNG", "OK", encode(picture.convert("P"), "PNG")),
        ("transparent PNG", "OK", transparent),
        ("WebP", "OK", encode(picture, "WEBP")),
        ("CMYK JPEG", "OK", encode(picture.convert("CMYK"), "JPEG")),
        ("progressive JPEG", "OK", encode(picture, "JPEG", progressive=True)),
    ):
        yield name, status, make_file_request(content)
    yield "one bad of three", "error", make_file_request(jpeg, b"text", jpeg)
    yield "empty batch", "OK", make_file_request()


def _list_tensors():
    ones = np.ones([1, 30, 40, 3], np.float32)
    for name, status, value in (
        ("pixels", "OK", ones),
        ("huge pixels", "OK", ones * np.float32(3e38)),
        ("empty batch of pixels", "OK", ones[:0]),
        ("NaN", "error", ones * np.float32("nan")),
        ("infinity", "error", ones * np.float32("inf")),
        ("one image without a batch", "error", ones[0]),
        ("five axes", "error", ones[np.newaxis]),
        ("grey pixels", "error", ones[..., :1]),
        ("bytes for floats", "error", ones.astype(np.uint8)),
        ("no pixels", "error", ones[:, :0]),
    ):
        yield name, status, make_request("images", images=value)
    for name, value in (
        ("floats for a file", np.zeros([1], np.float32)),
        ("files with two axes", np.array([[b"a", b"b"]], object)),
    ):
        request = make_request("serving_default", image_bytes=value)
        yield name, "error", request


def _list_messages():
    ones = np.ones([1, 30, 40, 3], np.float32)
    yield "no such signature", "error", make_request("none", images=ones)
    yield "no such input", "error", make_request("images", pictures=ones)
    yield "no input", "error", make_request("images")
    yield "an input too many", "error", make_request("images", images=ones, more=ones)
    yield "no message", "error", b"\xff\xff\xff\xff"
    message = make_request("images", images=ones).SerializeToString()
    yield "message that is cut off", "error", message[: len(message) // 2]


def mutate(content: bytes, rng: np.random.Generator) -> bytes:
    """A file with bits flipped, bytes replaced, parts lost, doubled or moved."""
    data = bytearray(content)
    for _ in range(rng.integers(1, 5)):
        place, other = sorted(rng.integers(0, len(data), 2))
        kind = rng.integers(6)
        if kind == 0:
            data[place] ^= 1 << rng.integers(8)
        elif kind == 1:
            data[place] = rng.integers(256)
        elif kind == 2:
            # In the header, where sizes and lengths stand.
            data[rng.integers(min(64, len(data)))] = rng.choice([0, 1, 127, 128, 255])
        elif kind == 3:
            end = place + rng.integers(1, 40)
            del data[place:end]
        elif kind == 4:
            data[place:place] = data[place : min(other, place + 200)]
        else:
            del data[max(other, 4) :]
        if not data:
            break
    return bytes(data)


def make_mutations(count: int, seed: int) -> Iterator[bytes]:
    """Changed files of all forms in turn."""
    rng = np.random.default_rng(seed)
    originals = [
        encode(draw(seed=k).convert(mode), form)
        for k, form in enumerate(FORMS)
        for mode in ("RGB", "L")
    ]
    for number in range(count):
        yield mutate(originals[number % len(originals)], rng)


def send(program: str, model_dir: str, bad: list) -> list[Answer]:
    """Sends requests, with a good one after some; returns the answers to the bad ones.

    Raises:
        AssertionError: an answer is not finite, or a good request got another one than
            at first.
        ServerDied: it crashed.
    """
    good = make_file_request(encode(draw(), "PNG"))
    requests, is_good = [good], [True]
    for number, request in enumerate(bad, 1):
        requests.append(request)
        is_good.append(False)
        if number % GOOD_EVERY == 0 or number == len(bad):
            requests.append(good)
            is_good.append(True)
    _, answers, _ = ask(program, model_dir, requests)
    for answer, expected in zip(answers, is_good, strict=True):
        for name, values in answer.outputs.items():
            assert values.dtype.kind in "US" or np.isfinite(values).all(), name
            if expected:
                np.testing.assert_array_equal(values, answers[0].outputs[name])
        assert answer.status == "OK" or not expected, answer.message
    return [k for k, expected in zip(answers, is_good, strict=True) if not expected]


def main():
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("saved_model")
    parser.add_argument("--mutations", type=int, default=10_000)
    parser.add_argument("--seed", type=int, default=0)
    flags = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        program = f"{folder}/offline_server"
        build(program)
        names, wanted, requests = zip(*list_handmade(), strict=True)
        answers = send(program, flags.saved_model, list(requests))
        for name, kind, answer in zip(names, wanted, answers, strict=True):
            print(f"{name}: {answer.status} {answer.message[:70]}")
            assert (answer.status == "OK") == (kind == "OK"), name
        files = make_mutations(flags.mutations, flags.seed)
        bad = [make_file_request(file) for file in files]
        answers = send(program, flags.saved_model, bad)
    counts = collections.Counter(answer.status for answer in answers)
    report = {
        "mutations": len(answers),
        "answers": dict(counts),
        "resident_mib_first": answers[0].resident_mib,
        "resident_mib_last": answers[-1].resident_mib,
    }
    print(json.dumps(report, indent=2))


if __name__ == "__main__":
    main()
