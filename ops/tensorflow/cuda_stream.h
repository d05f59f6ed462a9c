// The CUDA stream that TensorFlow runs a kernel on.
#ifndef EHSOD_TENSORFLOW_CUDA_STREAM_H_
#define EHSOD_TENSORFLOW_CUDA_STREAM_H_

#include "tensorflow/core/framework/op_kernel.h"
#include "xla/stream_executor/stream.h"

struct CUstream_st;

namespace ehsod {

inline CUstream_st* CudaStream(tensorflow::OpKernelContext* context) {
  return static_cast<CUstream_st*>(
      context->op_device_context()->stream()->platform_specific_handle().stream);
}

}  // namespace ehsod

#endif  // EHSOD_TENSORFLOW_CUDA_STREAM_H_
