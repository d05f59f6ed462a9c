// What the tests of RoIAlign's kernels share: random tensors, expected results.
#ifndef EHSOD_TESTS_ROI_ALIGN_TENSORS_H_
#define EHSOD_TESTS_ROI_ALIGN_TENSORS_H_

#include <cstring>

#include "oracle.h"
#include "random_cases.h"

namespace ehsod::test {

template <typename T>
inline constexpr double kTolerance = 3e-5;
template <>
inline constexpr double kTolerance<BFloat16> = 0x1p-8;
template <>
inline constexpr double kTolerance<Half> = 0x1p-10;

template <typename T>
std::vector<T> MakeValues(int64_t count, Source* source) {
  std::vector<T> values;
  for (int64_t k = 0; k < count; ++k) {
    values.push_back(FromFloat<T>(source->Uniform(-1.0f, 1.0f)));
  }
  return values;
}

template <typename T>
struct Tensors {
  std::vector<float> boxes;
  std::vector<std::vector<T>> maps;
  std::vector<T> pooled;
};

template <typename T>
Tensors<T> MakeTensors(const RoiAlignProblem& problem, int odds, Source* source) {
  Tensors<T> tensors;
  const int64_t boxes = problem.batch * problem.num_boxes;
  tensors.boxes = MakeBoxes(problem, odds, source);
  for (int64_t level = 0; level < problem.num_levels; ++level) {
    tensors.maps.push_back(MakeValues<T>(problem.batch * problem.heights[level] *
                                             problem.widths[level] * problem.channels,
                                         source));
  }
  tensors.pooled = MakeValues<T>(
      boxes * problem.output_size * problem.output_size * problem.channels, source);
  return tensors;
}

// What the oracle makes of the tensors.
struct Expected {
  std::vector<double> pooled;
  std::vector<std::vector<double>> gradients;
};

template <typename T>
Expected RunOracle(const RoiAlignProblem& problem, const Tensors<T>& tensors) {
  Expected expected;
  expected.pooled.resize(tensors.pooled.size());
  for (const auto& map : tensors.maps) expected.gradients.emplace_back(map.size());
  VisitRoiAlign(problem, tensors.boxes.data(),
                [&](int level, int64_t from, int64_t to, double weight) {
                  expected.pooled[to] += weight * ToFloat(tensors.maps[level][from]);
                  expected.gradients[level][from] +=
                      weight * ToFloat(tensors.pooled[to]);
                });
  return expected;
}

template <typename T>
void ExpectNear(const std::vector<T>& actual, const std::vector<double>& expected) {
  for (size_t k = 0; k < actual.size(); ++k) {
    const double error = std::abs(ToFloat(actual[k]) - expected[k]);
    EHSOD_EXPECT(error <= kTolerance<T> * (1 + std::abs(expected[k])));
  }
}

template <typename T>
void ExpectSameBits(const std::vector<T>& a, const std::vector<T>& b) {
  EHSOD_EXPECT(a.empty() || std::memcmp(a.data(), b.data(), a.size() * sizeof(T)) == 0);
}

}  // namespace ehsod::test

#endif  // EHSOD_TESTS_ROI_ALIGN_TENSORS_H_
