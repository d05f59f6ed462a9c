// NMS on the CPU: a radix sort, then each candidate against all kept boxes, a vector of
// them at a time. Images run in parallel.
#include <algorithm>
#include <limits>

#include "cpu_dispatch.h"
#include "ehsod/non_max_suppression.h"
#include "non_max_suppression_math.h"

namespace ehsod {
namespace {

constexpr int kMaxLanes = 8;
constexpr int kVectorsPerTest = 4;
constexpr int64_t kKeptPadding = kVectorsPerTest * kMaxLanes;
constexpr int kKeptColumns = 6;
constexpr int kRadixBits = 11;
constexpr int kRadixPasses = 3;
constexpr int kBuckets = 1 << kRadixBits;

// The kept boxes, column by column, padded to whole tests with boxes at infinity.
struct KeptBoxes {
  int64_t count;
  float* ymin;
  float* xmin;
  float* ymax;
  float* xmax;
  float* area;
  int32_t* class_index;
};

int64_t KeptCapacity(const NonMaxSuppressionProblem& problem) {
  return std::min(problem.num_boxes, problem.max_outputs) + kKeptPadding;
}

KeptBoxes PlaceKeptBoxes(const NonMaxSuppressionProblem& problem, uint32_t* words) {
  const int64_t capacity = KeptCapacity(problem);
  float* columns = reinterpret_cast<float*>(words);
  return {0,
          columns,
          columns + capacity,
          columns + 2 * capacity,
          columns + 3 * capacity,
          columns + 4 * capacity,
          reinterpret_cast<int32_t*>(words + 5 * capacity)};
}

void PadKeptBoxes(KeptBoxes* kept) {
  constexpr float kInfinity = std::numeric_limits<float>::infinity();
  std::fill_n(kept->ymin + kept->count, kKeptPadding, kInfinity);
  std::fill_n(kept->xmin + kept->count, kKeptPadding, kInfinity);
  std::fill_n(kept->ymax + kept->count, kKeptPadding, 0.0f);
  std::fill_n(kept->xmax + kept->count, kKeptPadding, 0.0f);
  std::fill_n(kept->area + kept->count, kKeptPadding, 0.0f);
  std::fill_n(kept->class_index + kept->count, kKeptPadding, 0);
}

void Keep(const Box& box, float area, int32_t class_index, KeptBoxes* kept) {
  // Every whole block is padded when its first box comes.
  if (kept->count % kKeptPadding == 0) PadKeptBoxes(kept);
  kept->ymin[kept->count] = box.ymin;
  kept->xmin[kept->count] = box.xmin;
  kept->ymax[kept->count] = box.ymax;
  kept->xmax[kept->count] = box.xmax;
  kept->area[kept->count] = area;
  kept->class_index[kept->count] = class_index;
  ++kept->count;
}

bool TestExactly(const Box& box, float area, int32_t class_index, const KeptBoxes& kept,
                 int64_t begin, float iou_threshold) {
  const int64_t end = std::min(begin + kKeptPadding, kept.count);
  for (int64_t k = begin; k < end; ++k) {
    const Box other = {kept.ymin[k], kept.xmin[k], kept.ymax[k], kept.xmax[k]};
    if (kept.class_index[k] == class_index &&
        Overlaps(box, area, other, kept.area[k], iou_threshold)) {
      return true;
    }
  }
  return false;
}

template <typename Isa>
EHSOD_ALWAYS_INLINE void LoadFloats(const float* source, typename Isa::Floats* vector) {
  std::memcpy(vector, source, sizeof(*vector));
}

// Whether a kept box suppresses this one. A product, a little too low, stands in for
// the division until a vector holds a hit; only then are its boxes tested exactly.
template <typename Isa>
EHSOD_ALWAYS_INLINE bool IsSuppressed(const Box& box, float area, int32_t class_index,
                                      const KeptBoxes& kept, float iou_threshold) {
  using Floats = typename Isa::Floats;
  using Ints = typename Isa::Ints;
  constexpr int kStep = kVectorsPerTest * Isa::kLanes;
  const float low_threshold = LowThreshold(iou_threshold);
  const Floats zero = {};
  const Floats ymin = zero + box.ymin, xmin = zero + box.xmin;
  const Floats ymax = zero + box.ymax, xmax = zero + box.xmax;
  for (int64_t k = 0; k < kept.count; k += kStep) {
    Ints hits = {};
#pragma GCC unroll 4
    for (int v = 0; v < kVectorsPerTest; ++v) {
      const int64_t at = k + v * Isa::kLanes;
      Floats top, left, bottom, right, areas;
      Ints classes;
      LoadFloats<Isa>(kept.ymin + at, &top);
      LoadFloats<Isa>(kept.xmin + at, &left);
      LoadFloats<Isa>(kept.ymax + at, &bottom);
      LoadFloats<Isa>(kept.xmax + at, &right);
      LoadFloats<Isa>(kept.area + at, &areas);
      std::memcpy(&classes, kept.class_index + at, sizeof(classes));
      top = ymin > top ? ymin : top;
      left = xmin > left ? xmin : left;
      bottom = ymax < bottom ? ymax : bottom;
      right = xmax < right ? xmax : right;
      const Floats heights = bottom - top > zero ? bottom - top : zero;
      const Floats widths = right - left > zero ? right - left : zero;
      const Floats intersections = heights * widths;
      const Floats unions = area + areas - intersections;
      hits |= (intersections > low_threshold * unions) & (classes == class_index);
    }
    int32_t any = 0;
    for (int lane = 0; lane < Isa::kLanes; ++lane) any |= hits[lane];
    if (any == 0) continue;
    const int64_t block = k / kKeptPadding * kKeptPadding;
    if (TestExactly(box, area, class_index, kept, block, iou_threshold)) return true;
  }
  return false;
}

// Sorts `count` (key, index) pairs by rising key, equal keys in the order given; the
// result is in the second half of both arrays, whose halves are `stride` apart.
void SortByKey(int64_t count, int64_t stride, uint32_t* keys, uint32_t* indices) {
  uint32_t histograms[kRadixPasses][kBuckets] = {};
  for (int64_t k = 0; k < count; ++k) {
    for (int pass = 0; pass < kRadixPasses; ++pass) {
      ++histograms[pass][keys[k] >> (pass * kRadixBits) & (kBuckets - 1)];
    }
  }
  for (int pass = 0; pass < kRadixPasses; ++pass) {
    uint32_t start = 0;
    for (uint32_t& bucket : histograms[pass]) {
      const uint32_t size = bucket;
      bucket = start;
      start += size;
    }
    const int64_t from = pass % 2 == 0 ? 0 : stride;
    const int64_t to = stride - from;
    for (int64_t k = 0; k < count; ++k) {
      const uint32_t key = keys[from + k];
      const uint32_t place =
          histograms[pass][key >> (pass * kRadixBits) & (kBuckets - 1)]++;
      keys[to + place] = key;
      indices[to + place] = indices[from + k];
    }
  }
}

// Writes the candidates' indices, best first, and returns where they are and how many.
const uint32_t* SortCandidates(const NonMaxSuppressionProblem& problem,
                               const float* scores, uint32_t* scratch, int64_t* count) {
  uint32_t* keys = scratch;
  uint32_t* indices = scratch + 2 * problem.num_boxes;
  *count = 0;
  for (int64_t n = 0; n < problem.num_boxes; ++n) {
    if (!(scores[n] > problem.score_threshold)) continue;
    keys[*count] = FallingKey(BitsOf(scores[n]));
    indices[*count] = static_cast<uint32_t>(n);
    ++*count;
  }
  SortByKey(*count, problem.num_boxes, keys, indices);
  return indices + problem.num_boxes;
}

template <typename Isa>
EHSOD_ALWAYS_INLINE void SuppressBody(const NonMaxSuppressionProblem& problem,
                                      const float* boxes, const float* scores,
                                      const int32_t* classes, uint32_t* scratch,
                                      int32_t* indices, int32_t* num_valid) {
  int64_t candidates = 0;
  const uint32_t* order = SortCandidates(problem, scores, scratch, &candidates);
  KeptBoxes kept = PlaceKeptBoxes(problem, scratch + 4 * problem.num_boxes);
  for (int64_t k = 0; k < candidates && kept.count < problem.max_outputs; ++k) {
    const uint32_t n = order[k];
    Box box;
    if (!ReadBox(boxes + 4 * static_cast<int64_t>(n), &box)) continue;
    const float area = AreaOf(box);
    const int32_t class_index = classes == nullptr ? 0 : classes[n];
    if (IsSuppressed<Isa>(box, area, class_index, kept, problem.iou_threshold))
      continue;
    indices[kept.count] = static_cast<int32_t>(n);
    Keep(box, area, class_index, &kept);
  }
  std::fill(indices + kept.count, indices + problem.max_outputs, -1);
  *num_valid = static_cast<int32_t>(kept.count);
}

#define EHSOD_INSTANTIATE(isa, attributes)                                           \
  attributes void Suppress##isa(const NonMaxSuppressionProblem& problem,             \
                                const float* boxes, const float* scores,             \
                                const int32_t* classes, uint32_t* scratch,           \
                                int32_t* indices, int32_t* num_valid) {              \
    SuppressBody<isa>(problem, boxes, scores, classes, scratch, indices, num_valid); \
  }

EHSOD_INSTANTIATE(Baseline, )
#ifdef __x86_64__
EHSOD_INSTANTIATE(Avx2, EHSOD_TARGET_AVX2)
#endif
#undef EHSOD_INSTANTIATE

using Suppress = void (*)(const NonMaxSuppressionProblem&, const float*, const float*,
                          const int32_t*, uint32_t*, int32_t*, int32_t*);

Suppress ChooseSuppress() {
#ifdef __x86_64__
  // Not AVX-512: g++ 12 turns its comparisons into code five times slower than AVX2's.
  if (DetectInstructionSet() != InstructionSet::kBaseline) return SuppressAvx2;
#endif
  return SuppressBaseline;
}

}  // namespace

int64_t CountScratch(const NonMaxSuppressionProblem& problem) {
  return 4 * problem.num_boxes + kKeptColumns * KeptCapacity(problem);
}

void NonMaxSuppressionCpu(const NonMaxSuppressionProblem& problem, const float* boxes,
                          const float* scores, const int32_t* classes, int64_t begin,
                          int64_t end, uint32_t* scratch, int32_t* indices,
                          int32_t* num_valid) {
  const Suppress suppress = ChooseSuppress();
  for (int64_t b = begin; b < end; ++b) {
    const int64_t first = b * problem.num_boxes;
    suppress(problem, boxes + 4 * first, scores + first,
             classes == nullptr ? nullptr : classes + first, scratch,
             indices + b * problem.max_outputs, num_valid + b);
  }
}

}  // namespace ehsod
