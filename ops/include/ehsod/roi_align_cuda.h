// RoIAlign in CUDA. The contract is that of roi_align.h; pointers are to device memory,
// but for the arrays of pointers. Work is queued on `stream` and not waited for.
#ifndef EHSOD_ROI_ALIGN_CUDA_H_
#define EHSOD_ROI_ALIGN_CUDA_H_

#include "ehsod/roi_align.h"

struct CUstream_st;

namespace ehsod {

// T is float, BFloat16 or Half. Both return null, or what CUDA said went wrong. The
// output must have elements.
//
// features: L pointers to [B, H[l], W[l], C]
// boxes:    [B, N, 4] ymin, xmin, ymax, xmax in pixels
// pooled:   [B, N, S, S, C] the output
template <typename T>
const char* RoiAlignForwardCuda(const RoiAlignProblem& problem,
                                const T* const* features, const float* boxes, T* pooled,
                                CUstream_st* stream);

// Each element is summed by one thread in the order of the boxes: the same inputs give
// the same bits.
//
// pooled_gradient: [B, N, S, S, C]
// gradients:       L pointers to [B, H[l], W[l], C], the outputs, every element written
template <typename T>
const char* RoiAlignBackwardCuda(const RoiAlignProblem& problem, const float* boxes,
                                 const T* pooled_gradient, T* const* gradients,
                                 CUstream_st* stream);

}  // namespace ehsod

#endif  // EHSOD_ROI_ALIGN_CUDA_H_
