// Stands in for CUB's sort; see cuda_runtime.h above it.
#ifndef EHSOD_TESTS_CUDA_EMULATION_DEVICE_RADIX_SORT_CUH_
#define EHSOD_TESTS_CUDA_EMULATION_DEVICE_RADIX_SORT_CUH_

#include <algorithm>
#include <cstdint>
#include <numeric>
#include <vector>

#include "cuda_runtime.h"

namespace cub {

struct DeviceRadixSort {
  template <typename Value>
  static cudaError_t SortPairs(void* temporary, size_t& bytes, const uint64_t* keys,
                               uint64_t* sorted_keys, const Value* values,
                               Value* sorted_values, int count, int begin_bit,
                               int end_bit, cudaStream_t) {
    bytes = 1;
    if (temporary == nullptr) return cudaSuccess;
    const auto bits = [&](int k) {
      return keys[k] << (64 - end_bit) >> (64 - end_bit + begin_bit);
    };
    std::vector<int> order(count);
    std::iota(order.begin(), order.end(), 0);
    std::stable_sort(order.begin(), order.end(),
                     [&](int a, int b) { return bits(a) < bits(b); });
    for (int k = 0; k < count; ++k) {
      sorted_keys[k] = keys[order[k]];
      sorted_values[k] = values[order[k]];
    }
    return cudaSuccess;
  }
};

}  // namespace cub

#endif  // EHSOD_TESTS_CUDA_EMULATION_DEVICE_RADIX_SORT_CUH_
