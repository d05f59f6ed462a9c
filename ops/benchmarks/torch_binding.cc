// The kernels as a plain C library, for `kernel_library.py`; no TensorFlow, no PyTorch.
#include <vector>

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

// The same on the CPU, float32, pointers to the host's memory.

const char* ehsod_roi_align_cpu(const ehsod::RoiAlignProblem* problem,
                                const float* const* features, const float* boxes,
                                const float* pooled_gradient, float* pooled,
                                float* const* gradients) {
  if (const char* objection = CheckProblem(*problem)) return objection;
  const int64_t count = problem->batch * problem->num_boxes;
  std::vector<int32_t> order(count), offsets(problem->batch * problem->num_levels + 1);
  ehsod::GroupBoxes(*problem, boxes, order.data(), offsets.data());
  ehsod::RoiAlignForwardCpu(*problem, features, boxes, order.data(), 0,
                            count * problem->output_size, pooled);
  ehsod::RoiAlignBackwardCpu(*problem, boxes, order.data(), offsets.data(),
                             pooled_gradient, 0, CountGradientBands(*problem), nullptr,
                             gradients);
  return nullptr;
}

const char* ehsod_nms_cpu(const ehsod::NonMaxSuppressionProblem* problem,
                          const float* boxes, const float* scores,
                          const int32_t* classes, int32_t* indices,
                          int32_t* num_valid) {
  if (const char* objection = CheckProblem(*problem)) return objection;
  std::vector<uint32_t> scratch(CountScratch(*problem));
  ehsod::NonMaxSuppressionCpu(*problem, boxes, scores, classes, 0, problem->batch,
                              scratch.data(), indices, num_valid);
  return nullptr;
}

}  // extern "C"
