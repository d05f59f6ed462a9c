// The op EhsodNonMaxSuppression: shapes, validation, CPU kernel.
#include "non_max_suppression_op.h"

#include <vector>

#include "absl/strings/str_cat.h"
#include "parallel_for.h"
#include "tensor_data.h"
#include "tensorflow/core/framework/op.h"
#include "tensorflow/core/framework/shape_inference.h"

namespace ehsod {
namespace {

using tensorflow::OpInputList;
using tensorflow::OpKernelConstruction;
using tensorflow::OpKernelContext;
using tensorflow::Tensor;
using tensorflow::TensorShape;
using tensorflow::shape_inference::DimensionHandle;
using tensorflow::shape_inference::InferenceContext;
using tensorflow::shape_inference::ShapeHandle;

absl::Status InferShapes(InferenceContext* c) {
  ShapeHandle boxes, rows;
  DimensionHandle four;
  TF_RETURN_IF_ERROR(c->WithRank(c->input(0), 3, &boxes));
  TF_RETURN_IF_ERROR(c->WithValue(c->Dim(boxes, 2), 4, &four));
  TF_RETURN_IF_ERROR(c->Subshape(boxes, 0, 2, &rows));
  for (int k = 1; k < c->num_inputs(); ++k) {
    TF_RETURN_IF_ERROR(c->Merge(rows, c->input(k), &rows));
  }
  int64_t max_outputs = 0;
  TF_RETURN_IF_ERROR(c->GetAttr("max_outputs", &max_outputs));
  if (max_outputs < 1 || max_outputs > kMaxOutputs) {
    return absl::InvalidArgumentError(
        absl::StrCat("max_outputs must lie in 1..", kMaxOutputs));
  }
  c->set_output(0, c->MakeShape({c->Dim(rows, 0), max_outputs}));
  c->set_output(1, c->Vector(c->Dim(rows, 0)));
  return absl::OkStatus();
}

// `classes` is a list of no or one tensor, as op inputs cannot be optional.
REGISTER_OP("EhsodNonMaxSuppression")
    .Input("boxes: float")
    .Input("scores: float")
    .Input("classes: num_class_tensors * int32")
    .Output("indices: int32")
    .Output("num_valid: int32")
    .Attr("num_class_tensors: int >= 0")
    .Attr("iou_threshold: float")
    .Attr("score_threshold: float")
    .Attr("max_outputs: int >= 1")
    .SetShapeFn(InferShapes);

absl::Status CompleteProblem(OpKernelContext* context, const OpInputList& classes,
                             NonMaxSuppressionProblem* problem) {
  const TensorShape& boxes = context->input(0).shape();
  if (boxes.dims() != 3 || boxes.dim_size(2) != 4) {
    return absl::InvalidArgumentError(
        absl::StrCat("boxes must be [B, N, 4], are ", boxes.DebugString()));
  }
  problem->batch = boxes.dim_size(0);
  problem->num_boxes = boxes.dim_size(1);
  const TensorShape rows({problem->batch, problem->num_boxes});
  const TensorShape& scores = context->input(1).shape();
  if (scores != rows) {
    return absl::InvalidArgumentError(
        absl::StrCat("scores must be ", rows.DebugString(), " like the boxes, are ",
                     scores.DebugString()));
  }
  if (classes.size() > 1)
    return absl::InvalidArgumentError("classes must be at most one tensor");
  if (classes.size() == 1 && classes[0].shape() != rows) {
    return absl::InvalidArgumentError(
        absl::StrCat("classes must be ", rows.DebugString(), " like the boxes, are ",
                     classes[0].shape().DebugString()));
  }
  const char* objection = CheckProblem(*problem);
  if (objection != nullptr) return absl::InvalidArgumentError(objection);
  return absl::OkStatus();
}

class NonMaxSuppressionCpuOp : public NonMaxSuppressionOp {
 public:
  using NonMaxSuppressionOp::NonMaxSuppressionOp;

 protected:
  void Run(OpKernelContext* context, const NonMaxSuppressionProblem& problem,
           const NonMaxSuppressionTensors& tensors) override {
    const int64_t words = CountScratch(problem);
    Tensor scratch;
    OP_REQUIRES_OK(context, context->allocate_temp(
                                tensorflow::DT_UINT32,
                                TensorShape({CountWorkers(context), words}), &scratch));
    uint32_t* scratch_data = MutableDataOf<uint32_t>(&scratch);
    ParallelFor(context, problem.batch, EstimateNanoseconds(problem),
                [&](int64_t begin, int64_t end, int worker) {
                  NonMaxSuppressionCpu(problem, tensors.boxes, tensors.scores,
                                       tensors.classes, begin, end,
                                       scratch_data + worker * words, tensors.indices,
                                       tensors.num_valid);
                });
  }

 private:
  // Measured: 50 ns a box to sort it, and 0.3 ns for each pair that is tested.
  static int64_t EstimateNanoseconds(const NonMaxSuppressionProblem& problem) {
    const int64_t kept = std::min(problem.num_boxes, problem.max_outputs);
    return problem.num_boxes * 50 + kept * kept / 6 + problem.max_outputs;
  }
};

REGISTER_KERNEL_BUILDER(Name("EhsodNonMaxSuppression").Device(tensorflow::DEVICE_CPU),
                        NonMaxSuppressionCpuOp);

}  // namespace

NonMaxSuppressionOp::NonMaxSuppressionOp(OpKernelConstruction* construction)
    : OpKernel(construction) {
  OP_REQUIRES_OK(construction,
                 construction->GetAttr("max_outputs", &attributes_.max_outputs));
  OP_REQUIRES_OK(construction,
                 construction->GetAttr("iou_threshold", &attributes_.iou_threshold));
  OP_REQUIRES_OK(construction, construction->GetAttr("score_threshold",
                                                     &attributes_.score_threshold));
}

void NonMaxSuppressionOp::Compute(OpKernelContext* context) {
  OpInputList classes;
  OP_REQUIRES_OK(context, context->input_list("classes", &classes));
  NonMaxSuppressionProblem problem = attributes_;
  OP_REQUIRES_OK(context, CompleteProblem(context, classes, &problem));
  Tensor* indices = nullptr;
  Tensor* num_valid = nullptr;
  OP_REQUIRES_OK(context,
                 context->allocate_output(
                     0, TensorShape({problem.batch, problem.max_outputs}), &indices));
  OP_REQUIRES_OK(context,
                 context->allocate_output(1, TensorShape({problem.batch}), &num_valid));
  if (problem.batch == 0) return;
  Run(context, problem,
      {DataOf<float>(context->input(0)), DataOf<float>(context->input(1)),
       classes.size() == 0 ? nullptr : DataOf<int32_t>(classes[0]),
       MutableDataOf<int32_t>(indices), MutableDataOf<int32_t>(num_valid)});
}

}  // namespace ehsod
