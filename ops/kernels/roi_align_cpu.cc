// RoIAlign on the CPU, vectorised over channels.
//
// Interpolation is separable: a bin is a sum over a few rows times a sum over a few
// columns. The taps of both axes are merged first, so that samples which share a cell
// read it once, and then combined into one flat list of cells and weights per bin.
#include <sys/mman.h>

#include <algorithm>
#include <cstdint>
#include <type_traits>

#include "cpu_dispatch.h"
#include "ehsod/roi_align.h"
#include "roi_align_math.h"

namespace ehsod {
namespace {

constexpr int kMaxTaps = 2 * kMaxSamplingRatio;
constexpr int kMaxCells = kMaxTaps * kMaxTaps;

// The cells along one axis that make up one bin; the weights include 1 / r.
struct AxisTaps {
  int count;
  int32_t index[kMaxTaps];
  float weight[kMaxTaps];
};

void AddTap(AxisTaps* taps, int index, float weight) {
  // Positions are monotonic: only the last two taps can be this cell.
  for (int k = taps->count - 1; k >= 0 && k >= taps->count - 2; --k) {
    if (taps->index[k] == index) {
      taps->weight[k] += weight;
      return;
    }
  }
  taps->index[taps->count] = index;
  taps->weight[taps->count] = weight;
  ++taps->count;
}

void FillTaps(float start, float step, int bin, int sampling_ratio, int extent,
              AxisTaps* taps) {
  taps->count = 0;
  const float share = 1.0f / static_cast<float>(sampling_ratio);
  for (int u = 0; u < sampling_ratio; ++u) {
    const AxisSample sample =
        PlaceSample(start, step, bin * sampling_ratio + u, extent);
    if (!sample.inside) continue;
    AddTap(taps, sample.low, share * (1.0f - sample.fraction));
    if (sample.fraction > 0.0f) AddTap(taps, sample.high, share * sample.fraction);
  }
}

// A box with the taps of all its columns of bins.
struct BoxPlan {
  LevelBox place;
  int height;
  int width;
  int64_t image;
  AxisTaps columns[kMaxOutputSize];
};

void PlanBox(const RoiAlignProblem& problem, const float* boxes, int64_t box,
             BoxPlan* plan) {
  const int size = static_cast<int>(problem.output_size);
  const int ratio = static_cast<int>(problem.sampling_ratio);
  plan->image = box / problem.num_boxes;
  plan->place = PlaceBox(boxes + 4 * box, static_cast<int>(problem.min_level),
                         static_cast<int>(problem.num_levels), size * ratio);
  if (plan->place.level < 0) return;
  plan->height = static_cast<int>(problem.heights[plan->place.level]);
  plan->width = static_cast<int>(problem.widths[plan->place.level]);
  for (int j = 0; j < size; ++j) {
    FillTaps(plan->place.start_x, plan->place.step_x, j, ratio, plan->width,
             &plan->columns[j]);
  }
}

// The cells of one bin: where each starts and how much it counts.
template <typename Element>
struct Cells {
  int count;
  Element* start[kMaxCells];
  float weight[kMaxCells];
};

template <typename Element>
EHSOD_ALWAYS_INLINE void CombineTaps(const AxisTaps& rows, const AxisTaps& columns,
                                     Element* map, int64_t row_stride, int64_t channels,
                                     Cells<Element>* cells) {
  cells->count = 0;
  for (int k = 0; k < rows.count; ++k) {
    Element* row = map + rows.index[k] * row_stride;
    for (int m = 0; m < columns.count; ++m) {
      cells->start[cells->count] = row + columns.index[m] * channels;
      cells->weight[cells->count] = rows.weight[k] * columns.weight[m];
      ++cells->count;
    }
  }
}

template <typename Isa, typename T>
EHSOD_ALWAYS_INLINE void Load(const T* source, typename Isa::Floats* vector) {
  float lanes[Isa::kLanes];
  for (int k = 0; k < Isa::kLanes; ++k) lanes[k] = ToFloat(source[k]);
  std::memcpy(vector, lanes, sizeof(lanes));
}

template <typename Isa, typename T>
EHSOD_ALWAYS_INLINE void Store(const typename Isa::Floats& vector, T* target) {
  float lanes[Isa::kLanes];
  std::memcpy(lanes, &vector, sizeof(lanes));
  for (int k = 0; k < Isa::kLanes; ++k) target[k] = FromFloat<T>(lanes[k]);
}

// Sums kVectors vectors of channels of all cells in registers.
template <typename Isa, int kVectors, typename T>
EHSOD_ALWAYS_INLINE void SumBlock(const Cells<const T>& cells, int64_t channel,
                                  T* bin) {
  typename Isa::Floats sums[kVectors] = {};
  for (int k = 0; k < cells.count; ++k) {
    const T* cell = cells.start[k] + channel;
    const float weight = cells.weight[k];
#pragma GCC unroll 8
    for (int v = 0; v < kVectors; ++v) {
      typename Isa::Floats values;
      Load<Isa>(cell + v * Isa::kLanes, &values);
      sums[v] += weight * values;
    }
  }
#pragma GCC unroll 8
  for (int v = 0; v < kVectors; ++v) {
    Store<Isa>(sums[v], bin + channel + v * Isa::kLanes);
  }
}

template <typename Isa, typename T>
EHSOD_ALWAYS_INLINE void SumCells(const Cells<const T>& cells, int64_t channels,
                                  T* bin) {
  int64_t c = 0;
  for (; c + 8 * Isa::kLanes <= channels; c += 8 * Isa::kLanes) {
    SumBlock<Isa, 8>(cells, c, bin);
  }
  for (; c + Isa::kLanes <= channels; c += Isa::kLanes) SumBlock<Isa, 1>(cells, c, bin);
  for (; c < channels; ++c) {
    float sum = 0.0f;
    for (int k = 0; k < cells.count; ++k) {
      sum += cells.weight[k] * ToFloat(cells.start[k][c]);
    }
    bin[c] = FromFloat<T>(sum);
  }
}

template <typename Isa, typename T>
EHSOD_ALWAYS_INLINE void ForwardBody(const RoiAlignProblem& problem,
                                     const T* const* features, const float* boxes,
                                     const int32_t* order, int64_t begin, int64_t end,
                                     T* pooled) {
  const int size = static_cast<int>(problem.output_size);
  const int64_t channels = problem.channels;
  BoxPlan plan;
  AxisTaps rows;
  Cells<const T> cells;
  int64_t planned = -1;
  for (int64_t row = begin; row < end; ++row) {
    const int64_t box = order[row / size];
    const int64_t i = row % size;
    T* bins = pooled + (box * size + i) * size * channels;
    if (box != planned) {
      PlanBox(problem, boxes, box, &plan);
      planned = box;
    }
    const LevelBox& place = plan.place;
    if (place.level < 0) {
      std::fill_n(bins, size * channels, FromFloat<T>(0.0f));
      continue;
    }
    FillTaps(place.start_y, place.step_y, static_cast<int>(i),
             static_cast<int>(problem.sampling_ratio), plan.height, &rows);
    const int64_t row_stride = plan.width * channels;
    const T* map = features[place.level] + plan.image * plan.height * row_stride;
    for (int j = 0; j < size; ++j) {
      CombineTaps(rows, plan.columns[j], map, row_stride, channels, &cells);
      SumCells<Isa>(cells, channels, bins + j * channels);
    }
  }
}

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

// The bodies, once per instruction set.
#define EHSOD_INSTANTIATE(isa, attributes)                                            \
  template <typename T>                                                               \
  attributes void Forward##isa(                                                       \
      const RoiAlignProblem& problem, const T* const* features, const float* boxes,   \
      const int32_t* order, int64_t begin, int64_t end, T* pooled) {                  \
    ForwardBody<isa>(problem, features, boxes, order, begin, end, pooled);            \
  }                                                                                   \
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

const char* CheckProblem(const RoiAlignProblem& problem) {
  if (problem.output_size < 1 || problem.output_size > kMaxOutputSize) {
    return "output_size must lie in 1..64";
  }
  if (problem.sampling_ratio < 1 || problem.sampling_ratio > kMaxSamplingRatio) {
    return "sampling_ratio must lie in 1..16";
  }
  if (problem.num_levels < 1 || problem.num_levels > kMaxLevels ||
      problem.min_level < 0 || problem.min_level > kMaxLevels - problem.num_levels) {
    return "levels must lie in 0..16, at least one of them";
  }
  if (problem.batch < 0 || problem.num_boxes < 0 || problem.channels < 0) {
    return "sizes must not be negative";
  }
  int64_t elements = problem.output_size * problem.output_size;
  if (__builtin_mul_overflow(elements, problem.batch, &elements) ||
      __builtin_mul_overflow(elements, problem.num_boxes, &elements) ||
      elements > kMaxElements ||
      __builtin_mul_overflow(elements, std::max<int64_t>(problem.channels, 1),
                             &elements) ||
      elements > kMaxElements) {
    return "the output would have 2^31 elements or more";
  }
  int64_t groups = 0;
  if (__builtin_mul_overflow(problem.batch, problem.num_levels, &groups) ||
      groups > kMaxElements) {
    return "the batch is too large";
  }
  for (int64_t level = 0; level < problem.num_levels; ++level) {
    const int64_t height = problem.heights[level], width = problem.widths[level];
    if (height < 1 || width < 1) return "a feature map is empty";
    if (height > kMaxExtent || width > kMaxExtent) {
      return "a side of a feature map exceeds 2^24 cells";
    }
    int64_t cells = height * width;
    if (__builtin_mul_overflow(cells, std::max<int64_t>(problem.batch, 1), &cells) ||
        __builtin_mul_overflow(cells, std::max<int64_t>(problem.channels, 1), &cells) ||
        cells > INT64_MAX / 64) {
      return "a feature map is too large";
    }
  }
  return nullptr;
}

template <typename T>
void RoiAlignForwardCpu(const RoiAlignProblem& problem, const T* const* features,
                        const float* boxes, const int32_t* order, int64_t begin,
                        int64_t end, T* pooled) {
  switch (DetectInstructionSet()) {
#ifdef __x86_64__
    case InstructionSet::kAvx512:
      return ForwardAvx512(problem, features, boxes, order, begin, end, pooled);
    case InstructionSet::kAvx2:
      return ForwardAvx2(problem, features, boxes, order, begin, end, pooled);
#endif
    default:
      return ForwardBaseline(problem, features, boxes, order, begin, end, pooled);
  }
}

void GroupBoxes(const RoiAlignProblem& problem, const float* boxes, int32_t* order,
                int32_t* offsets) {
  const int64_t count = problem.batch * problem.num_boxes;
  const int64_t groups = problem.batch * problem.num_levels;
  const auto find_group = [&](int64_t box) -> int64_t {
    const LevelBox place =
        PlaceBox(boxes + 4 * box, static_cast<int>(problem.min_level),
                 static_cast<int>(problem.num_levels), 1);
    if (place.level < 0) return groups;
    return box / problem.num_boxes * problem.num_levels + place.level;
  };
  std::fill_n(offsets, groups + 1, 0);
  for (int64_t box = 0; box < count; ++box) {
    const int64_t group = find_group(box);
    if (group < groups) ++offsets[group + 1];
  }
  for (int64_t group = 0; group < groups; ++group) offsets[group + 1] += offsets[group];
  for (int64_t box = 0; box < count; ++box) {
    order[offsets[find_group(box)]++] = static_cast<int32_t>(box);
  }
  // Each start has moved to its group's end, which is the next group's start.
  for (int64_t group = groups; group > 0; --group) offsets[group] = offsets[group - 1];
  offsets[0] = 0;
  const auto is_higher = [&](int32_t a, int32_t b) {
    const float ymin_a = boxes[4 * int64_t{a}], ymin_b = boxes[4 * int64_t{b}];
    return ymin_a < ymin_b || (ymin_a == ymin_b && a < b);
  };
  for (int64_t group = 0; group < groups; ++group) {
    std::sort(order + offsets[group], order + offsets[group + 1], is_higher);
  }
}

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
  template void RoiAlignForwardCpu(const RoiAlignProblem&, const T* const*,            \
                                   const float*, const int32_t*, int64_t, int64_t,     \
                                   T*);                                                \
  template int64_t CountGradientScratch<T>(const RoiAlignProblem&);                    \
  template void RoiAlignBackwardCpu(const RoiAlignProblem&, const float*,              \
                                    const int32_t*, const int32_t*, const T*, int64_t, \
                                    int64_t, float*, T* const*);
EHSOD_INSTANTIATE(float)
EHSOD_INSTANTIATE(BFloat16)
EHSOD_INSTANTIATE(Half)
#undef EHSOD_INSTANTIATE

void AdviseHugePages(void* data, size_t bytes) {
#ifdef MADV_HUGEPAGE
  constexpr uintptr_t kHugePage = uintptr_t{2} << 20;
  const uintptr_t start = reinterpret_cast<uintptr_t>(data);
  const uintptr_t first = (start + kHugePage - 1) & ~(kHugePage - 1);
  const uintptr_t last = (start + bytes) & ~(kHugePage - 1);
  // Advice only: a kernel that refuses it serves small pages as before.
  if (first < last)
    madvise(reinterpret_cast<void*>(first), last - first, MADV_HUGEPAGE);
#endif
}

}  // namespace ehsod
