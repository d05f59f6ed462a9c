// The ops EhsodMultilevelRoiAlign and its gradient: shapes, validation, CPU kernels.
#include "roi_align_op.h"

#include "absl/strings/str_cat.h"
#include "parallel_for.h"
#include "tensor_data.h"
#include "tensorflow/core/framework/common_shape_fns.h"
#include "tensorflow/core/framework/op.h"
#include "tensorflow/core/framework/shape_inference.h"

namespace ehsod {
namespace {

using tensorflow::OpInputList;
using tensorflow::OpKernelConstruction;
using tensorflow::OpKernelContext;
using tensorflow::OpOutputList;
using tensorflow::Tensor;
using tensorflow::TensorShape;
using tensorflow::shape_inference::DimensionHandle;
using tensorflow::shape_inference::InferenceContext;
using tensorflow::shape_inference::ShapeHandle;

absl::Status InferPooledShape(InferenceContext* c) {
  std::vector<ShapeHandle> maps;
  TF_RETURN_IF_ERROR(c->input("features", &maps));
  DimensionHandle batch = c->UnknownDim(), channels = c->UnknownDim();
  for (ShapeHandle map : maps) {
    TF_RETURN_IF_ERROR(c->WithRank(map, 4, &map));
    TF_RETURN_IF_ERROR(c->Merge(batch, c->Dim(map, 0), &batch));
    TF_RETURN_IF_ERROR(c->Merge(channels, c->Dim(map, 3), &channels));
  }
  ShapeHandle boxes;
  DimensionHandle four;
  TF_RETURN_IF_ERROR(c->WithRank(c->input(c->num_inputs() - 1), 3, &boxes));
  TF_RETURN_IF_ERROR(c->WithValue(c->Dim(boxes, 2), 4, &four));
  TF_RETURN_IF_ERROR(c->Merge(batch, c->Dim(boxes, 0), &batch));
  int64_t size = 0;
  TF_RETURN_IF_ERROR(c->GetAttr("output_size", &size));
  if (size < 1 || size > kMaxOutputSize) {
    return absl::InvalidArgumentError(
        absl::StrCat("output_size must lie in 1..", kMaxOutputSize));
  }
  c->set_output(0, c->MakeShape({batch, c->Dim(boxes, 1), size, size, channels}));
  return absl::OkStatus();
}

absl::Status InferGradientShapes(InferenceContext* c) {
  for (int level = 0; level < c->num_outputs(); ++level) {
    ShapeHandle shape;
    TF_RETURN_IF_ERROR(c->MakeShapeFromShapeTensor(level, &shape));
    TF_RETURN_IF_ERROR(c->WithRank(shape, 4, &shape));
    c->set_output(level, shape);
  }
  return absl::OkStatus();
}

REGISTER_OP("EhsodMultilevelRoiAlign")
    .Input("features: num_levels * T")
    .Input("boxes: float")
    .Output("pooled: T")
    .Attr("T: {float, bfloat16, half}")
    .Attr("num_levels: int >= 1")
    .Attr("min_level: int >= 0")
    .Attr("output_size: int >= 1")
    .Attr("sampling_ratio: int >= 1")
    .SetShapeFn(InferPooledShape);

REGISTER_OP("EhsodMultilevelRoiAlignGrad")
    .Input("feature_shapes: num_levels * int32")
    .Input("boxes: float")
    .Input("pooled_gradient: T")
    .Output("gradients: num_levels * T")
    .Attr("T: {float, bfloat16, half}")
    .Attr("num_levels: int >= 1")
    .Attr("min_level: int >= 0")
    .Attr("output_size: int >= 1")
    .Attr("sampling_ratio: int >= 1")
    .SetShapeFn(InferGradientShapes);

// Measured: about 3 ns for each of the 4 r^2 cells of a bin and 64 channels.
int64_t EstimateNanoseconds(const RoiAlignProblem& problem, int64_t bins) {
  const int64_t cells = 4 * problem.sampling_ratio * problem.sampling_ratio;
  return bins * cells * (20 + problem.channels) * 3 / 64;
}

// The boxes in the order that the CPU kernels work in.
struct GroupedBoxes {
  Tensor order;
  Tensor offsets;
};

absl::Status GroupBoxesOf(OpKernelContext* context, const RoiAlignProblem& problem,
                          const Tensor& boxes, GroupedBoxes* grouped) {
  TF_RETURN_IF_ERROR(context->allocate_temp(
      tensorflow::DT_INT32, TensorShape({problem.batch * problem.num_boxes}),
      &grouped->order));
  TF_RETURN_IF_ERROR(context->allocate_temp(
      tensorflow::DT_INT32, TensorShape({problem.batch * problem.num_levels + 1}),
      &grouped->offsets));
  GroupBoxes(problem, DataOf<float>(boxes), MutableDataOf<int32_t>(&grouped->order),
             MutableDataOf<int32_t>(&grouped->offsets));
  return absl::OkStatus();
}

template <typename T>
class RoiAlignCpuOp : public RoiAlignOp {
 public:
  using RoiAlignOp::RoiAlignOp;

 protected:
  void Run(OpKernelContext* context, const RoiAlignProblem& problem,
           const OpInputList& features, const Tensor& boxes, Tensor* pooled) override {
    GroupedBoxes grouped;
    OP_REQUIRES_OK(context, GroupBoxesOf(context, problem, boxes, &grouped));
    const T* maps[kMaxLevels];
    for (int level = 0; level < features.size(); ++level) {
      maps[level] = DataOf<T>(features[level]);
    }
    T* bins = MutableDataOf<T>(pooled);
    AdviseHugePages(bins, pooled->TotalBytes());
    const int64_t rows = problem.batch * problem.num_boxes * problem.output_size;
    ParallelFor(context, rows, EstimateNanoseconds(problem, problem.output_size),
                [&](int64_t begin, int64_t end, int) {
                  RoiAlignForwardCpu(problem, maps, DataOf<float>(boxes),
                                     DataOf<int32_t>(grouped.order), begin, end, bins);
                });
  }
};

template <typename T>
class RoiAlignGradCpuOp : public RoiAlignGradOp {
 public:
  using RoiAlignGradOp::RoiAlignGradOp;

 protected:
  void Run(OpKernelContext* context, const RoiAlignProblem& problem,
           const Tensor& boxes, const Tensor& pooled_gradient,
           const std::vector<Tensor*>& gradients) override {
    GroupedBoxes grouped;
    OP_REQUIRES_OK(context, GroupBoxesOf(context, problem, boxes, &grouped));
    const int64_t scratch_per_worker = CountGradientScratch<T>(problem);
    Tensor scratch;
    OP_REQUIRES_OK(
        context,
        context->allocate_temp(tensorflow::DT_FLOAT,
                               TensorShape({CountWorkers(context), scratch_per_worker}),
                               &scratch));
    T* maps[kMaxLevels];
    for (size_t level = 0; level < gradients.size(); ++level) {
      maps[level] = MutableDataOf<T>(gradients[level]);
      AdviseHugePages(maps[level], gradients[level]->TotalBytes());
    }
    const int64_t bands = CountGradientBands(problem);
    const int64_t bins =
        problem.batch * problem.num_boxes * problem.output_size * problem.output_size;
    float* scratch_data = MutableDataOf<float>(&scratch);
    ParallelFor(context, bands, EstimateNanoseconds(problem, bins) / bands,
                [&](int64_t begin, int64_t end, int worker) {
                  RoiAlignBackwardCpu(
                      problem, DataOf<float>(boxes), DataOf<int32_t>(grouped.order),
                      DataOf<int32_t>(grouped.offsets), DataOf<T>(pooled_gradient),
                      begin, end, scratch_data + worker * scratch_per_worker, maps);
                });
  }
};

#define EHSOD_REGISTER(T)                                      \
  REGISTER_KERNEL_BUILDER(Name("EhsodMultilevelRoiAlign")      \
                              .Device(tensorflow::DEVICE_CPU)  \
                              .TypeConstraint<T>("T"),         \
                          RoiAlignCpuOp<KernelType<T>::type>); \
  REGISTER_KERNEL_BUILDER(Name("EhsodMultilevelRoiAlignGrad")  \
                              .Device(tensorflow::DEVICE_CPU)  \
                              .TypeConstraint<T>("T"),         \
                          RoiAlignGradCpuOp<KernelType<T>::type>);
EHSOD_REGISTER(float)
EHSOD_REGISTER(Eigen::bfloat16)
EHSOD_REGISTER(Eigen::half)
#undef EHSOD_REGISTER

}  // namespace

absl::Status ReadAttributes(OpKernelConstruction* construction,
                            RoiAlignProblem* problem) {
  TF_RETURN_IF_ERROR(construction->GetAttr("num_levels", &problem->num_levels));
  TF_RETURN_IF_ERROR(construction->GetAttr("min_level", &problem->min_level));
  TF_RETURN_IF_ERROR(construction->GetAttr("output_size", &problem->output_size));
  return construction->GetAttr("sampling_ratio", &problem->sampling_ratio);
}

absl::Status CompleteProblem(const std::vector<TensorShape>& maps,
                             const TensorShape& boxes, RoiAlignProblem* problem) {
  if (boxes.dims() != 3 || boxes.dim_size(2) != 4) {
    return absl::InvalidArgumentError(
        absl::StrCat("boxes must be [B, N, 4], are ", boxes.DebugString()));
  }
  problem->batch = boxes.dim_size(0);
  problem->num_boxes = boxes.dim_size(1);
  for (size_t level = 0; level < maps.size() && level < kMaxLevels; ++level) {
    const TensorShape& map = maps[level];
    if (map.dims() != 4) {
      return absl::InvalidArgumentError(
          absl::StrCat("features must be [B, H, W, C], level number ", level, " is ",
                       map.DebugString()));
    }
    if (level == 0) problem->channels = map.dim_size(3);
    if (map.dim_size(0) != problem->batch || map.dim_size(3) != problem->channels) {
      return absl::InvalidArgumentError(
          absl::StrCat("features of level number ", level, " are ", map.DebugString(),
                       ", must have ", problem->batch, " images like the boxes and ",
                       problem->channels, " channels like the first level"));
    }
    problem->heights[level] = map.dim_size(1);
    problem->widths[level] = map.dim_size(2);
  }
  const char* objection = CheckProblem(*problem);
  if (objection != nullptr) return absl::InvalidArgumentError(objection);
  return absl::OkStatus();
}

absl::Status ReadShapes(OpKernelContext* context, std::vector<TensorShape>* maps) {
  OpInputList shapes;
  TF_RETURN_IF_ERROR(context->input_list("feature_shapes", &shapes));
  for (const Tensor& shape : shapes) {
    if (shape.dims() != 1 || shape.NumElements() != 4) {
      return absl::InvalidArgumentError(
          absl::StrCat("feature_shapes must hold 4 sizes each, one is ",
                       shape.shape().DebugString()));
    }
    TensorShape map;
    TF_RETURN_IF_ERROR(
        tensorflow::TensorShapeUtils::MakeShape(DataOf<int32_t>(shape), 4, &map));
    maps->push_back(map);
  }
  return absl::OkStatus();
}

TensorShape PooledShape(const RoiAlignProblem& problem) {
  return TensorShape({problem.batch, problem.num_boxes, problem.output_size,
                      problem.output_size, problem.channels});
}

RoiAlignOp::RoiAlignOp(OpKernelConstruction* construction) : OpKernel(construction) {
  OP_REQUIRES_OK(construction, ReadAttributes(construction, &attributes_));
}

void RoiAlignOp::Compute(OpKernelContext* context) {
  OpInputList features;
  OP_REQUIRES_OK(context, context->input_list("features", &features));
  std::vector<TensorShape> maps;
  for (const Tensor& map : features) maps.push_back(map.shape());
  const Tensor& boxes = context->input(features.size());
  RoiAlignProblem problem = attributes_;
  OP_REQUIRES_OK(context, CompleteProblem(maps, boxes.shape(), &problem));
  Tensor* pooled = nullptr;
  OP_REQUIRES_OK(context, context->allocate_output(0, PooledShape(problem), &pooled));
  if (pooled->NumElements() == 0) return;
  Run(context, problem, features, boxes, pooled);
}

RoiAlignGradOp::RoiAlignGradOp(OpKernelConstruction* construction)
    : OpKernel(construction) {
  OP_REQUIRES_OK(construction, ReadAttributes(construction, &attributes_));
}

void RoiAlignGradOp::Compute(OpKernelContext* context) {
  std::vector<TensorShape> maps;
  OP_REQUIRES_OK(context, ReadShapes(context, &maps));
  const Tensor& boxes = context->input(maps.size());
  const Tensor& pooled_gradient = context->input(maps.size() + 1);
  RoiAlignProblem problem = attributes_;
  OP_REQUIRES_OK(context, CompleteProblem(maps, boxes.shape(), &problem));
  OP_REQUIRES(context, pooled_gradient.shape() == PooledShape(problem),
              absl::InvalidArgumentError(absl::StrCat(
                  "pooled_gradient must be ", PooledShape(problem).DebugString(),
                  ", is ", pooled_gradient.shape().DebugString())));
  std::vector<Tensor*> gradients(maps.size());
  for (size_t level = 0; level < maps.size(); ++level) {
    OP_REQUIRES_OK(context, context->allocate_output(static_cast<int>(level),
                                                     maps[level], &gradients[level]));
  }
  // Maps have cells: only a batch or channels of 0 leave nothing to write.
  if (problem.batch == 0 || problem.channels == 0) return;
  Run(context, problem, boxes, pooled_gradient, gradients);
}

}  // namespace ehsod
