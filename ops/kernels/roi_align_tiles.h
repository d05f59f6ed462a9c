// The index arithmetic of RoIAlign's backward in CUDA: maps cut into tiles of cells, the
// cells that a box touches, the weight of a cell in a bin. Plain functions, so that
// tests run them on the CPU.
#ifndef EHSOD_KERNELS_ROI_ALIGN_TILES_H_
#define EHSOD_KERNELS_ROI_ALIGN_TILES_H_

#include <cstdint>

#include "roi_align_math.h"

namespace ehsod {

inline constexpr int kTileSide = 8;
// The rows of a tile, then its columns.
inline constexpr int kTileAxes = 2 * kTileSide;

// How the tiles of all maps are numbered: the coarsest level first, as most boxes meet
// in a tile there.
struct TileGrid {
  int num_levels;
  // Before the tiles of level L - 1 - k; the last is the number of all tiles.
  int64_t starts[kMaxLevels + 1];
  int tile_rows[kMaxLevels];
  int tile_columns[kMaxLevels];
};

struct Tile {
  int level;
  int64_t image;
  int first_row;
  int first_column;
};

inline TileGrid MakeTileGrid(const RoiAlignProblem& problem) {
  TileGrid grid = {};
  grid.num_levels = static_cast<int>(problem.num_levels);
  for (int k = 0; k < grid.num_levels; ++k) {
    const int level = grid.num_levels - 1 - k;
    const int64_t rows = (problem.heights[level] + kTileSide - 1) / kTileSide;
    const int64_t columns = (problem.widths[level] + kTileSide - 1) / kTileSide;
    grid.tile_rows[level] = static_cast<int>(rows);
    grid.tile_columns[level] = static_cast<int>(columns);
    grid.starts[k + 1] = grid.starts[k] + problem.batch * rows * columns;
  }
  return grid;
}

EHSOD_HOST_DEVICE Tile FindTile(const TileGrid& grid, int64_t number) {
  int k = 0;
  while (number >= grid.starts[k + 1]) ++k;
  const int level = grid.num_levels - 1 - k;
  const int64_t within = number - grid.starts[k];
  const int64_t map_row = within / grid.tile_columns[level];
  return {level, map_row / grid.tile_rows[level],
          static_cast<int>(map_row % grid.tile_rows[level]) * kTileSide,
          static_cast<int>(within % grid.tile_columns[level]) * kTileSide};
}

// Whether samples 0 to `samples` - 1 of a box may touch one of the cells of a tile that
// start at `first`, along one axis. Positions are monotonic in the sample's number, so
// the outermost two bound them all.
EHSOD_HOST_DEVICE bool MayTouch(float start, float step, int samples, int extent,
                                int first) {
  const float one_end = PositionOf(start, step, 0);
  const float other_end = PositionOf(start, step, samples - 1);
  const float low = one_end < other_end ? one_end : other_end;
  const float high = one_end < other_end ? other_end : one_end;
  if (!(high >= -1.0f && low <= static_cast<float>(extent))) return false;
  return ClampPosition(low, extent) < static_cast<float>(first + kTileSide) &&
         ClampPosition(high, extent) + 1.0f > static_cast<float>(first);
}

// The weight of one cell along one axis in one bin, times the sampling ratio.
EHSOD_HOST_DEVICE float WeighCell(float start, float step, int bin, int ratio,
                                  int extent, int cell) {
  float weight = 0.0f;
  for (int u = 0; u < ratio; ++u) {
    const AxisSample sample = PlaceSample(start, step, bin * ratio + u, extent);
    if (!sample.inside) continue;
    if (sample.low == cell) weight += 1.0f - sample.fraction;
    if (sample.high == cell) weight += sample.fraction;
  }
  return weight;
}

}  // namespace ehsod

#endif  // EHSOD_KERNELS_ROI_ALIGN_TILES_H_
