// What comes before the CPU kernels of RoIAlign: the order of the boxes, memory.
#include <sys/mman.h>

#include <algorithm>
#include <cstdint>

#include "ehsod/roi_align.h"
#include "roi_align_math.h"

namespace ehsod {

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
