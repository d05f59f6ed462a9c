// Stands in for CUDA's header where the kernels are compiled for the CPU, to test them
// without a GPU: a block's threads are fibers, switched at its barriers in random order.
//
// A missing barrier shows as a result that changes with the order; a barrier or a vote
// that some threads never reach ends the program. What it cannot show: threads that
// truly run at the same time, and the memory model.
#ifndef EHSOD_TESTS_CUDA_EMULATION_CUDA_RUNTIME_H_
#define EHSOD_TESTS_CUDA_EMULATION_CUDA_RUNTIME_H_

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <cstring>
#include <functional>

#define __global__
#define __device__
#define __host__
#define __forceinline__ inline
#define __grid_constant__
#define __launch_bounds__(...)
#define __restrict__
// One block runs at a time.
#define __shared__ static

struct dim3 {
  unsigned x, y, z;
  explicit dim3(unsigned x, unsigned y = 1, unsigned z = 1) : x(x), y(y), z(z) {}
  dim3() : dim3(1) {}
};

struct CUstream_st;
using cudaStream_t = CUstream_st*;
enum cudaError_t { cudaSuccess };
inline cudaError_t cudaGetLastError() { return cudaSuccess; }
inline const char* cudaGetErrorString(cudaError_t) { return ""; }

namespace cuda_emulator {

extern dim3 thread_index, block_index, block_size, grid_size;

// Runs the kernel for every thread of every block.
void Run(dim3 grid, dim3 block, const std::function<void()>& kernel);

// Seeds the order in which threads take their turns.
void Shuffle(uint32_t seed);

// Waits for all threads of the block, and returns how many of them gave true.
int WaitForBlock(bool flag);

// Waits for all lanes of the warp, and returns their flags, bit by bit.
uint32_t WaitForWarp(bool flag);

}  // namespace cuda_emulator

#define threadIdx ::cuda_emulator::thread_index
#define blockIdx ::cuda_emulator::block_index
#define blockDim ::cuda_emulator::block_size
#define gridDim ::cuda_emulator::grid_size

inline void __syncthreads() { cuda_emulator::WaitForBlock(false); }
inline int __syncthreads_or(int flag) { return cuda_emulator::WaitForBlock(flag) > 0; }
inline unsigned __ballot_sync(unsigned, int flag) {
  return cuda_emulator::WaitForWarp(flag);
}
inline int __any_sync(unsigned, int flag) {
  return cuda_emulator::WaitForWarp(flag) != 0;
}
inline int __popc(unsigned bits) { return __builtin_popcount(bits); }
inline int __popcll(uint64_t bits) { return __builtin_popcountll(bits); }
inline int __ffsll(long long bits) { return __builtin_ffsll(bits); }
inline int __clzll(long long bits) { return bits == 0 ? 64 : __builtin_clzll(bits); }
inline float __uint_as_float(uint32_t bits) {
  float value;
  std::memcpy(&value, &bits, sizeof(value));
  return value;
}
inline uint32_t __float_as_uint(float value) {
  uint32_t bits;
  std::memcpy(&bits, &value, sizeof(bits));
  return bits;
}
inline int min(int a, int b) { return a < b ? a : b; }

#endif  // EHSOD_TESTS_CUDA_EMULATION_CUDA_RUNTIME_H_
