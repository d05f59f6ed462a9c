// What the forward and the backward of RoIAlign on the CPU share: which cells make up a
// bin, and vectors of channels.
//
// Interpolation is separable: a bin is a sum over a few rows times a sum over a few
// columns. The taps of both axes are merged first, so that samples which share a cell
// read it once, and then combined into one flat list of cells and weights per bin.
#ifndef EHSOD_KERNELS_ROI_ALIGN_CELLS_CPU_H_
#define EHSOD_KERNELS_ROI_ALIGN_CELLS_CPU_H_

#include <cstdint>
#include <cstring>

#include "cpu_dispatch.h"
#include "ehsod/float_types.h"
#include "ehsod/roi_align.h"
#include "roi_align_math.h"

namespace ehsod {

inline constexpr int kMaxTaps = 2 * kMaxSamplingRatio;
inline constexpr int kMaxCells = kMaxTaps * kMaxTaps;

// The cells along one axis that make up one bin; the weights include 1 / r.
struct AxisTaps {
  int count;
  int32_t index[kMaxTaps];
  float weight[kMaxTaps];
};

inline void AddTap(AxisTaps* taps, int index, float weight) {
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

inline void FillTaps(float start, float step, int bin, int sampling_ratio, int extent,
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
  LevelBox place = {-1, 0.0f, 0.0f, 0.0f, 0.0f};
  int height = 0;
  int width = 0;
  int64_t image = 0;
  AxisTaps columns[kMaxOutputSize];
};

inline void PlanBox(const RoiAlignProblem& problem, const float* boxes, int64_t box,
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

}  // namespace ehsod

#endif  // EHSOD_KERNELS_ROI_ALIGN_CELLS_CPU_H_
