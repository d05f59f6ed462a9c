// The two 16-bit float formats, as bits, and their conversions.
#ifndef EHSOD_FLOAT_TYPES_H_
#define EHSOD_FLOAT_TYPES_H_

#include <cstdint>
#include <cstring>

namespace ehsod {

struct BFloat16 {
  uint16_t bits;
};

struct Half {
  uint16_t bits;
};

inline uint32_t BitsOf(float value) {
  uint32_t bits;
  std::memcpy(&bits, &value, sizeof(bits));
  return bits;
}

inline float FloatOf(uint32_t bits) {
  float value;
  std::memcpy(&value, &bits, sizeof(value));
  return value;
}

inline float ToFloat(float value) { return value; }

inline float ToFloat(BFloat16 value) { return FloatOf(uint32_t{value.bits} << 16); }

// Integer arithmetic only, but for one subtraction of normal numbers: threads of
// TensorFlow flush subnormal floats to zero, which must not flush subnormal halves.
inline float ToFloat(Half value) {
  constexpr uint32_t kExponent = uint32_t{0x7c00} << 13;
  constexpr uint32_t kRebias = uint32_t{127 - 15} << 23;
  const uint32_t sign = (uint32_t{value.bits} & 0x8000u) << 16;
  const uint32_t magnitude = (uint32_t{value.bits} & 0x7fffu) << 13;
  const uint32_t exponent = magnitude & kExponent;
  const uint32_t infinite = exponent == kExponent ? kRebias : 0u;
  const uint32_t normal = magnitude + kRebias + infinite;
  const float subnormal = FloatOf(magnitude + kRebias + (uint32_t{1} << 23)) -
                          FloatOf(kRebias + (1u << 23));
  return FloatOf((exponent == 0 ? BitsOf(subnormal) : normal) | sign);
}

template <typename T>
T FromFloat(float value);

template <>
inline float FromFloat<float>(float value) {
  return value;
}

template <>
inline BFloat16 FromFloat<BFloat16>(float value) {
  const uint32_t bits = BitsOf(value);
  const uint32_t rounded = bits + 0x7fffu + ((bits >> 16) & 1u);
  const bool is_nan = (bits & 0x7fffffffu) > 0x7f800000u;
  // A NaN must not round up into an infinity.
  return {static_cast<uint16_t>(is_nan ? (bits >> 16) | 0x40u : rounded >> 16)};
}

// Rounds to nearest even. From 65520 on, rounding carries into infinity; from 2^16 on
// the carry would go too far, hence the first constant.
template <>
inline Half FromFloat<Half>(float value) {
  constexpr uint32_t kInfinity = uint32_t{127 + 16} << 23;
  constexpr uint32_t kSmallestNormal = uint32_t{127 - 14} << 23;
  // Adding it leaves the subnormal half in the lowest bits of the sum.
  constexpr uint32_t kMagic = uint32_t{127 - 15 + 23 - 10 + 1} << 23;
  const uint32_t sign = (BitsOf(value) >> 16) & 0x8000u;
  const uint32_t magnitude = BitsOf(value) & 0x7fffffffu;
  const uint32_t special = magnitude > 0x7f800000u ? 0x7e00u : 0x7c00u;
  const uint32_t subnormal = BitsOf(FloatOf(magnitude) + FloatOf(kMagic)) - kMagic;
  const uint32_t normal =
      (magnitude - (uint32_t{127 - 15} << 23) + 0xfffu + ((magnitude >> 13) & 1u)) >>
      13;
  const uint32_t finite = magnitude < kSmallestNormal ? subnormal : normal;
  const uint32_t half = magnitude >= kInfinity ? special : finite;
  return {static_cast<uint16_t>(half | sign)};
}

}  // namespace ehsod

#endif  // EHSOD_FLOAT_TYPES_H_
