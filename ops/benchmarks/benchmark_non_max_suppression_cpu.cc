// Times the NMS CPU kernel: one image, IoU 0.7, at most 2,000 kept.
#include <algorithm>
#include <chrono>
#include <cstdio>
#include <random>
#include <vector>

#include "ehsod/non_max_suppression.h"

int main() {
  constexpr int kRuns = 31;
  for (const int64_t count : {2000, 6000, 12000}) {
    std::mt19937 generator(0);
    std::uniform_real_distribution<float> uniform(0.0f, 1.0f);
    std::vector<float> boxes, scores;
    for (int64_t n = 0; n < count; ++n) {
      const float y = 800 * uniform(generator), x = 1216 * uniform(generator);
      const float height = 20 + 180 * uniform(generator);
      const float width = 20 + 180 * uniform(generator);
      boxes.insert(boxes.end(), {y, x, y + height, x + width});
      scores.push_back(uniform(generator));
    }
    const ehsod::NonMaxSuppressionProblem problem = {1, count, 2000, 0.7f, -1.0f};
    std::vector<uint32_t> scratch(ehsod::CountScratch(problem));
    std::vector<int32_t> indices(problem.max_outputs);
    int32_t kept = 0;
    std::vector<double> times;
    for (int k = 0; k < kRuns; ++k) {
      const auto start = std::chrono::steady_clock::now();
      ehsod::NonMaxSuppressionCpu(problem, boxes.data(), scores.data(), nullptr, 0, 1,
                                  scratch.data(), indices.data(), &kept);
      const std::chrono::duration<double, std::milli> time =
          std::chrono::steady_clock::now() - start;
      times.push_back(time.count());
    }
    std::sort(times.begin(), times.end());
    std::printf("nms %6d boxes, %4d kept   median %7.3f ms  min %7.3f ms\n",
                static_cast<int>(count), kept, times[kRuns / 2], times[0]);
  }
}
