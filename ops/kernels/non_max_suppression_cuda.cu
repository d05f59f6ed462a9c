// NMS in CUDA: one sort of the whole batch, then one block of threads for each image and
// group of classes, then one for each image that gathers what the groups kept.
//
// Boxes of unlike classes do not meet, so the groups run side by side. A block takes its
// sorted candidates 64 at a time: tests them against all boxes it has kept, then among
// themselves, and appends the survivors. There is no table of all pairs, and nothing
// returns to the host.
#include <cuda_runtime.h>

#include <algorithm>
#include <cub/device/device_radix_sort.cuh>

#include "cuda_launch.cuh"
#include "ehsod/non_max_suppression_cuda.h"
#include "non_max_suppression_math.h"

namespace ehsod {
namespace {

constexpr int kThreads = 1024;
constexpr int kWarps = kThreads / kWarpSize;
constexpr int kChunk = 64;
constexpr int kBoxesPerWarp = kChunk / kWarps;
constexpr unsigned kAllOfWarp = (1u << kBoxesPerWarp) - 1;
// Kept boxes that a lane tests before the warp asks whether there was a hit.
constexpr int kTestsPerStep = 4;
// A power of 2: the lowest bits of its class are a box's group.
constexpr int kGroups = 16;
// No number has this key: it belongs to a NaN.
constexpr uint32_t kNoCandidate = 0xffffffffu;

// The sorted candidates of all images, and which of them were kept.
struct Candidates {
  const uint64_t* keys;
  const int32_t* numbers;
  const float* boxes;
  const int32_t* classes;
  uint8_t* are_kept;
};

struct AreaAndClass {
  float area;
  int32_t class_index;
};

// Kept boxes of one block; two arrays, so that a warp reads each in a piece.
struct KeptBoxes {
  Box* boxes;
  AreaAndClass* others;
};

struct Candidate {
  Box box;
  AreaAndClass other;
};

struct SharedChunk {
  // Where in the sorted order this block's candidates are, of kThreads at a time.
  int32_t listed[kThreads];
  int32_t listed_per_warp[kWarps];
  Candidate candidates[kChunk];
  bool are_suppressed[kChunk];
  // Bit j of row i: box i of the chunk suppresses box j > i.
  uint64_t rows[kChunk];
  uint64_t survivors;
};

// Keys rise by image, then by falling score; boxes out of the running come last.
__global__ void MakeKeys(int64_t count, int64_t num_boxes, float score_threshold,
                         const float* __restrict__ boxes,
                         const float* __restrict__ scores, uint64_t* __restrict__ keys,
                         int32_t* __restrict__ numbers,
                         uint8_t* __restrict__ are_kept) {
  const int64_t stride = static_cast<int64_t>(gridDim.x) * blockDim.x;
  for (int64_t k = static_cast<int64_t>(blockIdx.x) * blockDim.x + threadIdx.x;
       k < count; k += stride) {
    Box box;
    const bool is_candidate =
        ReadBox(boxes + 4 * k, &box) && scores[k] > score_threshold;
    const uint32_t key =
        is_candidate ? FallingKey(__float_as_uint(scores[k])) : kNoCandidate;
    keys[k] = static_cast<uint64_t>(k / num_boxes) << 32 | key;
    numbers[k] = static_cast<int32_t>(k % num_boxes);
    are_kept[k] = 0;
  }
}

// How many threads of lower number have the flag, and in `total` how many of all.
__device__ __forceinline__ int RankThread(bool flag, int32_t* per_warp, int* total) {
  const int lane = threadIdx.x % kWarpSize, warp = threadIdx.x / kWarpSize;
  const unsigned ballot = __ballot_sync(kAllLanes, flag);
  if (lane == 0) per_warp[warp] = __popc(ballot);
  __syncthreads();
  int rank = __popc(ballot & ((1u << lane) - 1));
  *total = 0;
  for (int w = 0; w < kWarps; ++w) {
    if (w < warp) rank += per_warp[w];
    *total += per_warp[w];
  }
  __syncthreads();
  return rank;
}

__device__ __forceinline__ int32_t ClassOf(const Candidates& all, int64_t box) {
  return all.classes == nullptr ? 0 : all.classes[box];
}

__device__ __forceinline__ Candidate ReadCandidate(const Candidates& all,
                                                   int64_t first, int32_t position) {
  const int64_t box = first + all.numbers[first + position];
  Candidate candidate = {};
  ReadBox(all.boxes + 4 * box, &candidate.box);
  candidate.other = {AreaOf(candidate.box), ClassOf(all, box)};
  return candidate;
}

// Lists which of the kThreads sorted candidates from `begin` on are of the group;
// returns how many, -1 where there are no candidates any more. `first` is the image's.
__device__ int ListCandidates(const Candidates& all, int64_t first, int64_t begin,
                              int64_t num_boxes, uint32_t group, SharedChunk* shared) {
  const int64_t position = begin + threadIdx.x;
  bool is_candidate = false, is_mine = false;
  if (position < num_boxes) {
    is_candidate = static_cast<uint32_t>(all.keys[first + position]) != kNoCandidate;
    if (is_candidate) {
      const int64_t box = first + all.numbers[first + position];
      is_mine = (static_cast<uint32_t>(ClassOf(all, box)) & (kGroups - 1)) == group;
    }
  }
  int count = 0;
  const int rank = RankThread(is_mine, shared->listed_per_warp, &count);
  if (is_mine) shared->listed[rank] = static_cast<int32_t>(position);
  return __syncthreads_or(is_candidate) ? count : -1;
}

__device__ __forceinline__ bool Suppresses(const Box& box, const AreaAndClass& other,
                                           const Candidate& candidate,
                                           float iou_threshold) {
  return other.class_index == candidate.other.class_index &&
         Overlaps(candidate.box, candidate.other.area, box, other.area, iou_threshold);
}

// Which of the kBoxesPerWarp candidates the kept boxes suppress, bit by bit; a warp's
// work. Candidates whose bit is set in `suppressed` are passed over. The division waits
// until a lane has seen a box that may suppress.
__device__ unsigned TestKept(const KeptBoxes& kept, int count,
                             const Candidate* candidates, unsigned suppressed,
                             float iou_threshold) {
  const float low_threshold = LowThreshold(iou_threshold);
  const int lane = threadIdx.x % kWarpSize;
  for (int base = 0; base < count && suppressed != kAllOfWarp;
       base += kTestsPerStep * kWarpSize) {
    Box boxes[kTestsPerStep];
    AreaAndClass others[kTestsPerStep];
#pragma unroll
    for (int q = 0; q < kTestsPerStep; ++q) {
      // Past the end the last box is tested once more.
      const int k = min(base + q * kWarpSize + lane, count - 1);
      boxes[q] = kept.boxes[k];
      others[q] = kept.others[k];
    }
#pragma unroll
    for (int m = 0; m < kBoxesPerWarp; ++m) {
      if (suppressed >> m & 1) continue;
      const Candidate candidate = candidates[m];
      bool may_hit = false;
#pragma unroll
      for (int q = 0; q < kTestsPerStep; ++q) {
        may_hit |= (others[q].class_index == candidate.other.class_index) &
                   MayOverlap(candidate.box, candidate.other.area, boxes[q],
                              others[q].area, low_threshold);
      }
      if (!__any_sync(kAllLanes, may_hit)) continue;
      bool hit = false;
#pragma unroll
      for (int q = 0; q < kTestsPerStep; ++q) {
        hit |= may_hit && Suppresses(boxes[q], others[q], candidate, iou_threshold);
      }
      if (__any_sync(kAllLanes, hit)) suppressed |= 1u << m;
    }
  }
  return suppressed;
}

// Tests the chunk's boxes against the kept ones and among themselves.
__device__ void TestChunk(const KeptBoxes& kept, int count, int size,
                          float iou_threshold, SharedChunk* shared) {
  const int lane = threadIdx.x % kWarpSize;
  const int first = static_cast<int>(threadIdx.x) / kWarpSize * kBoxesPerWarp;
  unsigned suppressed = 0;
  for (int m = 0; m < kBoxesPerWarp; ++m) {
    if (first + m >= size) suppressed |= 1u << m;
  }
  suppressed = TestKept(kept, count, shared->candidates + first, suppressed,
                        iou_threshold);
  for (int m = 0; m < kBoxesPerWarp; ++m) {
    const int i = first + m;
    uint64_t row = 0;
    for (int half = 0; half < kChunk && !(suppressed >> m & 1); half += kWarpSize) {
      const int j = half + lane;
      const bool overlaps =
          j > i && j < size &&
          Suppresses(shared->candidates[i].box, shared->candidates[i].other,
                     shared->candidates[j], iou_threshold);
      row |= static_cast<uint64_t>(__ballot_sync(kAllLanes, overlaps)) << half;
    }
    if (lane == 0) {
      shared->are_suppressed[i] = suppressed >> m & 1;
      shared->rows[i] = row;
    }
  }
}

// Which boxes of a tested chunk survive, bit by bit; a warp's work.
__device__ uint64_t FindSurvivors(const SharedChunk& shared) {
  uint64_t waiting = 0, survivors = 0;
  for (int half = 0; half < kChunk; half += kWarpSize) {
    const bool waits = !shared.are_suppressed[half + threadIdx.x % kWarpSize];
    waiting |= static_cast<uint64_t>(__ballot_sync(kAllLanes, waits)) << half;
  }
  while (waiting != 0) {
    const int i = __ffsll(static_cast<long long>(waiting)) - 1;
    survivors |= uint64_t{1} << i;
    waiting &= ~(shared.rows[i] | uint64_t{1} << i);
  }
  return survivors;
}

// Serves `size` listed candidates from `listed` on; returns how many boxes are kept now.
__device__ int SuppressChunk(const NonMaxSuppressionProblem& problem,
                                 const Candidates& all, int64_t first,
                                 const int32_t* listed, int size, int count,
                                 const KeptBoxes& kept, SharedChunk* shared) {
  const int thread = threadIdx.x;
  if (thread < size) {
    shared->candidates[thread] = ReadCandidate(all, first, listed[thread]);
  }
  __syncthreads();
  TestChunk(kept, count, size, problem.iou_threshold, shared);
  __syncthreads();
  if (thread < kWarpSize) {
    const uint64_t found = FindSurvivors(*shared);
    if (thread == 0) shared->survivors = found;
  }
  __syncthreads();
  const uint64_t survivors = shared->survivors;
  if (thread < size && (survivors >> thread & 1)) {
    const int place = count + __popcll(survivors & ((uint64_t{1} << thread) - 1));
    if (place < problem.max_outputs) {
      kept.boxes[place] = shared->candidates[thread].box;
      kept.others[place] = shared->candidates[thread].other;
      all.are_kept[first + listed[thread]] = 1;
    }
  }
  // The next chunk's first barrier comes before anybody reads what was kept here.
  return min(count + __popcll(survivors), static_cast<int>(problem.max_outputs));
}

// A block serves one group of classes of one image.
__global__ void __launch_bounds__(kThreads)
    SuppressKernel(const NonMaxSuppressionProblem problem, const Candidates all,
                   int groups, int64_t kept_capacity, KeptBoxes all_kept) {
  __shared__ SharedChunk shared;
  for (int64_t unit = blockIdx.x; unit < problem.batch * groups; unit += gridDim.x) {
    const int64_t first = unit / groups * problem.num_boxes;
    const uint32_t group = static_cast<uint32_t>(unit % groups);
    const KeptBoxes kept = {all_kept.boxes + unit * kept_capacity,
                            all_kept.others + unit * kept_capacity};
    int count = 0;
    for (int64_t begin = 0; begin < problem.num_boxes && count < problem.max_outputs;
         begin += kThreads) {
      const int listed =
          ListCandidates(all, first, begin, problem.num_boxes, group, &shared);
      if (listed < 0) break;
      for (int k = 0; k < listed && count < problem.max_outputs; k += kChunk) {
        count = SuppressChunk(problem, all, first, shared.listed + k,
                              min(kChunk, listed - k), count, kept, &shared);
      }
    }
  }
}

// A block gathers the first boxes that were kept of one image.
__global__ void __launch_bounds__(kThreads)
    GatherKernel(const NonMaxSuppressionProblem problem, const Candidates all,
                 int32_t* __restrict__ indices, int32_t* __restrict__ num_valid) {
  __shared__ int32_t kept_per_warp[kWarps];
  for (int64_t image = blockIdx.x; image < problem.batch; image += gridDim.x) {
    const int64_t first = image * problem.num_boxes;
    int32_t* image_indices = indices + image * problem.max_outputs;
    int count = 0;
    for (int64_t begin = 0; begin < problem.num_boxes && count < problem.max_outputs;
         begin += kThreads) {
      const int64_t position = begin + threadIdx.x;
      const bool is_kept =
          position < problem.num_boxes && all.are_kept[first + position] != 0;
      int total = 0;
      const int place = count + RankThread(is_kept, kept_per_warp, &total);
      if (is_kept && place < problem.max_outputs) {
        image_indices[place] = all.numbers[first + position];
      }
      count = min(count + total, static_cast<int>(problem.max_outputs));
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
  size_t numbers;
  size_t sorted_numbers;
  size_t are_kept;
  size_t kept_boxes;
  size_t kept_others;
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
                 const int32_t* numbers, int32_t* sorted_numbers,
                 cudaStream_t stream) {
  return cub::DeviceRadixSort::SortPairs(
      temporary, *bytes, keys, sorted_keys, numbers, sorted_numbers,
      static_cast<int>(problem.batch * problem.num_boxes), 0, KeyBits(problem), stream);
}

Layout PlanScratch(const NonMaxSuppressionProblem& problem) {
  const size_t count = static_cast<size_t>(problem.batch * problem.num_boxes);
  const size_t kept =
      static_cast<size_t>(problem.batch * KeptCapacity(problem)) * kGroups;
  Layout layout = {};
  layout.sorted_keys = RoundUp(count * sizeof(uint64_t));
  layout.numbers = layout.sorted_keys + RoundUp(count * sizeof(uint64_t));
  layout.sorted_numbers = layout.numbers + RoundUp(count * sizeof(int32_t));
  layout.are_kept = layout.sorted_numbers + RoundUp(count * sizeof(int32_t));
  layout.kept_boxes = layout.are_kept + RoundUp(count);
  layout.kept_others = layout.kept_boxes + RoundUp(kept * sizeof(Box));
  layout.sort = layout.kept_others + RoundUp(kept * sizeof(AreaAndClass));
  Sort(problem, nullptr, &layout.sort_bytes, nullptr, nullptr, nullptr, nullptr,
       nullptr);
  layout.total = layout.sort + RoundUp(layout.sort_bytes);
  return layout;
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
  auto* numbers = reinterpret_cast<int32_t*>(bytes + layout.numbers);
  auto* sorted_numbers = reinterpret_cast<int32_t*>(bytes + layout.sorted_numbers);
  auto* are_kept = reinterpret_cast<uint8_t*>(bytes + layout.are_kept);
  const KeptBoxes kept = {
      reinterpret_cast<Box*>(bytes + layout.kept_boxes),
      reinterpret_cast<AreaAndClass*>(bytes + layout.kept_others)};
  const int64_t count = problem.batch * problem.num_boxes;
  const Candidates all = {sorted_keys, sorted_numbers, boxes, classes, are_kept};
  if (count > 0) {
    constexpr int kKeyThreads = 256;
    const char* objection =
        Launch(MakeKeys, (count + kKeyThreads - 1) / kKeyThreads, dim3(kKeyThreads),
               stream, count, problem.num_boxes, problem.score_threshold, boxes, scores,
               keys, numbers, are_kept);
    if (objection != nullptr) return objection;
    const cudaError_t error =
        Sort(problem, bytes + layout.sort, &layout.sort_bytes, keys, sorted_keys,
             numbers, sorted_numbers, stream);
    if (error != cudaSuccess) return Describe(error);
    const int groups = classes == nullptr ? 1 : kGroups;
    objection = Launch(SuppressKernel, problem.batch * groups, dim3(kThreads), stream,
                       problem, all, groups, KeptCapacity(problem), kept);
    if (objection != nullptr) return objection;
  }
  return Launch(GatherKernel, problem.batch, dim3(kThreads), stream, problem, all,
                indices, num_valid);
}

}  // namespace ehsod
