// The arithmetic of NMS, shared by the CPU and CUDA kernels. To compare equal on every
// device it must be rounded after each operation: these files are compiled without
// contraction of a * b + c.
#ifndef EHSOD_KERNELS_NON_MAX_SUPPRESSION_MATH_H_
#define EHSOD_KERNELS_NON_MAX_SUPPRESSION_MATH_H_

#include <cstdint>

#include "box_math.h"

namespace ehsod {

EHSOD_HOST_DEVICE float PositivePart(float value) {
  return value > 0.0f ? value : 0.0f;
}

EHSOD_HOST_DEVICE float Larger(float a, float b) { return a > b ? a : b; }

EHSOD_HOST_DEVICE float Smaller(float a, float b) { return a < b ? a : b; }

EHSOD_HOST_DEVICE float AreaOf(const Box& box) {
  return PositivePart(box.ymax - box.ymin) * PositivePart(box.xmax - box.xmin);
}

EHSOD_HOST_DEVICE float IntersectionOf(const Box& a, const Box& b) {
  const float height = PositivePart(Smaller(a.ymax, b.ymax) - Larger(a.ymin, b.ymin));
  const float width = PositivePart(Smaller(a.xmax, b.xmax) - Larger(a.xmin, b.xmin));
  return height * width;
}

EHSOD_HOST_DEVICE bool Overlaps(const Box& a, float area_a, const Box& b, float area_b,
                                float iou_threshold) {
  const float intersection = IntersectionOf(a, b);
  // 0 / 0 is NaN, which exceeds nothing.
  return intersection / (area_a + area_b - intersection) > iou_threshold;
}

// A little below the threshold: a product with it stands in for the division.
EHSOD_HOST_DEVICE float LowThreshold(float iou_threshold) {
  return iou_threshold * (1.0f - 1.0f / (1 << 20));
}

// False only where `Overlaps` is false, and cheaper.
EHSOD_HOST_DEVICE bool MayOverlap(const Box& a, float area_a, const Box& b,
                                  float area_b, float low_threshold) {
  const float intersection = IntersectionOf(a, b);
  return intersection >= low_threshold * (area_a + area_b - intersection);
}

// Maps scores to integers that rise as scores fall; -0 and +0 become equal.
EHSOD_HOST_DEVICE uint32_t FallingKey(uint32_t score_bits) {
  const uint32_t bits = score_bits == 0x80000000u ? 0u : score_bits;
  return bits & 0x80000000u ? bits : ~(bits | 0x80000000u);
}

}  // namespace ehsod

#endif  // EHSOD_KERNELS_NON_MAX_SUPPRESSION_MATH_H_
