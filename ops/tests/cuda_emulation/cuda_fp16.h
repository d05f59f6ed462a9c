// Stands in for CUDA's header; see cuda_runtime.h beside it.
#ifndef EHSOD_TESTS_CUDA_EMULATION_CUDA_FP16_H_
#define EHSOD_TESTS_CUDA_EMULATION_CUDA_FP16_H_

#include "ehsod/float_types.h"

inline ehsod::Half __ushort_as_half(uint16_t bits) { return {bits}; }
inline uint16_t __half_as_ushort(ehsod::Half value) { return value.bits; }
inline float __half2float(ehsod::Half value) { return ehsod::ToFloat(value); }
inline ehsod::Half __float2half_rn(float value) {
  return ehsod::FromFloat<ehsod::Half>(value);
}

#endif  // EHSOD_TESTS_CUDA_EMULATION_CUDA_FP16_H_
