// Fibers for the threads of a block; see cuda_runtime.h beside it.
#include <ucontext.h>

#include <cstdio>
#include <cstdlib>
#include <memory>
#include <random>
#include <vector>

#include "cuda_runtime.h"

namespace cuda_emulator {

dim3 thread_index, block_index, block_size, grid_size;

namespace {

constexpr size_t kStackBytes = 128 * 1024;
constexpr unsigned kLanes = 32;

enum class State { kReady, kWaitsForBlock, kWaitsForWarp, kDone };

struct Fiber {
  ucontext_t context;
  std::unique_ptr<char[]> stack{new char[kStackBytes]};
  dim3 index;
  State state;
  bool flag;
};

std::vector<Fiber> fibers;
std::vector<uint32_t> warp_flags;
int block_flags;
size_t current;
ucontext_t scheduler;
const std::function<void()>* body;
std::mt19937 order(0);

void Enter() {
  (*body)();
  fibers[current].state = State::kDone;
  fibers[current].flag = false;
}

void Wait(State state, bool flag) {
  Fiber& fiber = fibers[current];
  fiber.state = state;
  fiber.flag = flag;
  swapcontext(&fiber.context, &scheduler);
}

// Lets threads `begin` to `end` - 1 go on if all of them wait for each other.
bool Release(size_t begin, size_t end, State state, bool may_be_done) {
  for (size_t k = begin; k < end; ++k) {
    const State of_fiber = fibers[k].state;
    if (of_fiber != state && !(may_be_done && of_fiber == State::kDone)) return false;
  }
  for (size_t k = begin; k < end; ++k) {
    if (fibers[k].state == state) fibers[k].state = State::kReady;
  }
  return true;
}

bool ReleaseWarp(size_t warp) {
  const size_t begin = warp * kLanes;
  const size_t end = std::min(begin + kLanes, fibers.size());
  if (!Release(begin, end, State::kWaitsForWarp, false)) return false;
  warp_flags[warp] = 0;
  for (size_t k = begin; k < end; ++k) {
    warp_flags[warp] |= static_cast<uint32_t>(fibers[k].flag) << (k - begin);
  }
  return true;
}

bool ReleaseBlock() {
  if (!Release(0, fibers.size(), State::kWaitsForBlock, true)) return false;
  block_flags = 0;
  for (const Fiber& fiber : fibers) block_flags += fiber.flag;
  return true;
}

void StartFibers(dim3 block) {
  fibers.resize(block.x * block.y);
  warp_flags.resize((fibers.size() + kLanes - 1) / kLanes);
  for (size_t k = 0; k < fibers.size(); ++k) {
    Fiber& fiber = fibers[k];
    fiber.index = dim3(k % block.x, k / block.x);
    fiber.state = State::kReady;
    fiber.flag = false;
    getcontext(&fiber.context);
    fiber.context.uc_stack.ss_sp = fiber.stack.get();
    fiber.context.uc_stack.ss_size = kStackBytes;
    fiber.context.uc_link = &scheduler;
    makecontext(&fiber.context, Enter, 0);
  }
}

// Runs threads that can to their next barrier, in random order. Half of the warps rest, so
// that others get far ahead. Returns false where no thread can ever go on.
bool TakeTurns(std::vector<size_t>* turns) {
  std::shuffle(turns->begin(), turns->end(), order);
  std::vector<bool> rests(warp_flags.size());
  for (size_t warp = 0; warp < rests.size(); ++warp) rests[warp] = order() % 2 == 0;
  bool can_go_on = false;
  for (const size_t k : *turns) {
    if (fibers[k].state != State::kReady) continue;
    can_go_on = true;
    if (rests[k / kLanes]) continue;
    current = k;
    thread_index = fibers[k].index;
    swapcontext(&scheduler, &fibers[k].context);
  }
  for (size_t warp = 0; warp < warp_flags.size(); ++warp) {
    can_go_on |= ReleaseWarp(warp);
  }
  return ReleaseBlock() || can_go_on;
}

bool IsDone() {
  return std::all_of(fibers.begin(), fibers.end(),
                     [](const Fiber& fiber) { return fiber.state == State::kDone; });
}

}  // namespace

void Run(dim3 grid, dim3 block, const std::function<void()>& kernel) {
  body = &kernel;
  grid_size = grid;
  block_size = block;
  std::vector<size_t> turns(block.x * block.y);
  for (size_t k = 0; k < turns.size(); ++k) turns[k] = k;
  for (unsigned number = 0; number < grid.x; ++number) {
    block_index = dim3(number, 0);
    StartFibers(block);
    while (!IsDone()) {
      if (TakeTurns(&turns)) continue;
      std::fprintf(stderr, "threads of a block wait at different barriers\n");
      std::abort();
    }
  }
}

void Shuffle(uint32_t seed) { order.seed(seed); }

int WaitForBlock(bool flag) {
  Wait(State::kWaitsForBlock, flag);
  return block_flags;
}

uint32_t WaitForWarp(bool flag) {
  Wait(State::kWaitsForWarp, flag);
  return warp_flags[current / kLanes];
}

}  // namespace cuda_emulator
