// Multi-level RoIAlign: what the kernels compute and what they demand.
//
// Contract of every function here. No pointer may be null, unless what it points to has
// no elements. Tensors are dense, row-major: the rightmost dimension changes the
// fastest. Inputs and outputs do not overlap. `CheckProblem` has accepted the problem.
// Box coordinates and features may hold any bits at all, NaN and infinities included.
//
// Letters: B images, N boxes of an image, C channels, L levels, S output size, r
// sampling ratio. Level l has stride 2^(min_level + l) and H[l] x W[l] cells.
#ifndef EHSOD_ROI_ALIGN_H_
#define EHSOD_ROI_ALIGN_H_

#include <cstddef>
#include <cstdint>

#include "ehsod/float_types.h"

namespace ehsod {

inline constexpr int kMaxLevel = 16;
inline constexpr int kMaxLevels = kMaxLevel + 1;
inline constexpr int kMaxOutputSize = 64;
inline constexpr int kMaxSamplingRatio = 16;
// Float32 counts cells exactly up to here.
inline constexpr int64_t kMaxExtent = int64_t{1} << 24;
// Keeps every count of boxes, bins and output elements within 31 bits.
inline constexpr int64_t kMaxElements = (int64_t{1} << 31) - 1;

struct RoiAlignProblem {
  int64_t batch;
  int64_t num_boxes;
  int64_t channels;
  int64_t output_size;
  int64_t sampling_ratio;
  int64_t min_level;
  int64_t num_levels;
  int64_t heights[kMaxLevels];
  int64_t widths[kMaxLevels];
};

// Returns null for a problem that the functions below accept, else the reason, in words
// for the user. Any values may be given.
const char* CheckProblem(const RoiAlignProblem& problem);

// Groups the boxes by image and level, the highest up in the image first, so that boxes
// worked on one after another read the same part of one map. Forward and backward on
// the CPU start with it.
//
// boxes:   [B, N, 4] ymin, xmin, ymax, xmax in pixels
// order:   [B*N] the boxes' numbers b*N + n, grouped, those not finite at the end;
//          an output
// offsets: [B*L + 1] where each group, and at last the boxes not finite, start in
//          `order`; an output
void GroupBoxes(const RoiAlignProblem& problem, const float* boxes, int32_t* order,
                int32_t* offsets);

// Forward, CPU. Computes rows [begin, end) of the B*N*S output rows of bins, counted
// along `order`; disjoint ranges may run at the same time. T is float, BFloat16 or
// Half.
//
// features: L pointers to [B, H[l], W[l], C]
// pooled:   [B, N, S, S, C] the output
template <typename T>
void RoiAlignForwardCpu(const RoiAlignProblem& problem, const T* const* features,
                        const float* boxes, const int32_t* order, int64_t begin,
                        int64_t end, T* pooled);

// The backward's unit of work is a band of whole rows of one gradient; this is how many
// there are in all.
int64_t CountGradientBands(const RoiAlignProblem& problem);

// How many floats of scratch each concurrent caller of the backward needs: none where T
// is float.
template <typename T>
int64_t CountGradientScratch(const RoiAlignProblem& problem);

// Backward, CPU. Computes bands [begin, end); disjoint ranges may run at the same time,
// each with a scratch of its own. Each band is summed in the order of `order`: the
// result has the same bits however the work is split.
//
// pooled_gradient: [B, N, S, S, C]
// scratch:         [CountGradientScratch<T>]
// gradients:       L pointers to [B, H[l], W[l], C], the outputs, every element written
template <typename T>
void RoiAlignBackwardCpu(const RoiAlignProblem& problem, const float* boxes,
                         const int32_t* order, const int32_t* offsets,
                         const T* pooled_gradient, int64_t begin, int64_t end,
                         float* scratch, T* const* gradients);

// Asks the system to back a large, fresh allocation with huge pages. Faulting in 62 MB
// of small pages took five times as long as filling them.
void AdviseHugePages(void* data, size_t bytes);

}  // namespace ehsod

#endif  // EHSOD_ROI_ALIGN_H_
