// Problems and numbers out of a stream of bits: a generator's, or libFuzzer's bytes.
#ifndef EHSOD_TESTS_RANDOM_CASES_H_
#define EHSOD_TESTS_RANDOM_CASES_H_

#include <cmath>
#include <cstdint>
#include <cstring>
#include <limits>
#include <random>
#include <vector>

#include "ehsod/non_max_suppression.h"
#include "ehsod/roi_align.h"

namespace ehsod::test {

// Draws from `data` while it lasts, then from a generator seeded by its length.
class Source {
 public:
  Source(const uint8_t* data, size_t size) : data_(data), size_(size), rng_(size) {}
  explicit Source(uint32_t seed) : Source(nullptr, seed) { size_ = 0; }

  uint32_t Bits() {
    if (size_ < sizeof(uint32_t)) return static_cast<uint32_t>(rng_());
    uint32_t bits;
    std::memcpy(&bits, data_, sizeof(bits));
    data_ += sizeof(bits);
    size_ -= sizeof(bits);
    return bits;
  }

  int64_t Between(int64_t low, int64_t high) { return low + Bits() % (high - low + 1); }

  float Uniform(float low, float high) {
    return low + (high - low) * static_cast<float>(Bits() >> 8) * 0x1p-24f;
  }

  // One in `odds` is a special number or any bits at all.
  float Coordinate(float low, float high, int odds) {
    constexpr float kInfinity = std::numeric_limits<float>::infinity();
    constexpr float kSpecial[] = {0.0f,
                                  -0.0f,
                                  1e38f,
                                  -1e38f,
                                  1e-45f,
                                  kInfinity,
                                  -kInfinity,
                                  1e10f,
                                  16777216.0f,
                                  2147483648.0f,
                                  std::numeric_limits<float>::quiet_NaN()};
    if (odds == 0 || Bits() % odds != 0) return Uniform(low, high);
    const uint32_t choice = Bits() % (std::size(kSpecial) + 1);
    return choice < std::size(kSpecial) ? kSpecial[choice] : FloatOf(Bits());
  }

 private:
  const uint8_t* data_;
  size_t size_;
  std::mt19937 rng_;
};

inline RoiAlignProblem MakeRoiAlignProblem(Source* source) {
  constexpr int64_t kChannels[] = {1, 2, 3, 4, 7, 8, 15, 16, 17, 31, 33, 64, 129, 257};
  RoiAlignProblem problem = {};
  problem.batch = source->Between(1, 3);
  problem.num_boxes = source->Between(1, 6);
  problem.channels = kChannels[source->Bits() % std::size(kChannels)];
  problem.output_size = source->Between(1, 8);
  problem.sampling_ratio = source->Between(1, 4);
  problem.min_level = source->Between(0, 4);
  problem.num_levels = source->Between(1, 5);
  for (int64_t level = 0; level < problem.num_levels; ++level) {
    problem.heights[level] = source->Between(1, 40 >> level) + (level == 4);
    problem.widths[level] = source->Between(1, 60 >> level);
  }
  return problem;
}

// Boxes that suit the finest map; one coordinate in `odds` is odd.
inline std::vector<float> MakeBoxes(const RoiAlignProblem& problem, int odds,
                                    Source* source) {
  const float extent = static_cast<float>(50 << problem.min_level);
  std::vector<float> boxes;
  for (int64_t n = 0; n < problem.batch * problem.num_boxes; ++n) {
    const float y = source->Coordinate(-0.2f * extent, extent, odds);
    const float x = source->Coordinate(-0.2f * extent, extent, odds);
    boxes.push_back(y);
    boxes.push_back(x);
    boxes.push_back(source->Coordinate(y, y + extent, odds));
    boxes.push_back(source->Coordinate(x, x + extent, odds));
  }
  return boxes;
}

inline NonMaxSuppressionProblem MakeNmsProblem(Source* source) {
  return {source->Between(1, 3), source->Between(0, 200), source->Between(1, 250),
          source->Uniform(0.0f, 1.0f), source->Coordinate(-0.5f, 0.5f, 0)};
}

struct Candidates {
  std::vector<float> boxes;
  std::vector<float> scores;
  std::vector<int32_t> classes;
};

// Corners on a grid for odd seeds: IoUs then often equal one another.
inline Candidates MakeCandidates(const NonMaxSuppressionProblem& problem, bool on_grid,
                          int odds, Source* source) {
  Candidates made;
  for (int64_t n = 0; n < problem.batch * problem.num_boxes; ++n) {
    const float y = source->Coordinate(0.0f, 60.0f, odds);
    const float x = source->Coordinate(0.0f, 60.0f, odds);
    const float corners[] = {y, x, source->Coordinate(y - 1.0f, y + 40.0f, odds),
                             source->Coordinate(x - 1.0f, x + 40.0f, odds)};
    for (const float k : corners) {
      made.boxes.push_back(on_grid ? 4.0f * std::round(k / 4.0f) : k);
    }
    const float score = source->Coordinate(-1.0f, 1.0f, odds);
    made.scores.push_back(source->Bits() % 2 ? std::round(score * 8.0f) / 8.0f : score);
    made.classes.push_back(static_cast<int32_t>(source->Between(-1, 3)));
  }
  return made;
}

}  // namespace ehsod::test

#endif  // EHSOD_TESTS_RANDOM_CASES_H_
