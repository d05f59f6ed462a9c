// PredictRequest and PredictResponse of TensorFlow Serving, read and written by their
// wire format (tensorflow_serving/apis/predict.proto), whose compiled form is in no
// wheel. Tensors inside are TensorFlow's own TensorProto.
#pragma once

#include <cstdint>
#include <stdexcept>
#include <string>
#include <string_view>
#include <utility>

#include "google/protobuf/map.h"
#include "tensorflow/core/framework/tensor.pb.h"

namespace serving {

using Tensors = google::protobuf::Map<std::string, tensorflow::TensorProto>;

struct Request {
  std::string model, signature = "serving_default";
  Tensors inputs;
};

// One field of a message: its number and, where it has a length, its bytes.
class Fields {
 public:
  explicit Fields(std::string_view message) : rest_(message) {}

  // Goes to the next field; false at the end. Throws if the message is cut off.
  bool Next() {
    if (rest_.empty()) return false;
    const uint64_t key = Varint();
    number = static_cast<int>(key >> 3);
    bytes = {};
    switch (key & 7) {
      case 0: Varint(); return true;
      case 1: Take(8); return true;
      case 2: bytes = Take(Varint()); return true;
      case 5: Take(4); return true;
    }
    throw std::runtime_error("not a protocol buffer message");
  }

  int number = 0;
  std::string_view bytes;

 private:
  uint64_t Varint() {
    uint64_t value = 0;
    for (int shift = 0; shift < 64; shift += 7) {
      const auto byte = static_cast<unsigned char>(Take(1)[0]);
      value |= uint64_t{byte & 0x7Fu} << shift;
      if (byte < 0x80) return value;
    }
    throw std::runtime_error("not a protocol buffer message");
  }

  std::string_view Take(uint64_t count) {
    if (count > rest_.size()) throw std::runtime_error("a message is cut off");
    const std::string_view taken = rest_.substr(0, count);
    rest_.remove_prefix(count);
    return taken;
  }

  std::string_view rest_;
};

inline void ReadModelSpec(std::string_view message, Request& request) {
  for (Fields field(message); field.Next();) {
    if (field.number == 1) request.model = field.bytes;
    if (field.number == 3 && !field.bytes.empty()) request.signature = field.bytes;
  }
}

inline void ReadInput(std::string_view message, Tensors& inputs) {
  std::string name;
  tensorflow::TensorProto tensor;
  for (Fields field(message); field.Next();) {
    if (field.number == 1) name = field.bytes;
    if (field.number == 2 &&
        !tensor.ParseFromArray(field.bytes.data(),
                               static_cast<int>(field.bytes.size()))) {
      throw std::runtime_error("not a TensorProto");
    }
  }
  inputs[name] = std::move(tensor);
}

inline Request ReadRequest(std::string_view message) {
  Request request;
  for (Fields field(message); field.Next();) {
    if (field.number == 1) ReadModelSpec(field.bytes, request);
    if (field.number == 2) ReadInput(field.bytes, request.inputs);
  }
  return request;
}

// The request inside a PredictionLog, which a file of warm-up requests consists of.
inline Request ReadLoggedRequest(std::string_view message) {
  for (Fields log(message); log.Next();) {
    if (log.number != 6) continue;
    for (Fields field(log.bytes); field.Next();) {
      if (field.number == 1) return ReadRequest(field.bytes);
    }
  }
  throw std::runtime_error("a PredictionLog without a PredictRequest");
}

inline void AppendBytes(int number, std::string_view bytes, std::string& message) {
  message.push_back(static_cast<char>(number << 3 | 2));
  uint64_t length = bytes.size();
  for (; length >= 0x80; length >>= 7) {
    message.push_back(static_cast<char>(length | 0x80));
  }
  message.push_back(static_cast<char>(length));
  message.append(bytes);
}

inline std::string WriteResponse(const Request& request, const Tensors& outputs) {
  std::string message, spec;
  for (const auto& [name, tensor] : outputs) {
    std::string entry;
    AppendBytes(1, name, entry);
    AppendBytes(2, tensor.SerializeAsString(), entry);
    AppendBytes(1, entry, message);
  }
  AppendBytes(1, request.model, spec);
  AppendBytes(3, request.signature, spec);
  AppendBytes(2, spec, message);
  return message;
}

}  // namespace serving
