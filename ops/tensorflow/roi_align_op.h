// What the CPU and GPU OpKernels of RoIAlign share: attributes and validation.
#ifndef EHSOD_TENSORFLOW_ROI_ALIGN_OP_H_
#define EHSOD_TENSORFLOW_ROI_ALIGN_OP_H_

#include <vector>

#include "ehsod/roi_align.h"
#include "tensorflow/core/framework/op_kernel.h"

namespace ehsod {

// TensorFlow's element types and the kernels' twins of the same bits.
template <typename T>
struct KernelType;
template <>
struct KernelType<float> {
  using type = float;
};
template <>
struct KernelType<Eigen::bfloat16> {
  using type = BFloat16;
};
template <>
struct KernelType<Eigen::half> {
  using type = Half;
};

absl::Status ReadAttributes(tensorflow::OpKernelConstruction* construction,
                            RoiAlignProblem* problem);

// Completes the problem with the sizes of the inputs, and checks all of it.
absl::Status CompleteProblem(const std::vector<tensorflow::TensorShape>& maps,
                             const tensorflow::TensorShape& boxes,
                             RoiAlignProblem* problem);

// The shapes that the inputs `feature_shapes` of the gradient op hold.
absl::Status ReadShapes(tensorflow::OpKernelContext* context,
                        std::vector<tensorflow::TensorShape>* maps);

tensorflow::TensorShape PooledShape(const RoiAlignProblem& problem);

// Validates and allocates; a device's kernel only computes.
class RoiAlignOp : public tensorflow::OpKernel {
 public:
  explicit RoiAlignOp(tensorflow::OpKernelConstruction* construction);
  void Compute(tensorflow::OpKernelContext* context) final;

 protected:
  virtual void Run(tensorflow::OpKernelContext* context, const RoiAlignProblem& problem,
                   const tensorflow::OpInputList& features,
                   const tensorflow::Tensor& boxes, tensorflow::Tensor* pooled) = 0;

 private:
  RoiAlignProblem attributes_ = {};
};

class RoiAlignGradOp : public tensorflow::OpKernel {
 public:
  explicit RoiAlignGradOp(tensorflow::OpKernelConstruction* construction);
  void Compute(tensorflow::OpKernelContext* context) final;

 protected:
  virtual void Run(tensorflow::OpKernelContext* context, const RoiAlignProblem& problem,
                   const tensorflow::Tensor& boxes,
                   const tensorflow::Tensor& pooled_gradient,
                   const std::vector<tensorflow::Tensor*>& gradients) = 0;

 private:
  RoiAlignProblem attributes_ = {};
};

}  // namespace ehsod

#endif  // EHSOD_TENSORFLOW_ROI_ALIGN_OP_H_
