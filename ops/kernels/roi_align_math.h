// The geometry of multi-level RoIAlign, shared by the CPU and CUDA kernels.
#ifndef EHSOD_KERNELS_ROI_ALIGN_MATH_H_
#define EHSOD_KERNELS_ROI_ALIGN_MATH_H_

#include <cstdint>
#include <cstring>

#include "box_math.h"
#include "ehsod/roi_align.h"

namespace ehsod {

// A box of this side goes to this level (Lin et al., Feature Pyramid Networks, Eq. 1).
inline constexpr float kCanonicalSize = 224.0f;
inline constexpr int kCanonicalLevel = 4;

// A box on its level: sample k of S*r along y lies at cell
// start_y + (k + 0.5) * step_y - 0.5, the same along x. Level -1: every bin is 0.
struct LevelBox {
  int level;
  float start_y, start_x;
  float step_y, step_x;
};

// 2^exponent for an exponent from -kMaxLevel to 2 * kMaxLevel.
EHSOD_HOST_DEVICE float PowerOfTwo(int exponent) {
  const uint32_t bits = static_cast<uint32_t>(127 + exponent) << 23;
  float value;
  memcpy(&value, &bits, sizeof(value));
  return value;
}

// The number of levels above min_level whose least area the box reaches. Comparing
// areas with the exact borders 224^2 * 4^(level - 4) leaves no rounding of a logarithm
// to differ between devices.
EHSOD_HOST_DEVICE int ChooseLevel(float height, float width, int min_level,
                                  int num_levels) {
  const float area = height > 0.0f && width > 0.0f ? height * width : 0.0f;
  float border = kCanonicalSize * kCanonicalSize *
                 PowerOfTwo(2 * (min_level + 1 - kCanonicalLevel));
  int level = 0;
  while (level + 1 < num_levels && area >= border) {
    ++level;
    border *= 4.0f;
  }
  return level;
}

EHSOD_HOST_DEVICE LevelBox PlaceBox(const float* corners, int min_level, int num_levels,
                                    int samples) {
  Box box;
  if (!ReadBox(corners, &box)) return {-1, 0.0f, 0.0f, 0.0f, 0.0f};
  const float height = box.ymax - box.ymin;
  const float width = box.xmax - box.xmin;
  const int level = ChooseLevel(height, width, min_level, num_levels);
  const float scale = PowerOfTwo(-(min_level + level));
  return {level, box.ymin * scale, box.xmin * scale, height * scale / samples,
          width * scale / samples};
}

// Where sample k of a box lies along one axis, in cells.
EHSOD_HOST_DEVICE float PositionOf(float start, float step, int k) {
  return start + (static_cast<float>(k) + 0.5f) * step - 0.5f;
}

// The position, moved onto the cells 0 to extent - 1.
EHSOD_HOST_DEVICE float ClampPosition(float position, int extent) {
  const float last = static_cast<float>(extent - 1);
  const float floored = position > 0.0f ? position : 0.0f;
  return floored < last ? floored : last;
}

// One sample along one axis: the two cells it reads and the weight of the second.
struct AxisSample {
  bool inside;
  int low, high;
  float fraction;
};

// detectron2's border rule: a sample more than one cell outside gives 0, a nearer one
// takes the value at the border.
EHSOD_HOST_DEVICE AxisSample PlaceSample(float start, float step, int k, int extent) {
  const float position = PositionOf(start, step, k);
  if (!(position >= -1.0f && position <= static_cast<float>(extent))) {
    return {false, 0, 0, 0.0f};
  }
  const float clamped = ClampPosition(position, extent);
  const int low = static_cast<int>(clamped);
  const int high = low + 1 < extent ? low + 1 : low;
  return {true, low, high, clamped - static_cast<float>(low)};
}

}  // namespace ehsod

#endif  // EHSOD_KERNELS_ROI_ALIGN_MATH_H_
