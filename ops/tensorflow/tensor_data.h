// Where a tensor's elements are. Unlike Tensor::flat, nothing here aborts the process
// when a tensor is a slice that starts at an odd address; the kernels need no
// alignment.
#ifndef EHSOD_TENSORFLOW_TENSOR_DATA_H_
#define EHSOD_TENSORFLOW_TENSOR_DATA_H_

#include "tensorflow/core/framework/tensor.h"

namespace ehsod {

template <typename T>
const T* DataOf(const tensorflow::Tensor& tensor) {
  return reinterpret_cast<const T*>(tensor.tensor_data().data());
}

template <typename T>
T* MutableDataOf(tensorflow::Tensor* tensor) {
  return reinterpret_cast<T*>(const_cast<char*>(tensor->tensor_data().data()));
}

}  // namespace ehsod

#endif  // EHSOD_TENSORFLOW_TENSOR_DATA_H_
