// Which problems the kernels of NMS accept, on every device.
#include <cstdint>

#include "ehsod/non_max_suppression.h"

namespace ehsod {

const char* CheckProblem(const NonMaxSuppressionProblem& problem) {
  if (problem.batch < 0 || problem.num_boxes < 0) return "sizes must not be negative";
  if (problem.max_outputs < 1 || problem.max_outputs > kMaxOutputs) {
    return "max_outputs must lie in 1..2^20";
  }
  int64_t count = 0;
  if (__builtin_mul_overflow(problem.batch, problem.max_outputs, &count) ||
      count > kMaxPaddedOutputs) {
    return "the output would have more than 2^28 elements";
  }
  if (__builtin_mul_overflow(problem.batch, problem.num_boxes, &count) ||
      problem.num_boxes > kMaxCandidates || count > kMaxCandidates) {
    return "there are more than 2^28 boxes";
  }
  if (!(problem.iou_threshold >= 0.0f && problem.iou_threshold <= 1.0f)) {
    return "iou_threshold must lie in 0..1";
  }
  if (problem.score_threshold != problem.score_threshold) {
    return "score_threshold must not be NaN";
  }
  return nullptr;
}

}  // namespace ehsod
