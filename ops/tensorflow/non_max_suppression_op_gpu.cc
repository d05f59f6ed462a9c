// The GPU kernel of EhsodNonMaxSuppression.
#include "absl/strings/str_cat.h"
#include "cuda_stream.h"
#include "ehsod/non_max_suppression_cuda.h"
#include "non_max_suppression_op.h"
#include "tensor_data.h"

namespace ehsod {
namespace {

using tensorflow::OpKernelContext;
using tensorflow::Tensor;
using tensorflow::TensorShape;

class NonMaxSuppressionGpuOp : public NonMaxSuppressionOp {
 public:
  using NonMaxSuppressionOp::NonMaxSuppressionOp;

 protected:
  void Run(OpKernelContext* context, const NonMaxSuppressionProblem& problem,
           const NonMaxSuppressionTensors& tensors) override {
    Tensor scratch;
    const int64_t bytes = static_cast<int64_t>(CountScratchCuda(problem));
    OP_REQUIRES_OK(context, context->allocate_temp(tensorflow::DT_INT8,
                                                   TensorShape({bytes}), &scratch));
    const char* objection =
        NonMaxSuppressionCuda(problem, tensors.boxes, tensors.scores, tensors.classes,
                              MutableDataOf<char>(&scratch), tensors.indices,
                              tensors.num_valid, CudaStream(context));
    OP_REQUIRES(context, objection == nullptr,
                absl::InternalError(absl::StrCat("CUDA: ", objection)));
  }
};

REGISTER_KERNEL_BUILDER(Name("EhsodNonMaxSuppression").Device(tensorflow::DEVICE_GPU),
                        NonMaxSuppressionGpuOp);

}  // namespace
}  // namespace ehsod
