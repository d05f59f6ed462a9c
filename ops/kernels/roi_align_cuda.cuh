// What the forward and the backward of RoIAlign in CUDA share: the problem as kernels
// take it, and packs of neighbouring channels, moved in one access.
#ifndef EHSOD_KERNELS_ROI_ALIGN_CUDA_CUH_
#define EHSOD_KERNELS_ROI_ALIGN_CUDA_CUH_

#include <cuda_fp16.h>
#include <cuda_runtime.h>

#include <algorithm>

#include "cuda_launch.cuh"
#include "ehsod/roi_align_cuda.h"
#include "roi_align_math.h"

namespace ehsod {

// The problem and the maps, as kernels take them.
template <typename Element>
struct Pyramid {
  int64_t num_boxes;
  int channels;
  int output_size;
  int sampling_ratio;
  int min_level;
  int num_levels;
  int heights[kMaxLevels];
  int widths[kMaxLevels];
  Element* maps[kMaxLevels];
};

template <typename Element, typename Maps>
Pyramid<Element> MakePyramid(const RoiAlignProblem& problem, Maps maps) {
  Pyramid<Element> pyramid = {};
  pyramid.num_boxes = problem.num_boxes;
  pyramid.channels = static_cast<int>(problem.channels);
  pyramid.output_size = static_cast<int>(problem.output_size);
  pyramid.sampling_ratio = static_cast<int>(problem.sampling_ratio);
  pyramid.min_level = static_cast<int>(problem.min_level);
  pyramid.num_levels = static_cast<int>(problem.num_levels);
  for (int level = 0; level < problem.num_levels; ++level) {
    pyramid.heights[level] = static_cast<int>(problem.heights[level]);
    pyramid.widths[level] = static_cast<int>(problem.widths[level]);
    pyramid.maps[level] = maps[level];
  }
  return pyramid;
}

__device__ __forceinline__ float LoadElement(float value) { return value; }
__device__ __forceinline__ float LoadElement(BFloat16 value) {
  return __uint_as_float(static_cast<uint32_t>(value.bits) << 16);
}
__device__ __forceinline__ float LoadElement(Half value) {
  return __half2float(__ushort_as_half(value.bits));
}

template <typename T>
__device__ __forceinline__ T StoreElement(float value);
template <>
__device__ __forceinline__ float StoreElement<float>(float value) {
  return value;
}
template <>
__device__ __forceinline__ BFloat16 StoreElement<BFloat16>(float value) {
  const uint32_t bits = __float_as_uint(value);
  const uint32_t rounded = (bits + 0x7fffu + ((bits >> 16) & 1u)) >> 16;
  return {static_cast<uint16_t>(value == value ? rounded : (bits >> 16) | 0x40u)};
}
template <>
__device__ __forceinline__ Half StoreElement<Half>(float value) {
  return {__half_as_ushort(__float2half_rn(value))};
}

// kCount neighbouring channels, moved in one access.
template <typename T, int kCount>
struct alignas(sizeof(T) * kCount) Pack {
  T elements[kCount];
};

// Whether packs of `bytes` serve: the channels and every pointer allow them.
template <typename T, typename Maps>
bool CanPack(const RoiAlignProblem& problem, Maps maps, const T* bins, size_t bytes) {
  const auto is_aligned = [bytes](const T* pointer) {
    return reinterpret_cast<uintptr_t>(pointer) % bytes == 0;
  };
  return problem.channels * sizeof(T) % bytes == 0 && is_aligned(bins) &&
         std::all_of(maps, maps + problem.num_levels, is_aligned);
}

}  // namespace ehsod

#endif  // EHSOD_KERNELS_ROI_ALIGN_CUDA_CUH_
