// What the C++ tests share: loops in float64 that follow the definitions, and checks.
#ifndef EHSOD_TESTS_ORACLE_H_
#define EHSOD_TESTS_ORACLE_H_

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <functional>
#include <vector>

#include "ehsod/non_max_suppression.h"
#include "ehsod/roi_align.h"

// Unlike assert, it stays in optimised builds.
#define EHSOD_EXPECT(condition)                                                      \
  do {                                                                               \
    if (!(condition)) {                                                              \
      std::fprintf(stderr, "%s:%d: not true: %s\n", __FILE__, __LINE__, #condition); \
      std::exit(1);                                                                  \
    }                                                                                \
  } while (false)

namespace ehsod::test {

inline double Clip(double value) {
  return std::min(std::max(value, -16777216.0), 16777216.0);
}

inline bool IsFinite(const float* box) {
  return std::all_of(box, box + 4, [](float k) { return std::isfinite(k); });
}

inline int ChooseLevel(const RoiAlignProblem& problem, const float* box) {
  const float height = std::max(
      static_cast<float>(Clip(box[2])) - static_cast<float>(Clip(box[0])), 0.f);
  const float width = std::max(
      static_cast<float>(Clip(box[3])) - static_cast<float>(Clip(box[1])), 0.f);
  const double area = height * width;
  if (area == 0) return 0;
  const double level =
      std::floor(4 + std::log2(std::sqrt(area) / 224)) - problem.min_level;
  return static_cast<int>(
      std::min(std::max(level, 0.0), static_cast<double>(problem.num_levels - 1)));
}

using Visit = std::function<void(int64_t index, double weight)>;

// Calls visit for the one or two cells that make up the value at a position.
inline void Interpolate(double position, int64_t size, const Visit& visit) {
  if (position < -1 || position > static_cast<double>(size)) return;
  position = std::min(std::max(position, 0.0), static_cast<double>(size - 1));
  const int64_t low = static_cast<int64_t>(position);
  const double fraction = position - static_cast<double>(low);
  visit(low, 1 - fraction);
  visit(std::min(low + 1, size - 1), fraction);
}

// Calls visit(level, element of the map, element of the output, weight) for all.
inline void VisitRoiAlign(const RoiAlignProblem& problem, const float* boxes,
                          const std::function<void(int level, int64_t from, int64_t to,
                                                   double weight)>& visit) {
  const int64_t size = problem.output_size, ratio = problem.sampling_ratio;
  const double samples = static_cast<double>(size * ratio);
  for (int64_t box = 0; box < problem.batch * problem.num_boxes; ++box) {
    const float* corners = boxes + 4 * box;
    if (!IsFinite(corners)) continue;
    const int level = ChooseLevel(problem, corners);
    const double stride = std::exp2(problem.min_level + level);
    const double y = Clip(corners[0]), x = Clip(corners[1]);
    const double height = Clip(corners[2]) - y, width = Clip(corners[3]) - x;
    const int64_t map = box / problem.num_boxes * problem.heights[level];
    for (int64_t k = 0; k < size * ratio; ++k) {
      for (int64_t m = 0; m < size * ratio; ++m) {
        const int64_t bin = (box * size + k / ratio) * size + m / ratio;
        const double row = (y + (k + 0.5) * height / samples) / stride - 0.5;
        const double column = (x + (m + 0.5) * width / samples) / stride - 0.5;
        Interpolate(row, problem.heights[level], [&](int64_t i, double row_weight) {
          Interpolate(column, problem.widths[level], [&](int64_t j, double weight) {
            const int64_t cell = (map + i) * problem.widths[level] + j;
            for (int64_t c = 0; c < problem.channels; ++c) {
              visit(level, cell * problem.channels + c, bin * problem.channels + c,
                    row_weight * weight / static_cast<double>(ratio * ratio));
            }
          });
        });
      }
    }
  }
}

inline float Iou(const float* a, const float* b) {
  float corners[2][4];
  for (int k = 0; k < 4; ++k) {
    corners[0][k] = static_cast<float>(Clip(a[k]));
    corners[1][k] = static_cast<float>(Clip(b[k]));
  }
  const auto area = [](const float* k) {
    return std::max(k[2] - k[0], 0.0f) * std::max(k[3] - k[1], 0.0f);
  };
  const float height =
      std::min(corners[0][2], corners[1][2]) - std::max(corners[0][0], corners[1][0]);
  const float width =
      std::min(corners[0][3], corners[1][3]) - std::max(corners[0][1], corners[1][1]);
  const float overlap = std::max(height, 0.0f) * std::max(width, 0.0f);
  if (overlap == 0) return 0;
  return overlap / (area(corners[0]) + area(corners[1]) - overlap);
}

// Returns the indices kept of one image.
inline std::vector<int32_t> SuppressSlowly(const NonMaxSuppressionProblem& problem,
                                           const float* boxes, const float* scores,
                                           const int32_t* classes) {
  std::vector<int32_t> order, kept;
  for (int32_t n = 0; n < problem.num_boxes; ++n) {
    if (scores[n] > problem.score_threshold && IsFinite(boxes + 4 * n)) {
      order.push_back(n);
    }
  }
  std::stable_sort(order.begin(), order.end(),
                   [&](int32_t a, int32_t b) { return scores[a] > scores[b]; });
  for (const int32_t n : order) {
    const bool suppressed = std::any_of(kept.begin(), kept.end(), [&](int32_t k) {
      return (classes == nullptr || classes[k] == classes[n]) &&
             Iou(boxes + 4 * n, boxes + 4 * k) > problem.iou_threshold;
    });
    if (!suppressed && static_cast<int64_t>(kept.size()) < problem.max_outputs) {
      kept.push_back(n);
    }
  }
  return kept;
}

}  // namespace ehsod::test

#endif  // EHSOD_TESTS_ORACLE_H_
