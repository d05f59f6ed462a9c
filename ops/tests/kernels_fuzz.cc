// A libFuzzer target: any problem at all is either refused or computed without fault.
//
// Sizes are drawn small or as any bits, boxes and scores as any bits. Buffers have
// exactly the size that the contract asks for, so that the address sanitizer sees every
// step outside of them.
#include <memory>

#include "random_cases.h"

namespace ehsod::test {
namespace {

// What a case may take of memory, in elements.
constexpr int64_t kBudget = 1 << 15;

int64_t Any(Source* source, int64_t low, int64_t high) {
  if (source->Bits() % 16 != 0) return source->Between(low, high);
  const uint64_t upper = source->Bits();
  return static_cast<int64_t>(upper << 32 | source->Bits()) >> (source->Bits() % 64);
}

template <typename T>
std::unique_ptr<T[]> MakeBits(int64_t count, Source* source) {
  std::unique_ptr<T[]> made(new T[count]);
  uint32_t bits = source->Bits();
  for (int64_t k = 0; k < count; ++k) {
    bits = bits * 1664525u + 1013904223u;
    std::memcpy(&made[k], reinterpret_cast<char*>(&bits) + sizeof(bits) - sizeof(T),
                sizeof(T));
  }
  return made;
}

template <typename T>
void RunRoiAlign(const RoiAlignProblem& problem, Source* source) {
  const int64_t count = problem.batch * problem.num_boxes;
  std::unique_ptr<float[]> boxes(new float[4 * count]);
  for (int64_t k = 0; k < 4 * count; ++k) {
    boxes[k] = source->Coordinate(-20.0f, 200.0f, 4);
  }
  std::unique_ptr<T[]> maps[kMaxLevels], gradients[kMaxLevels];
  const T* map_data[kMaxLevels];
  T* gradient_data[kMaxLevels];
  for (int64_t level = 0; level < problem.num_levels; ++level) {
    const int64_t size = problem.batch * problem.heights[level] *
                         problem.widths[level] * problem.channels;
    maps[level] = MakeBits<T>(size, source);
    gradients[level].reset(new T[size]);
    map_data[level] = maps[level].get();
    gradient_data[level] = gradients[level].get();
  }
  const int64_t rows = count * problem.output_size;
  std::unique_ptr<T[]> pooled(new T[rows * problem.output_size * problem.channels]);
  std::unique_ptr<int32_t[]> order(new int32_t[count]);
  std::unique_ptr<int32_t[]> offsets(
      new int32_t[problem.batch * problem.num_levels + 1]);
  GroupBoxes(problem, boxes.get(), order.get(), offsets.get());
  RoiAlignForwardCpu(problem, map_data, boxes.get(), order.get(), 0, rows,
                     pooled.get());
  std::unique_ptr<float[]> scratch(new float[CountGradientScratch<T>(problem)]);
  RoiAlignBackwardCpu(problem, boxes.get(), order.get(), offsets.get(), pooled.get(), 0,
                      CountGradientBands(problem), scratch.get(), gradient_data);
}

bool Fits(const RoiAlignProblem& problem) {
  const int64_t bins = problem.output_size * problem.output_size;
  int64_t elements = problem.batch * problem.num_boxes * bins *
                     (problem.channels + 4 * problem.sampling_ratio);
  for (int64_t level = 0; level < problem.num_levels; ++level) {
    // The problem was accepted: no product overflows.
    elements = std::max(elements, std::max<int64_t>(problem.batch, 1) *
                                      problem.heights[level] * problem.widths[level] *
                                      std::max<int64_t>(problem.channels, 1));
  }
  return elements <= kBudget && problem.batch <= kBudget;
}

void FuzzRoiAlign(Source* source) {
  RoiAlignProblem problem = {};
  problem.batch = Any(source, 0, 3);
  problem.num_boxes = Any(source, 0, 8);
  problem.channels = Any(source, 0, 70);
  problem.output_size = Any(source, 1, 9);
  problem.sampling_ratio = Any(source, 1, 16);
  problem.min_level = Any(source, 0, 8);
  problem.num_levels = Any(source, 1, 6);
  for (int64_t level = 0; level < kMaxLevels; ++level) {
    problem.heights[level] = Any(source, 1, 30);
    problem.widths[level] = Any(source, 1, 30);
  }
  if (CheckProblem(problem) != nullptr || !Fits(problem)) return;
  switch (source->Bits() % 3) {
    case 0:
      return RunRoiAlign<float>(problem, source);
    case 1:
      return RunRoiAlign<BFloat16>(problem, source);
    default:
      return RunRoiAlign<Half>(problem, source);
  }
}

void FuzzNonMaxSuppression(Source* source) {
  const NonMaxSuppressionProblem problem = {
      Any(source, 0, 3), Any(source, 0, 300), Any(source, 1, 300),
      source->Coordinate(0.0f, 1.0f, 16), source->Coordinate(-1.0f, 1.0f, 16)};
  if (CheckProblem(problem) != nullptr || CountScratch(problem) > kBudget ||
      problem.batch * problem.max_outputs > kBudget) {
    return;
  }
  const int64_t count = problem.batch * problem.num_boxes;
  std::unique_ptr<float[]> boxes(new float[4 * count]), scores(new float[count]);
  for (int64_t k = 0; k < 4 * count; ++k) {
    boxes[k] = source->Coordinate(0.0f, 100.0f, 8);
  }
  for (int64_t k = 0; k < count; ++k) scores[k] = source->Coordinate(-1.0f, 1.0f, 8);
  const auto classes = MakeBits<int32_t>(count, source);
  std::unique_ptr<uint32_t[]> scratch(new uint32_t[CountScratch(problem)]);
  std::unique_ptr<int32_t[]> indices(new int32_t[problem.batch * problem.max_outputs]);
  std::unique_ptr<int32_t[]> num_valid(new int32_t[problem.batch]);
  NonMaxSuppressionCpu(problem, boxes.get(), scores.get(),
                       source->Bits() % 2 ? classes.get() : nullptr, 0, problem.batch,
                       scratch.get(), indices.get(), num_valid.get());
  for (int64_t b = 0; b < problem.batch; ++b) {
    for (int64_t k = 0; k < problem.max_outputs; ++k) {
      const int32_t index = indices[b * problem.max_outputs + k];
      const bool valid = k < num_valid[b];
      if (valid ? index < 0 || index >= problem.num_boxes : index != -1)
        __builtin_trap();
    }
  }
}

}  // namespace
}  // namespace ehsod::test

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  ehsod::test::Source source(data, size);
  if (source.Bits() % 2 == 0) {
    ehsod::test::FuzzRoiAlign(&source);
  } else {
    ehsod::test::FuzzNonMaxSuppression(&source);
  }
  return 0;
}
