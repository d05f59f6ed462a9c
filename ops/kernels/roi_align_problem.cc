// Which problems the kernels of RoIAlign accept, on every device.
#include <algorithm>
#include <cstdint>

#include "ehsod/roi_align.h"

namespace ehsod {

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

}  // namespace ehsod
