"""The results of make_table.py as Markdown."""

_GIB = 1 << 30
_TOP_KERNELS = 25


def write_markdown(results) -> str:
    height, width = results["canvas"]
    facts = ", ".join(f"{k} {_show_fact(v)}" for k, v in results["facts"].items())
    sections = [f"# Speed at {height} × {width}\n\n{facts}\n"]
    if results["rows"]:
        sections.append(_write_rows(results["rows"]))
    for precision, profile in results.get("profiles", {}).items():
        sections.append(_write_profile(precision, profile))
    for kind, graph in results.get("graphs", {}).items():
        sections.append(_write_graph(kind, graph))
    if "ops" in results:
        sections.append(f"## Ops\n\n{results['ops']}")
    return "\n".join(sections)


def _show_fact(value):
    return f"{value:.1f}" if isinstance(value, float) else value


def _write_rows(rows):
    """Ratios are to torchvision, and of bfloat16 to our own float32."""
    medians = {row["name"]: row["ours"]["median"] for row in rows}
    lines = [
        "| | ours, ms | spread | torchvision, ms | ratio | asked | of our float32 "
        "| memory, GiB | first call, s |",
        "|---|---|---|---|---|---|---|---|---|",
    ]
    for row in rows:
        ours, theirs = row["ours"], row.get("torchvision")
        cells = [row["label"], _ms(ours["median"]), _spread(ours["seconds"])]
        if theirs:
            ratio = ours["median"] / theirs["median"]
            cells += [_ms(theirs["median"]), f"{ratio:.2f}"]
        else:
            cells += ["–", "–"]
        cells.append(f"≤ {row['target']}")
        full = medians.get(row["name"].removesuffix("_bf16"))
        is_half = row["precision"] == "bfloat16" and full
        cells.append(f"{ours['median'] / full:.2f}" if is_half else "–")
        peak = ours.get("peak_bytes")
        cells.append(f"{peak / _GIB:.1f}" if peak else "–")
        cells.append(f"{ours['first_seconds']:.1f}")
        lines.append(f"| {' | '.join(cells)} |")
    return "\n".join(lines) + "\n"


def _write_profile(precision, profile):
    where = "GPU" if profile["device"] == "gpu" else "host (no trace of the GPU)"
    lines = [
        f"## Where a training step of batch 8 goes, {precision}, {where}\n",
        f"{profile['busy_ms']:.1f} ms in {profile['launches']:.0f} operations a step\n",
        "| | ms | launches |",
        "|---|---|---|",
    ]
    groups = sorted(profile["groups"].items(), key=lambda item: -item[1][0])
    kernels = list(profile["kernels"].items())[:_TOP_KERNELS]
    for name, (milliseconds, launches) in groups + [("", ("", ""))] + kernels:
        if name:
            lines.append(f"| {name} | {milliseconds:.2f} | {launches:.0f} |")
        else:
            lines += ["", "| kernel | ms | launches |", "|---|---|---|"]
    return "\n".join(lines).replace("_", r"\_") + "\n"


def _write_graph(kind, graph):
    nodes = list(graph["nodes_by_type"].items())[:12]
    moved = list(graph["bytes_by_type"].items())[:12]
    return (
        f"## The optimised {kind} graph, batch 2\n\n"
        f"{graph['nodes']:,} nodes: "
        + ", ".join(f"{count:,} {name}" for name, count in nodes)
        + f"; activation-sized elementwise operations move "
        f"{graph['elementwise_bytes'] / 1e9:.1f} GB: "
        + ", ".join(f"{count / 1e9:.1f} {name}" for name, count in moved)
        + f" ({graph['unknown_shapes']} operations of unknown shape left out); "
        f"on a GPU {len(graph['host_copies'])} tensors would pass through the host: "
        + (", ".join(sorted(graph["host_copies"])) or "none")
        + "\n"
    )


def _ms(seconds):
    return f"{1e3 * seconds:.1f}"


def _spread(seconds):
    return f"{1e3 * min(seconds):.1f}–{1e3 * max(seconds):.1f}"
