// The CUDA kernels as a plain C library, for `gpu_table.py`; no TensorFlow, no PyTorch.
#include "ehsod/non_max_suppression_cuda.h"
#include "ehsod/roi_align_cuda.h"

namespace {

// dtype: 0 float32, 1 bfloat16, 2 float16.
template <typename T>
const char* Forward(const ehsod::RoiAlignProblem& problem, const void* const* features,
                    const float* boxes, void* pooled, CUstream_st* stream) {
  return ehsod::RoiAlignForwardCuda(problem,
                                    reinterpret_cast<const T* const*>(features), boxes,
                                    static_cast<T*>(pooled), stream);
}

template <typename T>
const char* Backward(const ehsod::RoiAlignProblem& problem, const float* boxes,
                     const void* pooled_gradient, void* const* gradients,
                     CUstream_st* stream) {
  return ehsod::RoiAlignBackwardCuda(problem, boxes,
                                     static_cast<const T*>(pooled_gradient),
                                     reinterpret_cast<T* const*>(gradients), stream);
}

}  // namespace

// Each returns null, or what went wrong.
extern "C" {

const char* ehsod_roi_align_forward(int dtype, const ehsod::RoiAlignProblem* problem,
                                    const void* const* features, const float* boxes,
                                    void* pooled, CUstream_st* stream) {
  if (const char* objection = CheckProblem(*problem)) return objection;
  constexpr decltype(&Forward<float>) kForward[] = {
      Forward<float>, Forward<ehsod::BFloat16>, Forward<ehsod::Half>};
  return kForward[dtype](*problem, features, boxes, pooled, stream);
}

const char* ehsod_roi_align_backward(int dtype, const ehsod::RoiAlignProblem* problem,
                                     const float* boxes, const void* pooled_gradient,
                                     void* const* gradients, CUstream_st* stream) {
  if (const char* objection = CheckProblem(*problem)) return objection;
  constexpr decltype(&Backward<float>) kBackward[] = {
      Backward<float>, Backward<ehsod::BFloat16>, Backward<ehsod::Half>};
  return kBackward[dtype](*problem, boxes, pooled_gradient, gradients, stream);
}

size_t ehsod_nms_scratch(const ehsod::NonMaxSuppressionProblem* problem) {
  return ehsod::CountScratchCuda(*problem);
}

const char* ehsod_nms(const ehsod::NonMaxSuppressionProblem* problem,
                      const float* boxes, const float* scores, const int32_t* classes,
                      void* scratch, int32_t* indices, int32_t* num_valid,
                      CUstream_st* stream) {
  if (const char* objection = CheckProblem(*problem)) return objection;
  return ehsod::NonMaxSuppressionCuda(*problem, boxes, scores, classes, scratch,
                                      indices, num_valid, stream);
}

}  // extern "C"
