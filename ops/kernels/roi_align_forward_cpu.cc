// The forward of RoIAlign on the CPU, vectorised over channels.
#include <algorithm>
#include <cstdint>

#include "cpu_dispatch.h"
#include "ehsod/roi_align.h"
#include "roi_align_cells_cpu.h"

namespace ehsod {
namespace {

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

// The body, once per instruction set.
#define EHSOD_INSTANTIATE(isa, attributes)                                          \
  template <typename T>                                                             \
  attributes void Forward##isa(                                                     \
      const RoiAlignProblem& problem, const T* const* features, const float* boxes, \
      const int32_t* order, int64_t begin, int64_t end, T* pooled) {                \
    ForwardBody<isa>(problem, features, boxes, order, begin, end, pooled);          \
  }
EHSOD_INSTANTIATE(Baseline, )
#ifdef __x86_64__
EHSOD_INSTANTIATE(Avx2, EHSOD_TARGET_AVX2)
EHSOD_INSTANTIATE(Avx512, EHSOD_TARGET_AVX512)
#endif
#undef EHSOD_INSTANTIATE

}  // namespace

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

#define EHSOD_INSTANTIATE(T)                                                       \
  template void RoiAlignForwardCpu(const RoiAlignProblem&, const T* const*,        \
                                   const float*, const int32_t*, int64_t, int64_t, \
                                   T*);
EHSOD_INSTANTIATE(float)
EHSOD_INSTANTIATE(BFloat16)
EHSOD_INSTANTIATE(Half)
#undef EHSOD_INSTANTIATE

}  // namespace ehsod
