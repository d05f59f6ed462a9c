// Splits work over TensorFlow's own thread pool.
#ifndef EHSOD_TENSORFLOW_PARALLEL_FOR_H_
#define EHSOD_TENSORFLOW_PARALLEL_FOR_H_

#include <algorithm>
#include <cstdint>
#include <utility>

#include "tensorflow/core/framework/op_kernel.h"

namespace ehsod {

inline tsl::thread::ThreadPool* CpuThreads(tensorflow::OpKernelContext* context) {
  return context->device()->tensorflow_cpu_worker_threads()->workers;
}

// How many distinct values `worker` takes in ParallelFor.
inline int64_t CountWorkers(tensorflow::OpKernelContext* context) {
  return CpuThreads(context)->NumThreads() + 1;
}

// Calls work(begin, end, worker) for blocks of units that cost about a tenth of a
// millisecond: long beside the cost of handing one out, short beside the whole, so that
// units of unequal cost balance.
template <typename Work>
void ParallelFor(tensorflow::OpKernelContext* context, int64_t units,
                 int64_t nanoseconds_per_unit, Work&& work) {
  constexpr int64_t kNanosecondsPerBlock = 100 * 1000;
  const int64_t block = std::max<int64_t>(
      kNanosecondsPerBlock / std::max<int64_t>(nanoseconds_per_unit, 1), 1);
  CpuThreads(context)->ParallelForWithWorkerId(
      units, tsl::thread::ThreadPool::SchedulingParams::Fixed(block),
      std::forward<Work>(work));
}

}  // namespace ehsod

#endif  // EHSOD_TENSORFLOW_PARALLEL_FOR_H_
