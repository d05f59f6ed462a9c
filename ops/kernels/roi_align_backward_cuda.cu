// The backward of RoIAlign in CUDA: a block owns a tile of cells and gathers what the
// boxes send there, in the boxes' order. Nothing is added by two threads, so the same
// inputs give the same bits.
//
// A warp sums one row of the tile, 16 bytes a lane, in registers. Each bin that it
// reads serves all cells of the row; the warps of a block meet in the first-level cache.
#include "roi_align_cuda.cuh"
#include "roi_align_tiles.h"

namespace ehsod {
namespace {

constexpr int kWarps = kTileSide;
constexpr int kThreads = kWarps * kWarpSize;
constexpr int kMaxHits = 2 * kThreads;
// For a bin of 7 x 7, the weights of 18 boxes at a time.
constexpr int kMaxWeights = 2048;
static_assert(kMaxWeights >= kMaxOutputSize * kTileAxes);
// How much of the bins a thread reads at a time.
constexpr int kFloatsPerStep = 16;

// A box that may touch the tile, and where its samples lie.
struct Hit {
  int box;
  float start_y, start_x;
  float step_y, step_x;
};

struct SharedTile {
  Hit hits[kMaxHits];
  int hits_per_warp[kWarps];
  // [hits of a batch, bins, rows and columns of the tile]
  alignas(16) float weights[kMaxWeights];
};

// Appends those of the next kThreads boxes that may touch the tile, in their order;
// returns how many are listed now.
template <typename Element>
__device__ int ListHits(const Pyramid<Element>& pyramid, const Tile& tile,
                        const float* __restrict__ boxes, int64_t first_box, int listed,
                        SharedTile* shared) {
  const int lane = threadIdx.x % kWarpSize, warp = threadIdx.x / kWarpSize;
  const int64_t n = first_box + threadIdx.x;
  Hit hit = {};
  bool touches = false;
  if (n < pyramid.num_boxes) {
    const int64_t box = tile.image * pyramid.num_boxes + n;
    const int samples = pyramid.output_size * pyramid.sampling_ratio;
    const LevelBox place =
        PlaceBox(boxes + 4 * box, pyramid.min_level, pyramid.num_levels, samples);
    touches = place.level == tile.level &&
              MayTouch(place.start_y, place.step_y, samples,
                       pyramid.heights[tile.level], tile.first_row) &&
              MayTouch(place.start_x, place.step_x, samples, pyramid.widths[tile.level],
                       tile.first_column);
    hit = {static_cast<int>(box), place.start_y, place.start_x, place.step_y,
           place.step_x};
  }
  const unsigned ballot = __ballot_sync(kAllLanes, touches);
  if (lane == 0) shared->hits_per_warp[warp] = __popc(ballot);
  __syncthreads();
  int slot = listed + __popc(ballot & ((1u << lane) - 1));
  for (int w = 0; w < kWarps; ++w) {
    if (w < warp) slot += shared->hits_per_warp[w];
    listed += shared->hits_per_warp[w];
  }
  if (touches) shared->hits[slot] = hit;
  __syncthreads();
  return listed;
}

// Fills the table of weights for hits first to first + count - 1.
template <typename Element>
__device__ void WeighHits(const Pyramid<Element>& pyramid, const Tile& tile, int first,
                          int count, SharedTile* shared) {
  const int size = pyramid.output_size, ratio = pyramid.sampling_ratio;
  const int height = pyramid.heights[tile.level], width = pyramid.widths[tile.level];
  for (int m = threadIdx.x; m < count * size * kTileAxes; m += kThreads) {
    const int axis = m % kTileAxes, bin = m / kTileAxes % size;
    const Hit& hit = shared->hits[first + m / (kTileAxes * size)];
    shared->weights[m] =
        axis < kTileSide
            ? WeighCell(hit.start_y, hit.step_y, bin, ratio, height,
                        tile.first_row + axis)
            : WeighCell(hit.start_x, hit.step_x, bin, ratio, width,
                        tile.first_column + axis - kTileSide);
  }
}

// Bins first to end - 1, along one axis.
struct BinRange {
  int first, end;
};

// The bins of a hit that touch this warp's row, and those that touch a column of the
// tile. Bins follow one another along an axis, so each set has no gap.
__device__ __forceinline__ void FindBins(const float* weights, int size, int row,
                                         BinRange* rows, BinRange* columns) {
  uint64_t row_mask = 0, column_mask = 0;
  for (int base = 0; base < size; base += kWarpSize) {
    const int bin = base + threadIdx.x % kWarpSize;
    bool touches_row = false, touches_column = false;
    if (bin < size) {
      const float* of_bin = weights + bin * kTileAxes;
      touches_row = of_bin[row] != 0.0f;
#pragma unroll
      for (int x = 0; x < kTileSide; ++x) {
        touches_column |= of_bin[kTileSide + x] != 0.0f;
      }
    }
    row_mask |= static_cast<uint64_t>(__ballot_sync(kAllLanes, touches_row)) << base;
    column_mask |= static_cast<uint64_t>(__ballot_sync(kAllLanes, touches_column))
                   << base;
  }
  *rows = {__ffsll(row_mask) - 1, row_mask == 0 ? -1 : 64 - __clzll(row_mask)};
  *columns = {__ffsll(column_mask) - 1,
              column_mask == 0 ? -1 : 64 - __clzll(column_mask)};
}

// kCount channels of the cells of one row of a tile.
template <int kCount>
struct RowSums {
  float cells[kTileSide][kCount] = {};

  // `weights` are those of the columns in one column of bins.
  __device__ __forceinline__ void Add(const float* weights,
                                      const float (&values)[kCount]) {
#pragma unroll
    for (int x = 0; x < kTileSide; ++x) {
#pragma unroll
      for (int k = 0; k < kCount; ++k) cells[x][k] += weights[x] * values[k];
    }
  }
};

// Adds what one box sends to this warp's row. `bins` points to this lane's channels;
// null where it has none. Interpolation is separable: the bins that lie one below the
// other are added up first, then shared out among the cells.
template <typename T, int kCount>
__device__ __forceinline__ void AddHit(const T* __restrict__ bins, int channels,
                                       int size, const float* weights, int row,
                                       RowSums<kCount>* sums) {
  constexpr int kBins = kFloatsPerStep / kCount;
  BinRange rows, columns;
  FindBins(weights, size, row, &rows, &columns);
  if (rows.first >= rows.end || bins == nullptr) return;
  for (int first = columns.first; first < columns.end; first += kBins) {
    float values[kBins][kCount] = {};
    for (int i = rows.first; i < rows.end; ++i) {
      const float row_weight = weights[i * kTileAxes + row];
      Pack<T, kCount> packs[kBins];
#pragma unroll
      for (int q = 0; q < kBins; ++q) {
        // Past the end the last bin is read once more, and not used.
        const int j = min(first + q, columns.end - 1);
        packs[q] = *reinterpret_cast<const Pack<T, kCount>*>(
            bins + static_cast<int64_t>(i * size + j) * channels);
      }
#pragma unroll
      for (int q = 0; q < kBins; ++q) {
#pragma unroll
        for (int k = 0; k < kCount; ++k) {
          values[q][k] += row_weight * LoadElement(packs[q].elements[k]);
        }
      }
    }
#pragma unroll
    for (int q = 0; q < kBins; ++q) {
      if (first + q >= columns.end) continue;
      sums->Add(weights + (first + q) * kTileAxes + kTileSide, values[q]);
    }
  }
}

template <typename T, int kCount>
__device__ __forceinline__ void StoreRow(const Pyramid<T>& pyramid, const Tile& tile,
                                         int row, int channel,
                                         const RowSums<kCount>& sums) {
  const int height = pyramid.heights[tile.level], width = pyramid.widths[tile.level];
  if (tile.first_row + row >= height || channel >= pyramid.channels) return;
  const float share =
      1.0f / static_cast<float>(pyramid.sampling_ratio * pyramid.sampling_ratio);
  const int64_t first_cell =
      (tile.image * height + tile.first_row + row) * width + tile.first_column;
  T* target = pyramid.maps[tile.level] + first_cell * pyramid.channels + channel;
#pragma unroll
  for (int x = 0; x < kTileSide; ++x) {
    if (tile.first_column + x >= width) continue;
    Pack<T, kCount> pack;
#pragma unroll
    for (int k = 0; k < kCount; ++k) {
      pack.elements[k] = StoreElement<T>(share * sums.cells[x][k]);
    }
    *reinterpret_cast<Pack<T, kCount>*>(target + static_cast<int64_t>(x) *
                                                     pyramid.channels) = pack;
  }
}

// A unit of work is a tile and a slice of its channels, which follow one another.
template <typename T, int kCount>
__global__ void __launch_bounds__(kThreads, kCount > 4 ? 2 : 3)
    BackwardKernel(const __grid_constant__ Pyramid<T> pyramid,
                   const __grid_constant__ TileGrid grid, int slices,
                   const float* __restrict__ boxes,
                   const T* __restrict__ pooled_gradient, int64_t units) {
  __shared__ SharedTile shared;
  const int size = pyramid.output_size, channels = pyramid.channels;
  const int lane = threadIdx.x % kWarpSize, row = threadIdx.x / kWarpSize;
  const int hits_per_batch = kMaxWeights / (size * kTileAxes);
  const int64_t box_elements = static_cast<int64_t>(size) * size * channels;
  for (int64_t unit = blockIdx.x; unit < units; unit += gridDim.x) {
    const Tile tile = FindTile(grid, unit / slices);
    const int channel =
        (static_cast<int>(unit % slices) * kWarpSize + lane) * kCount;
    RowSums<kCount> sums;
    int listed = 0;
    for (int64_t first_box = 0; first_box < pyramid.num_boxes; first_box += kThreads) {
      listed = ListHits(pyramid, tile, boxes, first_box, listed, &shared);
      const bool is_last = first_box + kThreads >= pyramid.num_boxes;
      if (!is_last && listed + kThreads <= kMaxHits) continue;
      for (int first = 0; first < listed; first += hits_per_batch) {
        const int count = min(hits_per_batch, listed - first);
        WeighHits(pyramid, tile, first, count, &shared);
        __syncthreads();
        for (int k = 0; k < count; ++k) {
          const T* bins = pooled_gradient + shared.hits[first + k].box * box_elements;
          AddHit(channel < channels ? bins + channel : nullptr, channels, size,
                 shared.weights + k * size * kTileAxes, row, &sums);
        }
        __syncthreads();
      }
      listed = 0;
    }
    StoreRow(pyramid, tile, row, channel, sums);
  }
}

template <typename T, int kCount>
const char* LaunchBackward(const RoiAlignProblem& problem, const float* boxes,
                           const T* pooled_gradient, T* const* gradients,
                           cudaStream_t stream) {
  const TileGrid grid = MakeTileGrid(problem);
  const int64_t channels_per_slice = kWarpSize * kCount;
  const int64_t slices =
      (problem.channels + channels_per_slice - 1) / channels_per_slice;
  const int64_t units = grid.starts[grid.num_levels] * slices;
  return Launch(BackwardKernel<T, kCount>, units, dim3(kThreads), stream,
                MakePyramid<T>(problem, gradients), grid, static_cast<int>(slices),
                boxes, pooled_gradient, units);
}

}  // namespace

template <typename T>
const char* RoiAlignBackwardCuda(const RoiAlignProblem& problem, const float* boxes,
                                 const T* pooled_gradient, T* const* gradients,
                                 CUstream_st* stream) {
  constexpr int kCount = 16 / sizeof(T);
  if (CanPack(problem, gradients, pooled_gradient, kCount * sizeof(T))) {
    return LaunchBackward<T, kCount>(problem, boxes, pooled_gradient, gradients,
                                     stream);
  }
  return LaunchBackward<T, 1>(problem, boxes, pooled_gradient, gradients, stream);
}

#define EHSOD_INSTANTIATE(T)                                             \
  template const char* RoiAlignBackwardCuda(const RoiAlignProblem&,      \
                                            const float*, const T*, T* const*, \
                                            CUstream_st*);
EHSOD_INSTANTIATE(float)
EHSOD_INSTANTIATE(BFloat16)
EHSOD_INSTANTIATE(Half)
#undef EHSOD_INSTANTIATE

}  // namespace ehsod
