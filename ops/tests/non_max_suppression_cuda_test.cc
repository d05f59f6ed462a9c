// NMS's CUDA kernels on the emulator, against the oracle: identical lists of indices in
// whatever order the threads run.
#include "ehsod/non_max_suppression_cuda.h"
#include "cuda_runtime.h"
#include "oracle.h"
#include "random_cases.h"

namespace ehsod::test {
namespace {

void ExpectOracle(const NonMaxSuppressionProblem& problem, const Candidates& made,
                  bool by_class) {
  const int32_t* classes = by_class ? made.classes.data() : nullptr;
  // What was there before must not matter.
  std::vector<char> scratch(CountScratchCuda(problem), 0x5a);
  std::vector<int32_t> indices(problem.batch * problem.max_outputs, 7);
  std::vector<int32_t> num_valid(problem.batch, -7);
  EHSOD_EXPECT(NonMaxSuppressionCuda(problem, made.boxes.data(), made.scores.data(),
                                     classes, scratch.data(), indices.data(),
                                     num_valid.data(), nullptr) == nullptr);
  for (int64_t b = 0; b < problem.batch; ++b) {
    const int64_t first = b * problem.num_boxes;
    std::vector<int32_t> expected = SuppressSlowly(
        problem, made.boxes.data() + 4 * first, made.scores.data() + first,
        by_class ? classes + first : nullptr);
    EHSOD_EXPECT(num_valid[b] == static_cast<int32_t>(expected.size()));
    expected.resize(problem.max_outputs, -1);
    EHSOD_EXPECT(std::equal(expected.begin(), expected.end(),
                            indices.begin() + b * problem.max_outputs));
  }
}

void TestAgainstOracle(uint32_t seed, int odds, bool by_class) {
  Source source(seed);
  const NonMaxSuppressionProblem problem = MakeNmsProblem(&source);
  cuda_emulator::Shuffle(seed);
  ExpectOracle(problem, MakeCandidates(problem, seed % 2 == 1, odds, &source),
               by_class);
}

// More candidates than a block lists at a time, and an end before the last of them.
void TestManyBoxes(int64_t max_outputs, bool by_class) {
  Source source(3);
  const NonMaxSuppressionProblem problem = {1, 2500, max_outputs, 0.3f, -2.0f};
  ExpectOracle(problem, MakeCandidates(problem, false, 0, &source), by_class);
}

}  // namespace
}  // namespace ehsod::test

int main() {
  using namespace ehsod::test;
  for (uint32_t seed = 0; seed < 12; ++seed) {
    TestAgainstOracle(seed, 0, seed % 2 == 0);
    TestAgainstOracle(seed, 6, seed % 4 < 2);
  }
  for (const bool by_class : {false, true}) {
    TestManyBoxes(20, by_class);
    TestManyBoxes(2500, by_class);
  }
}
