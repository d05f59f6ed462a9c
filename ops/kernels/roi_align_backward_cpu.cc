// The backward of RoIAlign on the CPU, vectorised over channels.
//
// Each gradient is cut into bands of rows, and each band is summed by one thread, so no
// two threads add to the same cell and the order of additions is fixed.
#include <algorithm>
#include <cstdint>
#include <type_traits>

#include "cpu_dispatch.h"
#include "ehsod/roi_align.h"
#include "roi_align_cells_cpu.h"

namespace ehsod {
namespace {

// Adds weight * gradient to kVectors vectors of channels of all cells.
template <typename Isa, int kVectors, typename T>
EHSOD_ALWAYS_INLINE void SpreadBlock(const Cells<float>& cells, int64_t channel,
                                     const T* bin) {
  typename Isa::Floats gradients[kVectors];
#pragma GCC unroll 8
  for (int v = 0; v < kVectors; ++v) {
    Load<Isa>(bin + channel + v * Isa::kLanes, &gradients[v]);
  }
  for (int k = 0; k < cells.count; ++k) {
    float* cell = cells.start[k] + channel;
    const float weight = cells.weight[k];
#pragma GCC unroll 8
    for (int v = 0; v < kVectors; ++v) {
      typename Isa::Floats values;
      Load<Isa>(cell + v * Isa::kLanes, &values);
      values += weight * gradients[v];
      Store<Isa>(values, cell + v * Isa::kLanes);
    }
  }
}

template <typename Isa, typename T>
EHSOD_ALWAYS_INLINE void SpreadBin(const Cells<float>& cells, int64_t channels,
                                   const T* bin) {
  int64_t c = 0;
  for (; c + 8 * Isa::kLanes <= channels; c += 8 * Isa::kLanes) {
    SpreadBlock<Isa, 8>(cells, c, bin);
  }
  for (; c + Isa::kLanes <= channels; c += Isa::kLanes) {
    SpreadBlock<Isa, 1>(cells, c, bin);
  }
  for (; c < channels; ++c) {
    for (int k = 0; k < cells.count; ++k) {
      cells.start[k][c] += cells.weight[k] * ToFloat(bin[c]);
    }
  }
}

// A run of rows of one gradient, about as much as a core's second-level cache holds.
struct Band {
  int64_t image;
  int level;
  int first_row;
  int last_row;
};

constexpr int64_t kBandFloats = 256 * 1024;

int64_t RowsPerBand(const RoiAlignProblem& problem, int64_t level) {
  const int64_t row = std::max<int64_t>(problem.widths[level] * problem.channels, 1);
  return std::min(std::max<int64_t>(kBandFloats / row, 1), problem.heights[level]);
}

int64_t BandsPerMap(const RoiAlignProblem& problem, int64_t level) {
  const int64_t rows = RowsPerBand(problem, level);
  return (problem.heights[level] + rows - 1) / rows;
}

Band FindBand(const RoiAlignProblem& problem, int64_t number) {
  int64_t level = 0;
  while (number >= problem.batch * BandsPerMap(problem, level)) {
    number -= problem.batch * BandsPerMap(problem, level);
    ++level;
  }
  const int64_t per_map = BandsPerMap(problem, level);
  const int64_t rows = RowsPerBand(problem, level);
  const int64_t first = number % per_map * rows;
  const int64_t last = std::min(first + rows, problem.heights[level]) - 1;
  return {number / per_map, static_cast<int>(level), static_cast<int>(first),
          static_cast<int>(last)};
}

void KeepRows(const Band& band, AxisTaps* taps) {
  int kept = 0;
  for (int k = 0; k < taps->count; ++k) {
    if (taps->index[k] < band.first_row || taps->index[k] > band.last_row) continue;
    taps->index[kept] = taps->index[k] - band.first_row;
    taps->weight[kept] = taps->weight[k];
    ++kept;
  }
  taps->count = kept;
}

// Whether no sample of the box can reach the band; errs on the side of false.
bool Misses(const LevelBox& place, int samples, int height, const Band& band) {
  const float first = place.start_y;
  const float last = place.start_y + static_cast<float>(samples) * place.step_y;
  const float low = std::min(first, last) - 2.0f;
  const float high = std::max(first, last) + 2.0f;
  // Samples just outside are clamped into the first or the last row.
  return (low > static_cast<float>(band.last_row) && band.last_row < height - 1) ||
         (high < static_cast<float>(band.first_row) && band.first_row > 0);
}

template <typename Isa, typename T>
EHSOD_ALWAYS_INLINE void AddBox(const RoiAlignProblem& problem, const float* boxes,
                                int64_t box, const T* pooled_gradient, const Band& band,
                                BoxPlan* plan, Cells<float>* cells, float* sums) {
  const int size = static_cast<int>(problem.output_size);
  const int ratio = static_cast<int>(problem.sampling_ratio);
  const int64_t channels = problem.channels;
  const T* bins = pooled_gradient + box * size * size * channels;
  const int height = static_cast<int>(problem.heights[band.level]);
  const LevelBox place = PlaceBox(boxes + 4 * box, static_cast<int>(problem.min_level),
                                  static_cast<int>(problem.num_levels), size * ratio);
  if (Misses(place, size * ratio, height, band)) return;
  PlanBox(problem, boxes, box, plan);
  AxisTaps rows;
  for (int i = 0; i < size; ++i) {
    FillTaps(place.start_y, place.step_y, i, ratio, height, &rows);
    KeepRows(band, &rows);
    if (rows.count == 0) continue;
    for (int j = 0; j < size; ++j) {
      CombineTaps(rows, plan->columns[j], sums, plan->width * channels, channels,
                  cells);
      SpreadBin<Isa>(*cells, channels, bins + (i * size + j) * channels);
    }
  }
}

template <typename Isa, typename T>
EHSOD_ALWAYS_INLINE void BackwardBody(const RoiAlignProblem& problem,
                                      const float* boxes, const int32_t* order,
                                      const int32_t* offsets, const T* pooled_gradient,
                                      int64_t begin, int64_t end, float* scratch,
                                      T* const* gradients) {
  BoxPlan plan;
  Cells<float> cells;
  for (int64_t number = begin; number < end; ++number) {
    const Band band = FindBand(problem, number);
    const int64_t row_stride = problem.widths[band.level] * problem.channels;
    const int64_t count = (band.last_row - band.first_row + 1) * row_stride;
    T* target =
        gradients[band.level] +
        (band.image * problem.heights[band.level] + band.first_row) * row_stride;
    float* sums = scratch;
    if constexpr (std::is_same_v<T, float>) sums = target;
    std::fill_n(sums, count, 0.0f);
    const int32_t* group = offsets + band.image * problem.num_levels + band.level;
    for (int32_t k = group[0]; k < group[1]; ++k) {
      AddBox<Isa>(problem, boxes, order[k], pooled_gradient, band, &plan, &cells, sums);
    }
    if constexpr (!std::is_same_v<T, float>) {
      for (int64_t k = 0; k < count; ++k) target[k] = FromFloat<T>(sums[k]);
    }
  }
}

// The body, once per instruction set.
#define EHSOD_INSTANTIATE(isa, attributes)                                            \
  template <typename T>                                                               \
  attributes void Backward##isa(const RoiAlignProblem& problem, const float* boxes,   \
                                const int32_t* order, const int32_t* offsets,         \
                                const T* pooled_gradient, int64_t begin, int64_t end, \
                                float* scratch, T* const* gradients) {                \
    BackwardBody<isa>(problem, boxes, order, offsets, pooled_gradient, begin, end,    \
                      scratch, gradients);                                            \
  }
EHSOD_INSTANTIATE(Baseline, )
#ifdef __x86_64__
EHSOD_INSTANTIATE(Avx2, EHSOD_TARGET_AVX2)
EHSOD_INSTANTIATE(Avx512, EHSOD_TARGET_AVX512)
#endif
#undef EHSOD_INSTANTIATE

}  // namespace

int64_t CountGradientBands(const RoiAlignProblem& problem) {
  int64_t bands = 0;
  for (int64_t level = 0; level < problem.num_levels; ++level) {
    bands += problem.batch * BandsPerMap(problem, level);
  }
  return bands;
}

template <typename T>
int64_t CountGradientScratch(const RoiAlignProblem& problem) {
  if (std::is_same_v<T, float>) return 0;
  int64_t largest = 0;
  for (int64_t level = 0; level < problem.num_levels; ++level) {
    largest = std::max(largest, RowsPerBand(problem, level) * problem.widths[level] *
                                    problem.channels);
  }
  return largest;
}

template <typename T>
void RoiAlignBackwardCpu(const RoiAlignProblem& problem, const float* boxes,
                         const int32_t* order, const int32_t* offsets,
                         const T* pooled_gradient, int64_t begin, int64_t end,
                         float* scratch, T* const* gradients) {
  switch (DetectInstructionSet()) {
#ifdef __x86_64__
    case InstructionSet::kAvx512:
      return BackwardAvx512(problem, boxes, order, offsets, pooled_gradient, begin, end,
                            scratch, gradients);
    case InstructionSet::kAvx2:
      return BackwardAvx2(problem, boxes, order, offsets, pooled_gradient, begin, end,
                          scratch, gradients);
#endif
    default:
      return BackwardBaseline(problem, boxes, order, offsets, pooled_gradient, begin,
                              end, scratch, gradients);
  }
}

#define EHSOD_INSTANTIATE(T)                                                           \
  template int64_t CountGradientScratch<T>(const RoiAlignProblem&);                    \
  template void RoiAlignBackwardCpu(const RoiAlignProblem&, const float*,              \
                                    const int32_t*, const int32_t*, const T*, int64_t, \
                                    int64_t, float*, T* const*);
EHSOD_INSTANTIATE(float)
EHSOD_INSTANTIATE(BFloat16)
EHSOD_INSTANTIATE(Half)
#undef EHSOD_INSTANTIATE

}  // namespace ehsod
