// NMS in CUDA: one sort of the whole batch, then one block of threads per image.
//
// A block takes the sorted candidates 64 at a time: tests them against all kept boxes,
// then among themselves, and appends the survivors. It stops at D kept boxes, needs no
// table of all pairs, and never asks the host.
#include <cuda_runtime.h>

#include <algorithm>
#include <cub/device/device_radix_sort.cuh>

#include "ehsod/non_max_suppression_cuda.h"
#include "non_max_suppression_math.h"

namespace ehsod {
namespace {

constexpr int kThreads = 1024;
constexpr int kWarps = kThreads / 32;
constexpr int kChunk = 64;
constexpr int kBoxesPerWarp = kChunk / kWarps;
constexpr unsigned kAllLanes = 0xffffffffu;
// No number has this key: it belongs to a NaN.
constexpr uint32_t kNoCandidate = 0xffffffffu;

struct KeptBox {
  Box box;
  float area;
  int32_t class_index;
};

// Keys rise by image, then by falling score; boxes out of the running come last.
__global__ void MakeKeys(int64_t count, int64_t num_boxes, float score_threshold,
                         const float* __restrict__ boxes,
                         const float* __restrict__ scores, uint64_t* __restrict__ keys,
                         int32_t* __restrict__ indices) {
  const int64_t stride = static_cast<int64_t>(gridDim.x) * blockDim.x;
  for (int64_t k = static_cast<int64_t>(blockIdx.x) * blockDim.x + threadIdx.x;
       k < count; k += stride) {
    Box box;
    const bool is_candidate =
        ReadBox(boxes + 4 * k, &box) && scores[k] > score_threshold;
    const uint32_t key =
        is_candidate ? FallingKey(__float_as_uint(scores[k])) : kNoCandidate;
    keys[k] = static_cast<uint64_t>(k / num_boxes) << 32 | key;
    indices[k] = static_cast<int32_t>(k % num_boxes);
  }
}

__device__ __forceinline__ bool Suppresses(const KeptBox& kept,
                                           const KeptBox& candidate,
                                           float iou_threshold) {
  return kept.class_index == candidate.class_index &&
         Overlaps(candidate.box, candidate.area, kept.box, kept.area, iou_threshold);
}

// Fills the chunk from position `begin` on; returns how many candidates it holds.
__device__ int LoadChunk(const NonMaxSuppressionProblem& problem, int64_t image,
                         int64_t begin, const uint64_t* keys, const int32_t* sorted,
                         const float* boxes, const int32_t* classes, KeptBox* chunk,
                         int32_t* chunk_indices) {
  const int64_t position = begin + threadIdx.x;
  bool holds = false;
  if (threadIdx.x < kChunk && position < problem.num_boxes) {
    const int64_t at = image * problem.num_boxes + position;
    holds = static_cast<uint32_t>(keys[at]) != kNoCandidate;
    const int32_t n = sorted[at];
    const int64_t box = image * problem.num_boxes + n;
    KeptBox candidate = {};
    if (holds && ReadBox(boxes + 4 * box, &candidate.box)) {
      candidate.area = AreaOf(candidate.box);
      candidate.class_index = classes == nullptr ? 0 : classes[box];
    }
    chunk[threadIdx.x] = candidate;
    chunk_indices[threadIdx.x] = n;
  }
  return __syncthreads_count(holds);
}

__global__ void __launch_bounds__(kThreads)
    SuppressKernel(const NonMaxSuppressionProblem problem,
                   const uint64_t* __restrict__ keys,
                   const int32_t* __restrict__ sorted, const float* __restrict__ boxes,
                   const int32_t* __restrict__ classes, int64_t kept_capacity,
                   KeptBox* all_kept, int32_t* indices, int32_t* num_valid) {
  __shared__ KeptBox chunk[kChunk];
  __shared__ int32_t chunk_indices[kChunk];
  __shared__ bool suppressed[kChunk];
  // Bit j of row i: box i of the chunk suppresses box j > i.
  __shared__ uint64_t rows[kChunk];
  __shared__ uint64_t survivors;
  const int lane = threadIdx.x % 32, warp = threadIdx.x / 32;
  for (int64_t image = blockIdx.x; image < problem.batch; image += gridDim.x) {
    KeptBox* kept = all_kept + image * kept_capacity;
    int32_t* image_indices = indices + image * problem.max_outputs;
    int64_t count = 0;
    for (int64_t begin = 0; begin < problem.num_boxes && count < problem.max_outputs;
         begin += kChunk) {
      const int size = LoadChunk(problem, image, begin, keys, sorted, boxes, classes,
                                 chunk, chunk_indices);
      if (size == 0) break;
      for (int m = 0; m < kBoxesPerWarp; ++m) {
        const int i = warp * kBoxesPerWarp + m;
        if (i >= size) continue;
        const KeptBox candidate = chunk[i];
        bool hit = false;
        for (int64_t base = 0; base < count && !__any_sync(kAllLanes, hit);
             base += 32) {
          const int64_t k = base + lane;
          hit = k < count && Suppresses(kept[k], candidate, problem.iou_threshold);
        }
        hit = __any_sync(kAllLanes, hit);
        uint64_t row = 0;
        for (int half = 0; half < kChunk / 32; ++half) {
          const int j = half * 32 + lane;
          const bool overlaps = j > i && j < size &&
                                Suppresses(candidate, chunk[j], problem.iou_threshold);
          row |= static_cast<uint64_t>(__ballot_sync(kAllLanes, overlaps))
                 << (half * 32);
        }
        if (lane == 0) {
          suppressed[i] = hit;
          rows[i] = row;
        }
      }
      __syncthreads();
      if (threadIdx.x == 0) {
        uint64_t alive = 0, gone = 0;
        for (int i = 0; i < size; ++i) {
          if (suppressed[i] || (gone >> i & 1)) continue;
          alive |= uint64_t{1} << i;
          gone |= rows[i];
        }
        survivors = alive;
      }
      __syncthreads();
      const uint64_t alive = survivors;
      if (threadIdx.x < kChunk && (alive >> threadIdx.x & 1)) {
        const int64_t place =
            count + __popcll(alive & ((uint64_t{1} << threadIdx.x) - 1));
        if (place < problem.max_outputs) {
          kept[place] = chunk[threadIdx.x];
          image_indices[place] = chunk_indices[threadIdx.x];
        }
      }
      count = min(count + __popcll(alive), problem.max_outputs);
      __syncthreads();
    }
    for (int64_t k = count + threadIdx.x; k < problem.max_outputs; k += kThreads) {
      image_indices[k] = -1;
    }
    if (threadIdx.x == 0) num_valid[image] = static_cast<int32_t>(count);
  }
}

size_t RoundUp(size_t bytes) { return (bytes + 255) / 256 * 256; }

// Where the parts of the scratch begin.
struct Layout {
  size_t sorted_keys;
  size_t indices;
  size_t sorted_indices;
  size_t kept;
  size_t sort;
  size_t sort_bytes;
  size_t total;
};

int64_t KeptCapacity(const NonMaxSuppressionProblem& problem) {
  return std::min(problem.num_boxes, problem.max_outputs);
}

int KeyBits(const NonMaxSuppressionProblem& problem) {
  int bits = 32;
  while (bits < 63 && problem.batch > int64_t{1} << (bits - 32)) ++bits;
  return bits;
}

cudaError_t Sort(const NonMaxSuppressionProblem& problem, void* temporary,
                 size_t* bytes, const uint64_t* keys, uint64_t* sorted_keys,
                 const int32_t* indices, int32_t* sorted_indices, cudaStream_t stream) {
  return cub::DeviceRadixSort::SortPairs(
      temporary, *bytes, keys, sorted_keys, indices, sorted_indices,
      static_cast<int>(problem.batch * problem.num_boxes), 0, KeyBits(problem), stream);
}

Layout PlanScratch(const NonMaxSuppressionProblem& problem) {
  const size_t count = static_cast<size_t>(problem.batch * problem.num_boxes);
  Layout layout = {};
  layout.sorted_keys = RoundUp(count * sizeof(uint64_t));
  layout.indices = layout.sorted_keys + RoundUp(count * sizeof(uint64_t));
  layout.sorted_indices = layout.indices + RoundUp(count * sizeof(int32_t));
  layout.kept = layout.sorted_indices + RoundUp(count * sizeof(int32_t));
  layout.sort = layout.kept + RoundUp(static_cast<size_t>(problem.batch) *
                                      KeptCapacity(problem) * sizeof(KeptBox));
  Sort(problem, nullptr, &layout.sort_bytes, nullptr, nullptr, nullptr, nullptr,
       nullptr);
  layout.total = layout.sort + RoundUp(layout.sort_bytes);
  return layout;
}

const char* Describe(cudaError_t error) {
  return error == cudaSuccess ? nullptr : cudaGetErrorString(error);
}

}  // namespace

size_t CountScratchCuda(const NonMaxSuppressionProblem& problem) {
  return PlanScratch(problem).total;
}

const char* NonMaxSuppressionCuda(const NonMaxSuppressionProblem& problem,
                                  const float* boxes, const float* scores,
                                  const int32_t* classes, void* scratch,
                                  int32_t* indices, int32_t* num_valid,
                                  CUstream_st* stream) {
  Layout layout = PlanScratch(problem);
  char* bytes = static_cast<char*>(scratch);
  auto* keys = reinterpret_cast<uint64_t*>(bytes);
  auto* sorted_keys = reinterpret_cast<uint64_t*>(bytes + layout.sorted_keys);
  auto* numbers = reinterpret_cast<int32_t*>(bytes + layout.indices);
  auto* sorted = reinterpret_cast<int32_t*>(bytes + layout.sorted_indices);
  auto* kept = reinterpret_cast<KeptBox*>(bytes + layout.kept);
  const int64_t count = problem.batch * problem.num_boxes;
  if (count > 0) {
    const int64_t blocks = std::min<int64_t>((count + 255) / 256, 65535);
    MakeKeys<<<static_cast<unsigned>(blocks), 256, 0, stream>>>(
        count, problem.num_boxes, problem.score_threshold, boxes, scores, keys,
        numbers);
    const cudaError_t error = Sort(problem, bytes + layout.sort, &layout.sort_bytes,
                                   keys, sorted_keys, numbers, sorted, stream);
    if (error != cudaSuccess) return Describe(error);
  }
  const int64_t blocks = std::min<int64_t>(problem.batch, 65535);
  SuppressKernel<<<static_cast<unsigned>(blocks), kThreads, 0, stream>>>(
      problem, sorted_keys, sorted, boxes, classes, KeptCapacity(problem), kept,
      indices, num_valid);
  return Describe(cudaGetLastError());
}

}  // namespace ehsod
