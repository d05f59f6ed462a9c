// NMS in CUDA. The contract is that of non_max_suppression.h; pointers are to device
// memory. Work is queued on `stream`; nothing is copied to the host or waited for.
#ifndef EHSOD_NON_MAX_SUPPRESSION_CUDA_H_
#define EHSOD_NON_MAX_SUPPRESSION_CUDA_H_

#include <cstddef>

#include "ehsod/non_max_suppression.h"

struct CUstream_st;

namespace ehsod {

// How many bytes of scratch a call needs, aligned to 256.
size_t CountScratchCuda(const NonMaxSuppressionProblem& problem);

// Returns null, or what CUDA said went wrong. There must be images.
//
// boxes:     [B, N, 4] ymin, xmin, ymax, xmax
// scores:    [B, N]
// classes:   [B, N], or null: all boxes are of one class
// scratch:   [CountScratchCuda]
// indices:   [B, D] the output, best first, padded with -1
// num_valid: [B] the output, how many indices are not padding
const char* NonMaxSuppressionCuda(const NonMaxSuppressionProblem& problem,
                                  const float* boxes, const float* scores,
                                  const int32_t* classes, void* scratch,
                                  int32_t* indices, int32_t* num_valid,
                                  CUstream_st* stream);

}  // namespace ehsod

#endif  // EHSOD_NON_MAX_SUPPRESSION_CUDA_H_
