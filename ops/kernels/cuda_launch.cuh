// Launching a kernel, in one place: the tests put their emulator here.
#ifndef EHSOD_KERNELS_CUDA_LAUNCH_CUH_
#define EHSOD_KERNELS_CUDA_LAUNCH_CUH_

#include <cuda_runtime.h>

#include <algorithm>
#include <cstdint>

namespace ehsod {

inline constexpr int kWarpSize = 32;
inline constexpr unsigned kAllLanes = 0xffffffffu;
inline constexpr int64_t kMaxGrid = (int64_t{1} << 31) - 1;

inline const char* Describe(cudaError_t error) {
  return error == cudaSuccess ? nullptr : cudaGetErrorString(error);
}

// The grid has one dimension, at most kMaxGrid: kernels stride over it. Returns null, or
// what CUDA said went wrong.
template <typename... Parameters, typename... Arguments>
const char* Launch(void (*kernel)(Parameters...), int64_t blocks, dim3 threads,
                   [[maybe_unused]] cudaStream_t stream,
                   const Arguments&... arguments) {
  const dim3 grid(static_cast<unsigned>(std::min(blocks, kMaxGrid)));
#ifdef __CUDACC__
  kernel<<<grid, threads, 0, stream>>>(arguments...);
#else
  cuda_emulator::Run(grid, threads, [&] { kernel(arguments...); });
#endif
  return Describe(cudaGetLastError());
}

}  // namespace ehsod

#endif  // EHSOD_KERNELS_CUDA_LAUNCH_CUH_
