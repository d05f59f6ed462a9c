// Greedy non-maximum suppression: what the kernels compute and what they demand.
//
// Boxes whose score exceeds the score threshold are visited by falling score, equal
// scores by rising index. A box is kept unless its IoU with a box kept before, of the
// same class where classes are given, exceeds the IoU threshold; the visit ends at D
// boxes. Coordinates are clipped to +-2^24. An inverted or empty box overlaps nothing;
// a box with a coordinate that is not finite, or with a NaN score, is never kept.
//
// Contract of every function here. No pointer may be null, unless what it points to has
// no elements or it is `classes`. Tensors are dense, row-major. Inputs, scratch and
// outputs do not overlap. `CheckProblem` has accepted the problem. Boxes, scores and
// classes may hold any bits at all.
//
// Letters: B images, N boxes of an image, D outputs of an image.
#ifndef EHSOD_NON_MAX_SUPPRESSION_H_
#define EHSOD_NON_MAX_SUPPRESSION_H_

#include <cstdint>

namespace ehsod {

inline constexpr int64_t kMaxOutputs = int64_t{1} << 20;
// Bounds the padded output of a large batch.
inline constexpr int64_t kMaxPaddedOutputs = int64_t{1} << 28;
inline constexpr int64_t kMaxCandidates = int64_t{1} << 28;

struct NonMaxSuppressionProblem {
  int64_t batch;
  int64_t num_boxes;
  int64_t max_outputs;
  float iou_threshold;
  float score_threshold;
};

// Returns null for a problem that the functions below accept, else the reason, in words
// for the user. Any values may be given.
const char* CheckProblem(const NonMaxSuppressionProblem& problem);

// How many 32-bit words of scratch each concurrent caller needs.
int64_t CountScratch(const NonMaxSuppressionProblem& problem);

// CPU. Serves images [begin, end); disjoint ranges may run at the same time, each with
// a scratch of its own.
//
// boxes:     [B, N, 4] ymin, xmin, ymax, xmax
// scores:    [B, N]
// classes:   [B, N], or null: all boxes are of one class
// scratch:   [CountScratch]
// indices:   [B, D] the output, best first, padded with -1
// num_valid: [B] the output, how many indices are not padding
void NonMaxSuppressionCpu(const NonMaxSuppressionProblem& problem, const float* boxes,
                          const float* scores, const int32_t* classes, int64_t begin,
                          int64_t end, uint32_t* scratch, int32_t* indices,
                          int32_t* num_valid);

}  // namespace ehsod

#endif  // EHSOD_NON_MAX_SUPPRESSION_H_
