"""Malformed image and annotation records of COCO instances files."""

import math

from malformed.coco_cases import MISSING, WRONG_KINDS, case, put, vary

IMAGES = [
    case("no images", lambda content: content["images"].clear(), "image", None),
    *vary(
        "images",
        "id",
        {**WRONG_KINDS, "missing": MISSING, "float": 12.0, "huge": 2**70},
        r"images\[1\], id: .* not an integer",
        num_problems=3,
    ),
    case(
        "repeated id",
        put("images", "id", 11),
        r"image 11, id: another image has this id too",
        ("c.png",),
        3,
    ),
    case(
        "three images of one id",
        lambda content: [image.update(id=11) for image in content["images"]],
        r"image 11, id: another image has this id too",
        None,
    ),
    *vary(
        "images",
        "file_name",
        {
            **{k: v for k, v in WRONG_KINDS.items() if k != "text"},
            "missing": MISSING,
            "empty": "",
            "number": 5,
        },
        r"image 12, file_name: missing or not a text",
    ),
    *(
        case(f"file_name {name}", put("images", "file_name", value), says)
        for name, value, says in (
            ("blank", "  ", r"image 12, file_name: .*no file name"),
            ("absolute", "/etc/passwd", r"image 12, file_name: .*absolute"),
            ("with a drive", "C:/b.png", r"image 12, file_name: .*absolute"),
            ("above the folder", "../b.png", r"image 12, file_name: .*leads out"),
            ("hidden ascent", "x/../../b.png", r"image 12, file_name: .*leads out"),
            ("backslash", "x\\b.png", r"image 12, file_name: .*backslash"),
            ("NUL", "b\0.png", r"image 12, file_name: .*character"),
            ("line break", "b\n.png", r"image 12, file_name: .*character"),
            ("line separator", "b\u2028.png", r"image 12, file_name: .*character"),
            ("not UTF-8", "b\udcff.png", r"image 12, file_name: .*character"),
        )
    ),
    *(
        case(f"file_name {name}", put("images", "file_name", value), says, file=file)
        for name, value, file, says in (
            ("of no file", "d.png", "d.png", r"image 12: the file is missing"),
            ("of a folder", ".", "images", r"image 12: this is not a file"),
            ("too long", "b" * 300, "bbb", r"image 12: the file cannot be reached"),
            (
                "in capitals",
                "B.PNG",
                "B.PNG",
                r"image 12: the file is missing, but there is 'b.png', whose name "
                "differs in upper and lower case only",
            ),
            (
                "with a blank",
                " b.png",
                " b.png",
                r"image 12: .*there is 'b.png'.*spaces or invisible characters only",
            ),
        )
    ),
    case(
        "repeated file_name",
        put("images", "file_name", "a.png"),
        r"image 12, file_name: image 11 is 'a.png' too",
        ("c.png",),
    ),
    case(
        "file_name repeated in another spelling",
        put("images", "file_name", "./a.png"),
        r"image 12, file_name: image 11 is '.*a.png' too",
        ("c.png",),
    ),
    *(
        made
        for field in ("width", "height")
        for made in vary(
            "images",
            field,
            {
                **{k: v for k, v in WRONG_KINDS.items() if k != "null"},
                "negative": -5,
                "fraction": 20.5,
                "NaN": math.nan,
                "beyond 32 bits": 2**31,
                "beyond 64 bits": 2**70,
            },
            rf"image 12, {field}: .* not a positive integer",
        )
    ),
    case(
        "size unlike the file's",
        put("images", "width", 40),
        r"image 12, size: the file is 30 wide and 20 high, .* 40 and 20",
        file="b.png",
    ),
    case(
        "size too small for the box",
        put("images", "width", 9),
        r"image 12, box: the dog box .* 9 wide .* outside",
        num_problems=2,
        file="b.png",
    ),
    *(
        case(
            f"images[1] {name}",
            lambda content, value=value: content["images"].__setitem__(1, value),
            r"images\[1\]: not an image record",
            num_problems=3,
        )
        for name, value in (("null", None), ("number", 5), ("text", "b.png"))
    ),
]

ANNOTATIONS = [
    *vary(
        "annotations",
        "image_id",
        {**WRONG_KINDS, "missing": MISSING, "float": 12.0, "huge": 2**70},
        r"annotation 2, image_id: .*not an integer",
        kept=("a.png", "b.png", "c.png"),
    ),
    case(
        "annotation of an unknown image",
        put("annotations", "image_id", 99),
        r"annotation 2, image_id: no image has id 99",
        ("a.png", "b.png", "c.png"),
    ),
    *vary(
        "annotations",
        "category_id",
        {**WRONG_KINDS, "missing": MISSING, "float": 5.0, "huge": -(2**70)},
        r"annotation 2, category_id: .*not an integer",
    ),
    *vary(
        "annotations",
        "category_id",
        {"unknown": 9, "in a gap of the ids": 3, "zero": 0, "negative": -1},
        r"annotation 2, category_id: no category has id",
    ),
    *vary(
        "annotations",
        "id",
        {**WRONG_KINDS, "float": 2.0, "huge": 2**70},
        r"id: .*not an integer",
    ),
    case(
        "repeated annotation id",
        put("annotations", "id", 1),
        r"annotation 1, id: another annotation has this id too",
        ("c.png",),
        2,
    ),
    *vary(
        "annotations",
        "bbox",
        {
            **{k: v for k, v in WRONG_KINDS.items()},
            "missing": MISSING,
            "empty": [],
            "three numbers": [1, 2, 3],
            "five numbers": [1, 2, 3, 4, 5],
            "texts": ["1", "2", "3", "4"],
            "nested": [[1, 2], [3, 4]],
            "with null": [1, 2, None, 4],
            "with bool": [1, 2, True, 4],
            "NaN": [math.nan, 3, 9, 6],
            "NaN width": [4, 3, math.nan, 6],
            "Infinity": [4, 3, math.inf, 6],
            "-Infinity": [-math.inf, 3, 9, 6],
            "beyond float64": [4, 3, 10**400, 6],
            "far away": [1e300, 3, 5, 6],
            "endless": [1e308, 3, 1.7e308, 6],
        },
        r"annotation 2, bbox: .* is not four finite numbers",
    ),
    *vary(
        "annotations",
        "bbox",
        {"negative width": [9, 3, -5, 6], "negative height": [4, 9, 5, -6]},
        r"annotation 2, bbox: .* has a negative width or height",
    ),
    *vary(
        "annotations",
        "bbox",
        {
            "right of the image": [31, 3, 5, 6],
            "below the image": [4, 22, 5, 6],
            "left of the image": [-9, 3, 5, 6],
            "above the image": [4, -9, 5, 6],
            "over the edge": [4, 3, 30, 6],
            "a million pixels away": [1e6, 3, 5, 6],
        },
        r"image 12, box: the dog box .* lies outside the image",
        file="b.png",
    ),
    *vary(
        "annotations",
        "area",
        {
            **{k: v for k, v in WRONG_KINDS.items() if k != "null"},
            "NaN": math.nan,
            "Infinity": math.inf,
        },
        r"annotation 2, area: .* is not",
    ),
    *vary("annotations", "area", {"negative": -4}, r"annotation 2, area: -4.0 is"),
    *vary(
        "annotations",
        "iscrowd",
        {
            **{k: v for k, v in WRONG_KINDS.items() if k != "null"},
            "2": 2,
            "-1": -1,
            "float": 0.5,
        },
        r"annotation 2, iscrowd: ",
    ),
    *(
        case(
            f"annotations[1] {name}",
            lambda content, value=value: content["annotations"].__setitem__(1, value),
            r"annotations\[1\]: not a JSON object",
            ("a.png", "b.png", "c.png"),
        )
        for name, value in (("null", None), ("list", [1]), ("text", "b.png"))
    ),
    case(
        "no annotation at all",
        lambda content: content["annotations"].clear(),
        r"no image is annotated|annotat",
        None,
    ),
]

CASES = [*IMAGES, *ANNOTATIONS]
