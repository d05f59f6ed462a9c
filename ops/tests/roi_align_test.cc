// RoIAlign's CPU kernels against the oracle, in pieces and on threads.
#include <thread>

#include "roi_align_tensors.h"

namespace ehsod::test {
namespace {

// The boxes in the order that the CPU kernels work in.
struct GroupedBoxes {
  std::vector<int32_t> order;
  std::vector<int32_t> offsets;
};

GroupedBoxes Group(const RoiAlignProblem& problem, const float* boxes) {
  GroupedBoxes grouped;
  grouped.order.resize(problem.batch * problem.num_boxes);
  grouped.offsets.resize(problem.batch * problem.num_levels + 1);
  GroupBoxes(problem, boxes, grouped.order.data(), grouped.offsets.data());
  return grouped;
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
  const GroupedBoxes grouped = Group(problem, tensors.boxes.data());
  std::vector<T> pooled(tensors.pooled.size());
  RunOnThreads(problem.batch * problem.num_boxes * problem.output_size, pieces,
               [&](int64_t begin, int64_t end) {
                 RoiAlignForwardCpu(problem, maps.data(), tensors.boxes.data(),
                                    grouped.order.data(), begin, end, pooled.data());
               });
  return pooled;
}

template <typename T>
std::vector<std::vector<T>> RunBackward(const RoiAlignProblem& problem,
                                        const Tensors<T>& tensors, int64_t pieces) {
  std::vector<std::vector<T>> gradients = tensors.maps;
  std::vector<T*> data;
  for (auto& gradient : gradients) data.push_back(gradient.data());
  const GroupedBoxes grouped = Group(problem, tensors.boxes.data());
  RunOnThreads(CountGradientBands(problem), pieces, [&](int64_t begin, int64_t end) {
    std::vector<float> scratch(CountGradientScratch<T>(problem));
    RoiAlignBackwardCpu(problem, tensors.boxes.data(), grouped.order.data(),
                        grouped.offsets.data(), tensors.pooled.data(), begin, end,
                        scratch.data(), data.data());
  });
  return gradients;
}

template <typename T>
void TestAgainstOracle(uint32_t seed) {
  Source source(seed);
  const RoiAlignProblem problem = MakeRoiAlignProblem(&source);
  EHSOD_EXPECT(CheckProblem(problem) == nullptr);
  const Tensors<T> tensors = MakeTensors<T>(problem, 0, &source);
  const Expected expected = RunOracle(problem, tensors);
  ExpectNear(RunForward(problem, tensors, 1), expected.pooled);
  const auto actual = RunBackward(problem, tensors, 1);
  for (size_t level = 0; level < actual.size(); ++level) {
    ExpectNear(actual[level], expected.gradients[level]);
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
