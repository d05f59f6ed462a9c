// The GPU kernels of EhsodMultilevelRoiAlign and its gradient.
#include "absl/strings/str_cat.h"
#include "cuda_stream.h"
#include "ehsod/roi_align_cuda.h"
#include "roi_align_op.h"
#include "tensor_data.h"

namespace ehsod {
namespace {

using tensorflow::OpInputList;
using tensorflow::OpKernelContext;
using tensorflow::Tensor;

template <typename T>
class RoiAlignGpuOp : public RoiAlignOp {
 public:
  using RoiAlignOp::RoiAlignOp;

 protected:
  void Run(OpKernelContext* context, const RoiAlignProblem& problem,
           const OpInputList& features, const Tensor& boxes, Tensor* pooled) override {
    const T* maps[kMaxLevels];
    for (int level = 0; level < features.size(); ++level) {
      maps[level] = DataOf<T>(features[level]);
    }
    const char* objection =
        RoiAlignForwardCuda(problem, maps, DataOf<float>(boxes),
                            MutableDataOf<T>(pooled), CudaStream(context));
    OP_REQUIRES(context, objection == nullptr,
                absl::InternalError(absl::StrCat("CUDA: ", objection)));
  }
};

template <typename T>
class RoiAlignGradGpuOp : public RoiAlignGradOp {
 public:
  using RoiAlignGradOp::RoiAlignGradOp;

 protected:
  void Run(OpKernelContext* context, const RoiAlignProblem& problem,
           const Tensor& boxes, const Tensor& pooled_gradient,
           const std::vector<Tensor*>& gradients) override {
    T* maps[kMaxLevels];
    for (size_t level = 0; level < gradients.size(); ++level) {
      maps[level] = MutableDataOf<T>(gradients[level]);
    }
    const char* objection =
        RoiAlignBackwardCuda(problem, DataOf<float>(boxes), DataOf<T>(pooled_gradient),
                             maps, CudaStream(context));
    OP_REQUIRES(context, objection == nullptr,
                absl::InternalError(absl::StrCat("CUDA: ", objection)));
  }
};

#define EHSOD_REGISTER(T)                                      \
  REGISTER_KERNEL_BUILDER(Name("EhsodMultilevelRoiAlign")      \
                              .Device(tensorflow::DEVICE_GPU)  \
                              .TypeConstraint<T>("T"),         \
                          RoiAlignGpuOp<KernelType<T>::type>); \
  REGISTER_KERNEL_BUILDER(Name("EhsodMultilevelRoiAlignGrad")  \
                              .Device(tensorflow::DEVICE_GPU)  \
                              .HostMemory("feature_shapes")    \
                              .TypeConstraint<T>("T"),         \
                          RoiAlignGradGpuOp<KernelType<T>::type>);
EHSOD_REGISTER(float)
EHSOD_REGISTER(Eigen::bfloat16)
EHSOD_REGISTER(Eigen::half)
#undef EHSOD_REGISTER

}  // namespace
}  // namespace ehsod
