// What the CPU and GPU OpKernels of NMS share: attributes and validation.
#ifndef EHSOD_TENSORFLOW_NON_MAX_SUPPRESSION_OP_H_
#define EHSOD_TENSORFLOW_NON_MAX_SUPPRESSION_OP_H_

#include "ehsod/non_max_suppression.h"
#include "tensorflow/core/framework/op_kernel.h"

namespace ehsod {

// Null pointers stand for absent classes.
struct NonMaxSuppressionTensors {
  const float* boxes;
  const float* scores;
  const int32_t* classes;
  int32_t* indices;
  int32_t* num_valid;
};

// Validates and allocates; a device's kernel only computes.
class NonMaxSuppressionOp : public tensorflow::OpKernel {
 public:
  explicit NonMaxSuppressionOp(tensorflow::OpKernelConstruction* construction);
  void Compute(tensorflow::OpKernelContext* context) final;

 protected:
  virtual void Run(tensorflow::OpKernelContext* context,
                   const NonMaxSuppressionProblem& problem,
                   const NonMaxSuppressionTensors& tensors) = 0;

 private:
  NonMaxSuppressionProblem attributes_ = {};
};

}  // namespace ehsod

#endif  // EHSOD_TENSORFLOW_NON_MAX_SUPPRESSION_OP_H_
