// One body, compiled for several instruction sets, chosen when it runs.
//
// The body is an always-inline template over an instruction set, which states the
// widest vector of floats. A function with the `target` attribute around each instance
// has the whole body compiled for that set; code outside stays plain, so the binary
// runs on any x86-64, and on other processors only the baseline exists.
#ifndef EHSOD_KERNELS_CPU_DISPATCH_H_
#define EHSOD_KERNELS_CPU_DISPATCH_H_

#include <cstdint>
#include <cstring>

#include "ehsod/float_types.h"

#define EHSOD_ALWAYS_INLINE inline __attribute__((always_inline))

namespace ehsod {

struct Baseline {
  static constexpr int kLanes = 4;
  typedef float Floats __attribute__((vector_size(16)));
  typedef int32_t Ints __attribute__((vector_size(16)));
};

#ifdef __x86_64__
struct Avx2 {
  static constexpr int kLanes = 8;
  typedef float Floats __attribute__((vector_size(32)));
  typedef int32_t Ints __attribute__((vector_size(32)));
};

struct Avx512 {
  static constexpr int kLanes = 16;
  typedef float Floats __attribute__((vector_size(64)));
  typedef int32_t Ints __attribute__((vector_size(64)));
};

#define EHSOD_TARGET_AVX2 __attribute__((target("avx2,fma")))
// 512-bit vectors must be asked for: compilers prefer 256 bits by default.
#define EHSOD_TARGET_AVX512 \
  __attribute__((target("avx2,fma,avx512f,avx512bw,avx512dq,avx512vl")))
#endif

enum class InstructionSet { kBaseline, kAvx2, kAvx512 };

inline InstructionSet DetectInstructionSet() {
#if defined(EHSOD_INSTRUCTION_SET)  // The tests go through all of them.
  return InstructionSet::EHSOD_INSTRUCTION_SET;
#elif defined(__x86_64__)
  if (__builtin_cpu_supports("avx512f") && __builtin_cpu_supports("avx512bw") &&
      __builtin_cpu_supports("avx512dq") && __builtin_cpu_supports("avx512vl")) {
    return InstructionSet::kAvx512;
  }
  if (__builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma")) {
    return InstructionSet::kAvx2;
  }
  return InstructionSet::kBaseline;
#else
  return InstructionSet::kBaseline;
#endif
}

}  // namespace ehsod

#endif  // EHSOD_KERNELS_CPU_DISPATCH_H_
