// RoIAlign in CUDA: neighbouring threads take neighbouring channels, 16 bytes each.
#include <cuda_fp16.h>
#include <cuda_runtime.h>

#include <algorithm>

#include "ehsod/roi_align_cuda.h"
#include "roi_align_math.h"

namespace ehsod {
namespace {

constexpr int kThreads = 256;
constexpr int kMaxLanes = 64;
constexpr int kMaxSamples = kMaxOutputSize * kMaxSamplingRatio;
// The weights of all cells that a block of the backward owns, in shared memory.
constexpr int kMaxColumnWeights = 4096;
constexpr int64_t kMaxGrid = (int64_t{1} << 31) - 1;

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

template <int kCount>
struct Sums {
  float elements[kCount] = {};

  template <typename T>
  __device__ __forceinline__ void Add(float weight, const T* source) {
    const Pack<T, kCount> pack = *reinterpret_cast<const Pack<T, kCount>*>(source);
#pragma unroll
    for (int k = 0; k < kCount; ++k) {
      elements[k] += weight * LoadElement(pack.elements[k]);
    }
  }

  template <typename T>
  __device__ __forceinline__ void Store(float scale, T* target) const {
    Pack<T, kCount> pack;
#pragma unroll
    for (int k = 0; k < kCount; ++k) {
      pack.elements[k] = StoreElement<T>(scale * elements[k]);
    }
    *reinterpret_cast<Pack<T, kCount>*>(target) = pack;
  }
};

// A block computes one row of bins of one box. threadIdx.x counts packs of channels,
// threadIdx.y bins. kRatio 0 stands for a sampling ratio known only at run time.
template <typename T, int kCount, int kRatio>
__global__ void __launch_bounds__(kThreads)
    ForwardKernel(const __grid_constant__ Pyramid<const T> pyramid,
                  const float* __restrict__ boxes, int64_t rows,
                  T* __restrict__ pooled) {
  __shared__ AxisSample row_samples[kMaxSamplingRatio];
  __shared__ AxisSample column_samples[kMaxSamples];
  const int size = pyramid.output_size;
  const int ratio = kRatio > 0 ? kRatio : pyramid.sampling_ratio;
  const int thread = threadIdx.y * blockDim.x + threadIdx.x;
  for (int64_t row = blockIdx.x; row < rows; row += gridDim.x) {
    const int64_t box = row / size;
    const int i = static_cast<int>(row % size);
    const LevelBox place =
        PlaceBox(boxes + 4 * box, pyramid.min_level, pyramid.num_levels, size * ratio);
    const int level = place.level < 0 ? 0 : place.level;
    const int height = pyramid.heights[level], width = pyramid.widths[level];
    __syncthreads();
    for (int k = thread; k < (size + 1) * ratio; k += blockDim.x * blockDim.y) {
      if (k < ratio) {
        row_samples[k] =
            PlaceSample(place.start_y, place.step_y, i * ratio + k, height);
      } else {
        column_samples[k - ratio] =
            PlaceSample(place.start_x, place.step_x, k - ratio, width);
      }
    }
    __syncthreads();
    const int64_t image = box / pyramid.num_boxes;
    const T* map = pyramid.maps[level] + image * height * width * pyramid.channels;
    const float share = 1.0f / static_cast<float>(ratio * ratio);
    for (int j = threadIdx.y; j < size; j += blockDim.y) {
      for (int c = threadIdx.x * kCount; c < pyramid.channels;
           c += blockDim.x * kCount) {
        Sums<kCount> sums;
#pragma unroll
        for (int u = 0; u < ratio; ++u) {
          const AxisSample y = row_samples[u];
#pragma unroll
          for (int v = 0; v < ratio; ++v) {
            const AxisSample x = column_samples[j * ratio + v];
            if (place.level < 0 || !y.inside || !x.inside) continue;
            const T* low = map + static_cast<int64_t>(y.low) * width * pyramid.channels;
            const T* high =
                map + static_cast<int64_t>(y.high) * width * pyramid.channels;
            const int64_t left = static_cast<int64_t>(x.low) * pyramid.channels + c;
            const int64_t right = static_cast<int64_t>(x.high) * pyramid.channels + c;
            sums.Add((1.0f - y.fraction) * (1.0f - x.fraction), low + left);
            sums.Add((1.0f - y.fraction) * x.fraction, low + right);
            sums.Add(y.fraction * (1.0f - x.fraction), high + left);
            sums.Add(y.fraction * x.fraction, high + right);
          }
        }
        sums.Store(share, pooled + (row * size + j) * pyramid.channels + c);
      }
    }
  }
}

// The weight of one cell along one axis in one bin.
__device__ float WeighCell(float start, float step, int bin, int ratio, int extent,
                           int cell) {
  float weight = 0.0f;
  for (int u = 0; u < ratio; ++u) {
    const AxisSample sample = PlaceSample(start, step, bin * ratio + u, extent);
    if (!sample.inside) continue;
    if (sample.low == cell) weight += 1.0f - sample.fraction;
    if (sample.high == cell) weight += sample.fraction;
  }
  return weight;
}

// Whether samples between two cells may touch cells first to last, all of one axis.
__device__ bool MayTouch(float start, float step, int samples, int extent, int first,
                         int last) {
  const float end = start + static_cast<float>(samples) * step;
  const float low = fminf(start, end) - 2.0f, high = fmaxf(start, end) + 2.0f;
  // Samples just outside are clamped into the first or the last cell.
  return (low <= static_cast<float>(last) || last == extent - 1) &&
         (high >= static_cast<float>(first) || first == 0);
}

// A block owns a run of cells of one row of one map, and adds up what each box sends
// them. threadIdx.x counts packs of channels, threadIdx.y cells of the run.
template <typename T, int kCount>
__global__ void __launch_bounds__(kThreads)
    BackwardKernel(const __grid_constant__ Pyramid<T> pyramid, int level,
                   const float* __restrict__ boxes,
                   const T* __restrict__ pooled_gradient, int64_t runs,
                   int runs_per_row) {
  __shared__ float row_weights[kMaxOutputSize];
  __shared__ float column_weights[kMaxColumnWeights];
  __shared__ int hits[kThreads];
  __shared__ int hits_per_warp[kThreads / 32];
  const int size = pyramid.output_size, ratio = pyramid.sampling_ratio;
  const int height = pyramid.heights[level], width = pyramid.widths[level];
  const int thread = threadIdx.y * blockDim.x + threadIdx.x;
  const int threads = blockDim.x * blockDim.y;
  const int64_t bins_per_box = static_cast<int64_t>(size) * size;
  for (int64_t run = blockIdx.x; run < runs; run += gridDim.x) {
    const int64_t map_row = run / runs_per_row;
    const int64_t image = map_row / height;
    const int row = static_cast<int>(map_row % height);
    const int first = static_cast<int>(run % runs_per_row) * blockDim.y;
    const int last = min(first + static_cast<int>(blockDim.y), width) - 1;
    const int cell = first + threadIdx.y;
    const int c = (blockIdx.y * blockDim.x + threadIdx.x) * kCount;
    const bool active = cell < width && c < pyramid.channels;
    Sums<kCount> sums;
    for (int64_t base = 0; base < pyramid.num_boxes; base += threads) {
      // Each thread looks at one box; hits are listed in the boxes' order.
      const int64_t n = base + thread;
      bool hit = false;
      if (n < pyramid.num_boxes) {
        const LevelBox place =
            PlaceBox(boxes + 4 * (image * pyramid.num_boxes + n), pyramid.min_level,
                     pyramid.num_levels, size * ratio);
        hit = place.level == level &&
              MayTouch(place.start_y, place.step_y, size * ratio, height, row, row) &&
              MayTouch(place.start_x, place.step_x, size * ratio, width, first, last);
      }
      const unsigned ballot = __ballot_sync(0xffffffffu, hit);
      if (thread % 32 == 0) hits_per_warp[thread / 32] = __popc(ballot);
      __syncthreads();
      int place_in_list = __popc(ballot & ((1u << thread % 32) - 1));
      int total = 0;
      for (int w = 0; w < threads / 32; ++w) {
        if (w < thread / 32) place_in_list += hits_per_warp[w];
        total += hits_per_warp[w];
      }
      if (hit) hits[place_in_list] = thread;
      __syncthreads();
      for (int k = 0; k < total; ++k) {
        const int64_t box = image * pyramid.num_boxes + base + hits[k];
        const LevelBox place = PlaceBox(boxes + 4 * box, pyramid.min_level,
                                        pyramid.num_levels, size * ratio);
        for (int m = thread; m < size * (1 + static_cast<int>(blockDim.y));
             m += threads) {
          const int bin = m % size, axis_cell = m / size - 1;
          if (axis_cell < 0) {
            row_weights[bin] =
                WeighCell(place.start_y, place.step_y, bin, ratio, height, row);
          } else {
            column_weights[axis_cell * size + bin] = WeighCell(
                place.start_x, place.step_x, bin, ratio, width, first + axis_cell);
          }
        }
        __syncthreads();
        if (active) {
          const T* bins = pooled_gradient + box * bins_per_box * pyramid.channels + c;
          for (int i = 0; i < size; ++i) {
            if (row_weights[i] == 0.0f) continue;
            for (int j = 0; j < size; ++j) {
              const float weight =
                  row_weights[i] * column_weights[threadIdx.y * size + j];
              if (weight == 0.0f) continue;
              sums.Add(weight,
                       bins + static_cast<int64_t>(i * size + j) * pyramid.channels);
            }
          }
        }
        __syncthreads();
      }
    }
    if (active) {
      const float share = 1.0f / static_cast<float>(ratio * ratio);
      sums.Store(share,
                 pyramid.maps[level] + (map_row * width + cell) * pyramid.channels + c);
    }
  }
}

const char* Describe(cudaError_t error) {
  return error == cudaSuccess ? nullptr : cudaGetErrorString(error);
}

template <typename T>
bool IsAligned(const T* pointer) {
  return reinterpret_cast<uintptr_t>(pointer) % 16 == 0;
}

// Packs of 16 bytes, where the channels and every pointer allow.
template <typename T, typename Maps>
bool CanPack(const RoiAlignProblem& problem, Maps maps, const T* bins) {
  if (problem.channels % (16 / sizeof(T)) != 0 || !IsAligned(bins)) return false;
  return std::all_of(maps, maps + problem.num_levels,
                     [](const T* map) { return IsAligned(map); });
}

dim3 BlockFor(int64_t packs) {
  // A power of 2, so that the block has 256 threads.
  unsigned lanes = 1;
  while (lanes < kMaxLanes && lanes < packs) lanes *= 2;
  return dim3(lanes, kThreads / lanes);
}

template <typename T, int kCount>
const char* LaunchForward(const RoiAlignProblem& problem, const T* const* features,
                          const float* boxes, T* pooled, cudaStream_t stream) {
  const Pyramid<const T> pyramid = MakePyramid<const T>(problem, features);
  const int64_t rows = problem.batch * problem.num_boxes * problem.output_size;
  const dim3 block = BlockFor((problem.channels + kCount - 1) / kCount);
  const unsigned grid = static_cast<unsigned>(std::min(rows, kMaxGrid));
  if (problem.sampling_ratio == 2) {
    ForwardKernel<T, kCount, 2>
        <<<grid, block, 0, stream>>>(pyramid, boxes, rows, pooled);
  } else {
    ForwardKernel<T, kCount, 0>
        <<<grid, block, 0, stream>>>(pyramid, boxes, rows, pooled);
  }
  return Describe(cudaGetLastError());
}

template <typename T, int kCount>
const char* LaunchBackward(const RoiAlignProblem& problem, const float* boxes,
                           const T* pooled_gradient, T* const* gradients,
                           cudaStream_t stream) {
  const Pyramid<T> pyramid = MakePyramid<T>(problem, gradients);
  const int64_t packs = (problem.channels + kCount - 1) / kCount;
  dim3 block = BlockFor(packs);
  while (block.y * problem.output_size > kMaxColumnWeights) block.y /= 2;
  const int64_t slices = (packs + block.x - 1) / block.x;
  if (slices > 65535) return "more than 2^22 packs of channels";
  for (int level = 0; level < problem.num_levels; ++level) {
    const int64_t runs_per_row = (problem.widths[level] + block.y - 1) / block.y;
    const int64_t runs = problem.batch * problem.heights[level] * runs_per_row;
    const dim3 grid(static_cast<unsigned>(std::min(runs, kMaxGrid)),
                    static_cast<unsigned>(slices));
    BackwardKernel<T, kCount><<<grid, block, 0, stream>>>(
        pyramid, level, boxes, pooled_gradient, runs, static_cast<int>(runs_per_row));
    const char* objection = Describe(cudaGetLastError());
    if (objection != nullptr) return objection;
  }
  return nullptr;
}

}  // namespace

template <typename T>
const char* RoiAlignForwardCuda(const RoiAlignProblem& problem,
                                const T* const* features, const float* boxes, T* pooled,
                                CUstream_st* stream) {
  if (CanPack<T>(problem, features, pooled)) {
    return LaunchForward<T, 16 / sizeof(T)>(problem, features, boxes, pooled, stream);
  }
  return LaunchForward<T, 1>(problem, features, boxes, pooled, stream);
}

template <typename T>
const char* RoiAlignBackwardCuda(const RoiAlignProblem& problem, const float* boxes,
                                 const T* pooled_gradient, T* const* gradients,
                                 CUstream_st* stream) {
  if (CanPack<T>(problem, gradients, pooled_gradient)) {
    return LaunchBackward<T, 16 / sizeof(T)>(problem, boxes, pooled_gradient, gradients,
                                             stream);
  }
  return LaunchBackward<T, 1>(problem, boxes, pooled_gradient, gradients, stream);
}

#define EHSOD_INSTANTIATE(T)                                                        \
  template const char* RoiAlignForwardCuda(const RoiAlignProblem&, const T* const*, \
                                           const float*, T*, CUstream_st*);         \
  template const char* RoiAlignBackwardCuda(const RoiAlignProblem&, const float*,   \
                                            const T*, T* const*, CUstream_st*);
EHSOD_INSTANTIATE(float)
EHSOD_INSTANTIATE(BFloat16)
EHSOD_INSTANTIATE(Half)
#undef EHSOD_INSTANTIATE

}  // namespace ehsod
