// The forward of RoIAlign in CUDA: neighbouring threads take neighbouring channels, 16
// bytes each.
#include "roi_align_cuda.cuh"

namespace ehsod {
namespace {

constexpr int kThreads = 256;
constexpr int kMaxLanes = 64;
constexpr int kMaxSamples = kMaxOutputSize * kMaxSamplingRatio;

template <int kCount>
struct Sums {
  float elements[kCount] = {};

  template <typename T>
  __device__ __forceinline__ void Add(float weight, const T* source) {
    const Pack<T, kCount> pack = *reinterpret_cast<const Pack<T, kCount>*>(source);
#pragma unroll
    for (int k = 0; k < kCount; ++k) {
      elements[k] += weight * LoadElement(pack.elements[k]);
    }
  }

  template <typename T>
  __device__ __forceinline__ void Store(float scale, T* target) const {
    Pack<T, kCount> pack;
#pragma unroll
    for (int k = 0; k < kCount; ++k) {
      pack.elements[k] = StoreElement<T>(scale * elements[k]);
    }
    *reinterpret_cast<Pack<T, kCount>*>(target) = pack;
  }
};

// A block computes one row of bins of one box. threadIdx.x counts packs of channels,
// threadIdx.y bins. kRatio 0 stands for a sampling ratio known only at run time.
template <typename T, int kCount, int kRatio>
__global__ void __launch_bounds__(kThreads)
    ForwardKernel(const __grid_constant__ Pyramid<const T> pyramid,
                  const float* __restrict__ boxes, int64_t rows,
                  T* __restrict__ pooled) {
  __shared__ AxisSample row_samples[kMaxSamplingRatio];
  __shared__ AxisSample column_samples[kMaxSamples];
  const int size = pyramid.output_size;
  const int ratio = kRatio > 0 ? kRatio : pyramid.sampling_ratio;
  const int thread = threadIdx.y * blockDim.x + threadIdx.x;
  for (int64_t row = blockIdx.x; row < rows; row += gridDim.x) {
    const int64_t box = row / size;
    const int i = static_cast<int>(row % size);
    const LevelBox place =
        PlaceBox(boxes + 4 * box, pyramid.min_level, pyramid.num_levels, size * ratio);
    const int level = place.level < 0 ? 0 : place.level;
    const int height = pyramid.heights[level], width = pyramid.widths[level];
    __syncthreads();
    for (int k = thread; k < (size + 1) * ratio; k += blockDim.x * blockDim.y) {
      if (k < ratio) {
        row_samples[k] =
            PlaceSample(place.start_y, place.step_y, i * ratio + k, height);
      } else {
        column_samples[k - ratio] =
            PlaceSample(place.start_x, place.step_x, k - ratio, width);
      }
    }
    __syncthreads();
    const int64_t image = box / pyramid.num_boxes;
    const T* map = pyramid.maps[level] + image * height * width * pyramid.channels;
    const float share = 1.0f / static_cast<float>(ratio * ratio);
    for (int j = threadIdx.y; j < size; j += blockDim.y) {
      for (int c = threadIdx.x * kCount; c < pyramid.channels;
           c += blockDim.x * kCount) {
        Sums<kCount> sums;
#pragma unroll
        for (int u = 0; u < ratio; ++u) {
          const AxisSample y = row_samples[u];
#pragma unroll
          for (int v = 0; v < ratio; ++v) {
            const AxisSample x = column_samples[j * ratio + v];
            if (place.level < 0 || !y.inside || !x.inside) continue;
            const T* low = map + static_cast<int64_t>(y.low) * width * pyramid.channels;
            const T* high =
                map + static_cast<int64_t>(y.high) * width * pyramid.channels;
            const int64_t left = static_cast<int64_t>(x.low) * pyramid.channels + c;
            const int64_t right = static_cast<int64_t>(x.high) * pyramid.channels + c;
            sums.Add((1.0f - y.fraction) * (1.0f - x.fraction), low + left);
            sums.Add((1.0f - y.fraction) * x.fraction, low + right);
            sums.Add(y.fraction * (1.0f - x.fraction), high + left);
            sums.Add(y.fraction * x.fraction, high + right);
          }
        }
        sums.Store(share, pooled + (row * size + j) * pyramid.channels + c);
      }
    }
  }
}

dim3 BlockFor(int64_t packs) {
  // A power of 2, so that the block has 256 threads.
  unsigned lanes = 1;
  while (lanes < kMaxLanes && lanes < packs) lanes *= 2;
  return dim3(lanes, kThreads / lanes);
}

template <typename T, int kCount>
const char* LaunchForward(const RoiAlignProblem& problem, const T* const* features,
                          const float* boxes, T* pooled, cudaStream_t stream) {
  const Pyramid<const T> pyramid = MakePyramid<const T>(problem, features);
  const int64_t rows = problem.batch * problem.num_boxes * problem.output_size;
  const dim3 block = BlockFor((problem.channels + kCount - 1) / kCount);
  const auto kernel = problem.sampling_ratio == 2 ? ForwardKernel<T, kCount, 2>
                                                  : ForwardKernel<T, kCount, 0>;
  return Launch(kernel, rows, block, stream, pyramid, boxes, rows, pooled);
}

}  // namespace

template <typename T>
const char* RoiAlignForwardCuda(const RoiAlignProblem& problem,
                                const T* const* features, const float* boxes, T* pooled,
                                CUstream_st* stream) {
  if (CanPack(problem, features, pooled, 16)) {
    return LaunchForward<T, 16 / sizeof(T)>(problem, features, boxes, pooled, stream);
  }
  return LaunchForward<T, 1>(problem, features, boxes, pooled, stream);
}

#define EHSOD_INSTANTIATE(T)                                                        \
  template const char* RoiAlignForwardCuda(const RoiAlignProblem&, const T* const*, \
                                           const float*, T*, CUstream_st*);
EHSOD_INSTANTIATE(float)
EHSOD_INSTANTIATE(BFloat16)
EHSOD_INSTANTIATE(Half)
#undef EHSOD_INSTANTIATE

}  // namespace ehsod
