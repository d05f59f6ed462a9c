// The conversions of 16-bit floats: every value there and back, and all roundings.
#include "ehsod/float_types.h"

#include "oracle.h"

namespace ehsod::test {
namespace {

template <typename T>
bool IsNan(T value) {
  return std::isnan(ToFloat(value));
}

template <typename T>
void TestRoundTrip() {
  for (uint32_t bits = 0; bits < 65536; ++bits) {
    const T value = {static_cast<uint16_t>(bits)};
    const T again = FromFloat<T>(ToFloat(value));
    EHSOD_EXPECT(IsNan(value) ? IsNan(again) : again.bits == value.bits);
  }
}

double ValueOf(Half value) {
  const int exponent = value.bits >> 10 & 31, mantissa = value.bits & 1023;
  const double size = exponent == 0 ? std::ldexp(mantissa, -24)
                                    : std::ldexp(1024 + mantissa, exponent - 25);
  return value.bits & 0x8000 ? -size : size;
}

void TestHalfValues() {
  for (uint32_t bits = 0; bits < 65536; ++bits) {
    const Half value = {static_cast<uint16_t>(bits)};
    if ((bits & 0x7c00) == 0x7c00) continue;
    EHSOD_EXPECT(ToFloat(value) == ValueOf(value));
  }
  EHSOD_EXPECT(std::isinf(ToFloat(Half{0x7c00})));
  EHSOD_EXPECT(FromFloat<Half>(65519.996f).bits == 0x7bff);
  EHSOD_EXPECT(FromFloat<Half>(65520.0f).bits == 0x7c00);
  EHSOD_EXPECT(FromFloat<Half>(-1e30f).bits == 0xfc00);
}

// Halfway between two neighbours goes to the even one, a little more to the nearer.
template <typename T>
void TestRounding(uint32_t last_finite) {
  for (uint32_t bits = 0; bits < last_finite; ++bits) {
    const float low = ToFloat(T{static_cast<uint16_t>(bits)});
    const float high = ToFloat(T{static_cast<uint16_t>(bits + 1)});
    const float middle = low + (high - low) / 2;
    EHSOD_EXPECT(FromFloat<T>(middle).bits == bits + bits % 2);
    EHSOD_EXPECT(FromFloat<T>(std::nextafter(middle, low)).bits == bits);
    EHSOD_EXPECT(FromFloat<T>(std::nextafter(middle, high)).bits == bits + 1);
  }
}

}  // namespace
}  // namespace ehsod::test

int main() {
  using namespace ehsod::test;
  TestRoundTrip<ehsod::BFloat16>();
  TestRoundTrip<ehsod::Half>();
  TestHalfValues();
  TestRounding<ehsod::Half>(0x7bff);
  TestRounding<ehsod::BFloat16>(0x7f7f);
}
