// What comes before the kernels of RoIAlign: checks, the order of the boxes, memory.
#include <sys/mman.h>

#include <algorithm>
#include <cstdint>

#include "ehsod/roi_align.h"
#include "roi_align_math.h"

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
