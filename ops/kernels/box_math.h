// Boxes as the kernels see them, on the CPU and in CUDA.
#ifndef EHSOD_KERNELS_BOX_MATH_H_
#define EHSOD_KERNELS_BOX_MATH_H_

#ifdef __CUDACC__
#define EHSOD_HOST_DEVICE __host__ __device__ __forceinline__
#else
#define EHSOD_HOST_DEVICE inline
#endif

namespace ehsod {

// Beyond 2^24 float32 does not resolve one pixel. Areas of clipped boxes are finite.
inline constexpr float kMaxCoordinate = 16777216.0f;

struct alignas(16) Box {
  float ymin, xmin, ymax, xmax;
};

EHSOD_HOST_DEVICE float ClipCoordinate(float value) {
  const float capped = value < kMaxCoordinate ? value : kMaxCoordinate;
  return capped > -kMaxCoordinate ? capped : -kMaxCoordinate;
}

// Reads ymin, xmin, ymax, xmax; false for a box with a coordinate that is not finite.
EHSOD_HOST_DEVICE bool ReadBox(const float* corners, Box* box) {
  // A finite number minus itself is 0, anything else NaN, and NaN spreads to the sum.
  const float zero = (corners[0] - corners[0]) + (corners[1] - corners[1]) +
                     (corners[2] - corners[2]) + (corners[3] - corners[3]);
  *box = {ClipCoordinate(corners[0]), ClipCoordinate(corners[1]),
          ClipCoordinate(corners[2]), ClipCoordinate(corners[3])};
  return zero == 0.0f;
}

}  // namespace ehsod

#endif  // EHSOD_KERNELS_BOX_MATH_H_
