// NMS's CPU kernel against the oracle: identical lists of indices.
#include "oracle.h"
#include "random_cases.h"

namespace ehsod::test {
namespace {

void TestAgainstOracle(uint32_t seed, int odds, bool by_class) {
  Source source(seed);
  const NonMaxSuppressionProblem problem = MakeNmsProblem(&source);
  EHSOD_EXPECT(CheckProblem(problem) == nullptr);
  const Candidates made = MakeCandidates(problem, seed % 2 == 1, odds, &source);
  std::vector<uint32_t> scratch(CountScratch(problem));
  std::vector<int32_t> indices(problem.batch * problem.max_outputs, 7);
  std::vector<int32_t> num_valid(problem.batch, -7);
  NonMaxSuppressionCpu(problem, made.boxes.data(), made.scores.data(),
                       by_class ? made.classes.data() : nullptr, 0, problem.batch,
                       scratch.data(), indices.data(), num_valid.data());
  for (int64_t b = 0; b < problem.batch; ++b) {
    const int64_t first = b * problem.num_boxes;
    std::vector<int32_t> expected = SuppressSlowly(
        problem, made.boxes.data() + 4 * first, made.scores.data() + first,
        by_class ? made.classes.data() + first : nullptr);
    EHSOD_EXPECT(num_valid[b] == static_cast<int32_t>(expected.size()));
    expected.resize(problem.max_outputs, -1);
    EHSOD_EXPECT(std::equal(expected.begin(), expected.end(),
                            indices.begin() + b * problem.max_outputs));
  }
}

void TestRejections() {
  constexpr float kNan = std::numeric_limits<float>::quiet_NaN();
  constexpr int64_t kHuge = std::numeric_limits<int64_t>::max();
  const auto rejects = [](const NonMaxSuppressionProblem& problem) {
    return CheckProblem(problem) != nullptr;
  };
  EHSOD_EXPECT(!rejects({1, 10, 10, 0.5f, 0.0f}));
  EHSOD_EXPECT(rejects({-1, 10, 10, 0.5f, 0.0f}));
  EHSOD_EXPECT(rejects({1, kHuge, 10, 0.5f, 0.0f}));
  EHSOD_EXPECT(rejects({kHuge, 0, 10, 0.5f, 0.0f}));
  EHSOD_EXPECT(rejects({1, 10, -1, 0.5f, 0.0f}));
  EHSOD_EXPECT(rejects({1, 10, kHuge, 0.5f, 0.0f}));
  EHSOD_EXPECT(rejects({1, 10, 10, 1.5f, 0.0f}));
  EHSOD_EXPECT(rejects({1, 10, 10, kNan, 0.0f}));
  EHSOD_EXPECT(rejects({1, 10, 10, 0.5f, kNan}));
}

}  // namespace
}  // namespace ehsod::test

int main() {
  using ehsod::test::TestAgainstOracle;
  for (uint32_t seed = 0; seed < 1000; ++seed) {
    TestAgainstOracle(seed, 0, false);
    TestAgainstOracle(seed, 0, true);
    TestAgainstOracle(seed, 6, seed % 4 < 2);
  }
  ehsod::test::TestRejections();
}
