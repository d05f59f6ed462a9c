// Times the RoIAlign CPU kernels on the pyramid of an 800 x 1216 image: 256 channels,
// 512 boxes, 7 x 7 bins of 2 x 2 samples, float32.
//
// usage: benchmark_roi_align_cpu [threads]
#include <algorithm>
#include <atomic>
#include <chrono>
#include <cmath>
#include <cstdio>
#include <cstdlib>
#include <functional>
#include <random>
#include <thread>
#include <vector>

#include "ehsod/roi_align.h"

namespace {

constexpr int kRuns = 31;

void RunParallel(int threads, int64_t total, int64_t block,
                 const std::function<void(int64_t, int64_t)>& work) {
  std::atomic<int64_t> next{0};
  const auto drain = [&] {
    for (int64_t begin; (begin = next.fetch_add(block)) < total;) {
      work(begin, std::min(begin + block, total));
    }
  };
  std::vector<std::thread> others;
  for (int k = 1; k < threads; ++k) others.emplace_back(drain);
  drain();
  for (std::thread& other : others) other.join();
}

void Report(const char* name, double bytes, const std::function<void()>& run) {
  std::vector<double> times;
  run();
  for (int k = 0; k < kRuns; ++k) {
    const auto start = std::chrono::steady_clock::now();
    run();
    const std::chrono::duration<double, std::milli> time =
        std::chrono::steady_clock::now() - start;
    times.push_back(time.count());
  }
  std::sort(times.begin(), times.end());
  std::printf("%-28s median %7.2f ms  min %7.2f ms  %6.1f GB/s\n", name,
              times[kRuns / 2], times[0], bytes / times[kRuns / 2] * 1e-6);
}

std::vector<float> MakeBoxes(int64_t count, std::mt19937* generator) {
  std::uniform_real_distribution<float> uniform(0.0f, 1.0f);
  const auto draw = [&] { return uniform(*generator); };
  std::vector<float> boxes;
  for (int64_t n = 0; n < count; ++n) {
    const float y = 800 * draw(), x = 1216 * draw();
    // Sides from 16 to 600 pixels, uniform in their logarithm.
    const float height = 16 * std::pow(37.5f, draw());
    const float width = 16 * std::pow(37.5f, draw());
    boxes.insert(boxes.end(),
                 {std::max(y - height / 2, 0.0f), std::max(x - width / 2, 0.0f),
                  std::min(y + height / 2, 800.0f), std::min(x + width / 2, 1216.0f)});
  }
  return boxes;
}

}  // namespace

int main(int argc, char** argv) {
  const int threads = argc > 1 ? std::atoi(argv[1]) : 2;
  ehsod::RoiAlignProblem problem = {1, 512, 256, 7, 2, 2, 4, {}, {}};
  std::mt19937 generator(0);
  const std::vector<float> boxes = MakeBoxes(problem.num_boxes, &generator);
  std::vector<std::vector<float>> features, gradients;
  std::vector<const float*> feature_data;
  std::vector<float*> gradient_data;
  size_t elements = 0;
  for (int level = 0; level < problem.num_levels; ++level) {
    problem.heights[level] = 800 >> (level + 2);
    problem.widths[level] = 1216 >> (level + 2);
    const size_t size = problem.heights[level] * problem.widths[level] * 256;
    features.emplace_back(size, 0.5f);
    gradients.emplace_back(size);
    elements += size;
  }
  for (auto& map : features) feature_data.push_back(map.data());
  for (auto& map : gradients) gradient_data.push_back(map.data());
  const int64_t rows = problem.batch * problem.num_boxes * problem.output_size;
  std::vector<float> pooled(rows * problem.output_size * problem.channels);
  std::vector<int32_t> order(problem.num_boxes), offsets(problem.num_levels + 1);

  // The bound: each feature and each output moves at least once, as in a copy.
  const double bytes = 4.0 * (elements + pooled.size());
  const std::vector<char> source(static_cast<size_t>(bytes / 2), 1);
  std::vector<char> target(source.size());
  Report("copy of as many bytes", bytes, [&] {
    RunParallel(threads, static_cast<int64_t>(source.size()), 1 << 20,
                [&](int64_t begin, int64_t end) {
                  std::copy(source.begin() + begin, source.begin() + end,
                            target.begin() + begin);
                });
  });
  Report("roi_align forward", bytes, [&] {
    ehsod::GroupBoxes(problem, boxes.data(), order.data(), offsets.data());
    RunParallel(threads, rows, 28, [&](int64_t begin, int64_t end) {
      ehsod::RoiAlignForwardCpu(problem, feature_data.data(), boxes.data(),
                                order.data(), begin, end, pooled.data());
    });
  });
  Report("roi_align backward", bytes, [&] {
    ehsod::GroupBoxes(problem, boxes.data(), order.data(), offsets.data());
    RunParallel(threads, ehsod::CountGradientBands(problem), 1,
                [&](int64_t begin, int64_t end) {
                  ehsod::RoiAlignBackwardCpu(problem, boxes.data(), order.data(),
                                             offsets.data(), pooled.data(), begin, end,
                                             nullptr, gradient_data.data());
                });
  });
}
