// RoIAlign's CPU kernels against the oracle, in pieces and on threads.
#include <cstring>
#include <thread>

#include "oracle.h"
#include "random_cases.h"

namespace ehsod::test {
namespace {

template <typename T>
constexpr double kTolerance = 3e-5;
template <>
constexpr double kTolerance<BFloat16> = 0x1p-8;
template <>
constexpr double kTolerance<Half> = 0x1p-10;

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
  std::vector<int32_t> order;
  std::vector<int32_t> offsets;
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
  tensors.order.resize(boxes);
  tensors.offsets.resize(problem.batch * problem.num_levels + 1);
  GroupBoxes(problem, tensors.boxes.data(), tensors.order.data(),
             tensors.offsets.data());
  return tensors;
}

// Runs work(begin, end) on pieces of the units, each on a thread of its own.
template <typename Work>
void RunOnThreads(int64_t units, int64_t pieces, const Work& work) {
  std::vector<std::thread> threads;
  for (int64_t k = 0; k < pieces; ++k) {
    threads.emplace_back(work, units * k / pieces, units * (k + 1) / pieces);
  }
  for (std::thread& thread : threads) thread.join();
}

template <typename T>
std::vector<T> RunForward(const RoiAlignProblem& problem, const Tensors<T>& tensors,
                          int64_t pieces) {
  std::vector<const T*> maps;
  for (const auto& map : tensors.maps) maps.push_back(map.data());
  std::vector<T> pooled(tensors.pooled.size());
  RunOnThreads(problem.batch * problem.num_boxes * problem.output_size, pieces,
               [&](int64_t begin, int64_t end) {
                 RoiAlignForwardCpu(problem, maps.data(), tensors.boxes.data(),
                                    tensors.order.data(), begin, end, pooled.data());
               });
  return pooled;
}

template <typename T>
std::vector<std::vector<T>> RunBackward(const RoiAlignProblem& problem,
                                        const Tensors<T>& tensors, int64_t pieces) {
  std::vector<std::vector<T>> gradients = tensors.maps;
  std::vector<T*> data;
  for (auto& gradient : gradients) data.push_back(gradient.data());
  RunOnThreads(CountGradientBands(problem), pieces, [&](int64_t begin, int64_t end) {
    std::vector<float> scratch(CountGradientScratch<T>(problem));
    RoiAlignBackwardCpu(problem, tensors.boxes.data(), tensors.order.data(),
                        tensors.offsets.data(), tensors.pooled.data(), begin, end,
                        scratch.data(), data.data());
  });
  return gradients;
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

template <typename T>
void TestAgainstOracle(uint32_t seed) {
  Source source(seed);
  const RoiAlignProblem problem = MakeRoiAlignProblem(&source);
  EHSOD_EXPECT(CheckProblem(problem) == nullptr);
  const Tensors<T> tensors = MakeTensors<T>(problem, 0, &source);
  std::vector<double> pooled(tensors.pooled.size());
  std::vector<std::vector<double>> gradients;
  for (const auto& map : tensors.maps) gradients.emplace_back(map.size());
  VisitRoiAlign(problem, tensors.boxes.data(),
                [&](int level, int64_t from, int64_t to, double weight) {
                  pooled[to] += weight * ToFloat(tensors.maps[level][from]);
                  gradients[level][from] += weight * ToFloat(tensors.pooled[to]);
                });
  ExpectNear(RunForward(problem, tensors, 1), pooled);
  const auto actual = RunBackward(problem, tensors, 1);
  for (size_t level = 0; level < actual.size(); ++level) {
    ExpectNear(actual[level], gradients[level]);
  }
}

// With odd boxes: finite results, and the same bits however the work is split.
template <typename T>
void TestSplits(uint32_t seed) {
  Source source(seed);
  const RoiAlignProblem problem = MakeRoiAlignProblem(&source);
  const Tensors<T> tensors = MakeTensors<T>(problem, 4, &source);
  const std::vector<T> pooled = RunForward(problem, tensors, 1);
  for (const T value : pooled) EHSOD_EXPECT(std::isfinite(ToFloat(value)));
  ExpectSameBits(pooled, RunForward(problem, tensors, 3));
  const auto gradients = RunBackward(problem, tensors, 1);
  const auto split = RunBackward(problem, tensors, 4);
  for (size_t level = 0; level < gradients.size(); ++level) {
    for (const T value : gradients[level]) EHSOD_EXPECT(std::isfinite(ToFloat(value)));
    ExpectSameBits(gradients[level], split[level]);
  }
}

void TestRejections() {
  Source source(1u);
  const auto rejects = [&](auto change) {
    RoiAlignProblem problem = MakeRoiAlignProblem(&source);
    change(&problem);
    return CheckProblem(problem) != nullptr;
  };
  constexpr int64_t kHuge = std::numeric_limits<int64_t>::max();
  EHSOD_EXPECT(rejects([](auto* p) { p->output_size = 0; }));
  EHSOD_EXPECT(rejects([](auto* p) { p->output_size = kMaxOutputSize + 1; }));
  EHSOD_EXPECT(rejects([](auto* p) { p->sampling_ratio = kHuge; }));
  EHSOD_EXPECT(rejects([](auto* p) { p->min_level = -1; }));
  EHSOD_EXPECT(rejects([](auto* p) { p->min_level = kHuge; }));
  EHSOD_EXPECT(rejects([](auto* p) { p->num_levels = 0; }));
  EHSOD_EXPECT(rejects([](auto* p) { p->num_levels = kMaxLevels + 1; }));
  EHSOD_EXPECT(rejects([](auto* p) { p->batch = -1; }));
  EHSOD_EXPECT(rejects([](auto* p) { p->num_boxes = kHuge; }));
  EHSOD_EXPECT(rejects([](auto* p) { p->channels = kHuge / 3; }));
  EHSOD_EXPECT(rejects([](auto* p) { p->heights[0] = 0; }));
  EHSOD_EXPECT(rejects([](auto* p) { p->widths[0] = kMaxExtent + 1; }));
}

}  // namespace
}  // namespace ehsod::test

int main() {
  using namespace ehsod::test;
  for (uint32_t seed = 0; seed < 150; ++seed) {
    TestAgainstOracle<float>(seed);
    TestAgainstOracle<ehsod::BFloat16>(seed);
    TestAgainstOracle<ehsod::Half>(seed);
    TestSplits<float>(seed);
    TestSplits<ehsod::BFloat16>(seed);
    TestSplits<ehsod::Half>(seed);
  }
  TestRejections();
}
