"""Axes: margins, ticks and names."""

from ehsod_tf.visualization.charts.svg import QUIET, WIDTH

MARGINS = {"left": 46, "right": 12, "top": 8, "bottom": 24}
# Width of a letter of the ticks, in units of the chart.
LETTER = 6.2


def fit(figure, axes, **margins):
    """Sets the axes into the figure; after this, data have their final places."""
    sides = MARGINS | margins
    if axes.get_xlabel():
        sides["bottom"] += 14
    height = figure.bbox.height
    figure.subplots_adjust(
        left=sides["left"] / WIDTH,
        right=1 - sides["right"] / WIDTH,
        top=1 - sides["top"] / height,
        bottom=sides["bottom"] / height,
    )


def name_axes(axes, x_name, y_name):
    """Names both axes; "" leaves the y axis without a name."""
    axes.set_xlabel(spell(x_name), fontsize=10.5, color=QUIET, labelpad=1)
    if y_name:
        axes.set_ylabel(spell(y_name), fontsize=10.5, color=QUIET, labelpad=2)


def count_ticks(axes):
    """Sets ticks at whole numbers up the y axis."""
    axes.yaxis.set_major_locator(locate(5, integer=True))
    axes.yaxis.set_major_formatter("{x:,.0f}")


def locate(most, **keywords):
    """A locator of at most about `most` round ticks."""
    from matplotlib.ticker import MaxNLocator

    return MaxNLocator(most, **keywords)


def locate_log(low, high):
    """Ticks at 1, 2 and 5 times the powers of ten, or the powers alone; and at 0."""
    from matplotlib.ticker import FixedLocator

    ticks = [f * 10**k for k in range(9) for f in (1, 2, 5)]
    ticks = [tick for tick in ticks if low <= tick <= high]
    if len(ticks) > 6:
        ticks = ticks[::3]
    return FixedLocator([0, *ticks] if low < 0 else ticks)


def shorten(name, most=22):
    """A name of at most `most` letters."""
    return name if len(name) <= most else f"{name[: most - 1]}…"


def spell(name):
    """A name as matplotlib writes it as it is: "$" would begin a formula."""
    return shorten(name).replace("$", r"\$").encode("utf-8", "replace").decode()


def format_value(value):
    """Four digits, as keys and the mouse say them."""
    return f"{value:.4g}"
