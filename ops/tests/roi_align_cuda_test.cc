// RoIAlign's CUDA kernels on the emulator: against the oracle, and the same bits in
// whatever order the threads run.
#include <limits>

#include "ehsod/roi_align_cuda.h"
#include "cuda_runtime.h"
#include "roi_align_tensors.h"

namespace ehsod::test {
namespace {

template <typename T>
std::vector<T> RunForward(const RoiAlignProblem& problem, const Tensors<T>& tensors) {
  std::vector<const T*> maps;
  for (const auto& map : tensors.maps) maps.push_back(map.data());
  std::vector<T> pooled(tensors.pooled.size(), FromFloat<T>(NAN));
  EHSOD_EXPECT(RoiAlignForwardCuda(problem, maps.data(), tensors.boxes.data(),
                                   pooled.data(), nullptr) == nullptr);
  return pooled;
}

// Outputs are poisoned: every element must be written.
template <typename T>
std::vector<std::vector<T>> RunBackward(const RoiAlignProblem& problem,
                                        const Tensors<T>& tensors) {
  std::vector<std::vector<T>> gradients;
  for (const auto& map : tensors.maps) {
    gradients.emplace_back(map.size(), FromFloat<T>(NAN));
  }
  std::vector<T*> data;
  for (auto& gradient : gradients) data.push_back(gradient.data());
  EHSOD_EXPECT(RoiAlignBackwardCuda(problem, tensors.boxes.data(),
                                    tensors.pooled.data(), data.data(),
                                    nullptr) == nullptr);
  return gradients;
}

template <typename T>
void ExpectOracle(const RoiAlignProblem& problem, const Tensors<T>& tensors) {
  const Expected expected = RunOracle(problem, tensors);
  ExpectNear(RunForward(problem, tensors), expected.pooled);
  const auto gradients = RunBackward(problem, tensors);
  for (size_t level = 0; level < gradients.size(); ++level) {
    ExpectNear(gradients[level], expected.gradients[level]);
  }
}

template <typename T>
void TestAgainstOracle(uint32_t seed) {
  Source source(seed);
  const RoiAlignProblem problem = MakeRoiAlignProblem(&source);
  ExpectOracle(problem, MakeTensors<T>(problem, 0, &source));
}

// More boxes than a block lists at a time, and more than its table of weights holds.
void TestManyBoxes(int64_t num_boxes, int64_t output_size) {
  Source source(1);
  RoiAlignProblem problem = {1, num_boxes, 4, output_size, 2, 0, 2, {9, 5}, {17, 9}};
  ExpectOracle(problem, MakeTensors<float>(problem, 0, &source));
}

// With odd boxes: finite results, and the same bits in any order of the threads.
template <typename T>
void TestOrders(uint32_t seed) {
  Source source(seed);
  const RoiAlignProblem problem = MakeRoiAlignProblem(&source);
  const Tensors<T> tensors = MakeTensors<T>(problem, 4, &source);
  cuda_emulator::Shuffle(1);
  const std::vector<T> pooled = RunForward(problem, tensors);
  const auto gradients = RunBackward(problem, tensors);
  cuda_emulator::Shuffle(2);
  ExpectSameBits(pooled, RunForward(problem, tensors));
  const auto again = RunBackward(problem, tensors);
  for (const T value : pooled) EHSOD_EXPECT(std::isfinite(ToFloat(value)));
  for (size_t level = 0; level < gradients.size(); ++level) {
    for (const T value : gradients[level]) EHSOD_EXPECT(std::isfinite(ToFloat(value)));
    ExpectSameBits(gradients[level], again[level]);
  }
}

}  // namespace
}  // namespace ehsod::test

int main() {
  using namespace ehsod::test;
  for (uint32_t seed = 0; seed < 12; ++seed) {
    TestAgainstOracle<float>(seed);
    TestAgainstOracle<ehsod::BFloat16>(seed);
    TestAgainstOracle<ehsod::Half>(seed);
    TestOrders<float>(seed);
    TestOrders<ehsod::BFloat16>(seed);
    TestOrders<ehsod::Half>(seed);
  }
  TestManyBoxes(1300, 2);
  TestManyBoxes(60, 7);
  TestManyBoxes(5, 64);
}
