// Does to a SavedModel what TensorFlow Serving does, without its network: loads it with
// tensorflow::LoadSavedModel, runs its warm-up requests, answers PredictRequests.
//
//     offline_server MODEL_DIR REQUESTS [RESPONSES [REPEATS]]
//
// REQUESTS is a TFRecord file of PredictRequest, RESPONSES one of PredictResponse, an
// empty one where the request was an error; "-" writes none. Prints a line of JSON for
// the start and for each request. The checks of a request are those of TensorFlow
// Serving's predict_util.cc, partly TensorFlow's own functions that it calls, too. No
// Python, and nothing of ehsod_tf.
#include <unistd.h>

#include <chrono>
#include <cstdio>
#include <fstream>
#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "predict_messages.h"
#include "tensorflow/cc/saved_model/loader.h"
#include "tensorflow/cc/saved_model/util.h"
#include "tensorflow/core/framework/tensor.h"
#include "tensorflow/core/lib/io/record_reader.h"
#include "tensorflow/core/lib/io/record_writer.h"
#include "tensorflow/core/platform/env.h"

namespace {

using absl::Status;
using serving::Request;
using serving::Tensors;
using tensorflow::Tensor;

Status Run(const tensorflow::SavedModelBundleInterface& model, const Request& request,
           Tensors& outputs) {
  const auto& signatures = model.GetSignatures();
  const auto found = signatures.find(request.signature);
  if (found == signatures.end()) {
    return absl::FailedPreconditionError("no signature " + request.signature);
  }
  const auto& signature = found->second;
  if (request.inputs.size() != signature.inputs().size()) {
    return absl::InvalidArgumentError("input size does not match signature");
  }
  std::vector<std::pair<std::string, Tensor>> inputs;
  Status status =
      tensorflow::saved_model::GetInputValues(signature, request.inputs, inputs);
  if (!status.ok()) return status;
  std::vector<std::string> names, nodes;
  for (const auto& [name, info] : signature.outputs()) {
    names.push_back(name);
    nodes.push_back(info.name());
  }
  std::vector<Tensor> values;
  status = model.GetSession()->Run(inputs, nodes, {}, &values);
  if (!status.ok()) return status;
  for (size_t i = 0; i < values.size(); ++i) values[i].AsProtoField(&outputs[names[i]]);
  return status;
}

// What `Run` answers, be it that the request is no message at all.
Status Answer(const tensorflow::SavedModelBundleInterface& model,
              const std::function<Request()>& read, std::string& response,
              Tensors& outputs) {
  try {
    const Request request = read();
    const Status status = Run(model, request, outputs);
    if (status.ok()) response = serving::WriteResponse(request, outputs);
    return status;
  } catch (const std::runtime_error& error) {
    return absl::InvalidArgumentError(error.what());
  }
}

std::string Quote(absl::string_view text) {
  std::string quoted = "\"";
  for (const unsigned char c : text) {
    if (c == '"' || c == '\\') quoted.push_back('\\');
    if (c >= ' ' && c < 0x7F) quoted.push_back(static_cast<char>(c));
  }
  return quoted + "\"";
}

// {"name": {"shape": [...], "values": [...]}, ...}, the values in one row.
void PrintOutputs(const Tensors& outputs) {
  const char* separator = "";
  for (const auto& [name, proto] : outputs) {
    Tensor tensor;
    tensor.FromProto(proto);
    std::printf("%s%s: {\"shape\": [", separator, Quote(name).c_str());
    for (int i = 0; i < tensor.dims(); ++i) {
      std::printf("%s%lld", i ? ", " : "", static_cast<long long>(tensor.dim_size(i)));
    }
    std::printf("], \"values\": [");
    for (int64_t i = 0; i < tensor.NumElements(); ++i) {
      if (i) std::printf(", ");
      if (tensor.dtype() == tensorflow::DT_FLOAT) {
        std::printf("%.9g", tensor.flat<float>()(i));
      } else if (tensor.dtype() == tensorflow::DT_INT32) {
        std::printf("%d", tensor.flat<int32_t>()(i));
      } else {
        std::printf("%s", Quote(tensor.flat<tensorflow::tstring>()(i)).c_str());
      }
    }
    std::printf("]}");
    separator = ", ";
  }
}

double ResidentMebibytes() {
  long pages = 0, resident = 0;
  std::ifstream("/proc/self/statm") >> pages >> resident;
  return resident * static_cast<double>(sysconf(_SC_PAGESIZE)) / (1 << 20);
}

using Clock = std::chrono::steady_clock;

void PrintLine(const Status& status, Clock::time_point start, const Tensors& outputs) {
  const std::chrono::duration<double, std::milli> passed = Clock::now() - start;
  std::printf("{\"status\": %s, \"message\": %s, \"milliseconds\": %.3f, ",
              Quote(absl::StatusCodeToString(status.code())).c_str(),
              Quote(status.message().substr(0, 300)).c_str(), passed.count());
  std::printf("\"resident_mib\": %.1f, \"outputs\": {", ResidentMebibytes());
  PrintOutputs(outputs);
  std::printf("}}\n");
  std::fflush(stdout);
}

// Calls `use` with each record of a TFRecord file.
Status ReadRecords(const std::string& path,
                   const std::function<Status(const std::string&)>& use) {
  std::unique_ptr<tensorflow::RandomAccessFile> file;
  Status status = tensorflow::Env::Default()->NewRandomAccessFile(path, &file);
  if (!status.ok()) return status;
  tensorflow::io::SequentialRecordReader reader(file.get());
  tensorflow::tstring record;
  while ((status = reader.ReadRecord(&record)).ok()) {
    status = use(std::string(record));
    if (!status.ok()) return status;
  }
  return absl::IsOutOfRange(status) ? absl::OkStatus() : status;
}

// As the server does before it calls a model loaded: an error there is fatal.
Status WarmUp(const tensorflow::SavedModelBundleInterface& model,
              const std::string& model_dir) {
  const std::string path = model_dir + "/assets.extra/tf_serving_warmup_requests";
  if (!tensorflow::Env::Default()->FileExists(path).ok()) return absl::OkStatus();
  return ReadRecords(path, [&](const std::string& record) {
    std::string response;
    Tensors outputs;
    return Answer(
        model, [&] { return serving::ReadLoggedRequest(record); }, response, outputs);
  });
}

Status Serve(const std::string& model_dir, const std::string& requests,
             const std::string& responses, int repeats) {
  auto start = Clock::now();
  tensorflow::SavedModelBundleLite model;
  Status status = tensorflow::LoadSavedModel({}, {}, model_dir, {"serve"}, &model);
  if (status.ok()) status = WarmUp(model, model_dir);
  PrintLine(status, start, {});
  if (!status.ok()) return status;

  std::unique_ptr<tensorflow::WritableFile> file;
  std::unique_ptr<tensorflow::io::RecordWriter> writer;
  if (responses != "-") {
    status = tensorflow::Env::Default()->NewWritableFile(responses, &file);
    if (!status.ok()) return status;
    writer = std::make_unique<tensorflow::io::RecordWriter>(file.get());
  }
  for (int i = 0; i < repeats && status.ok(); ++i) {
    status = ReadRecords(requests, [&](const std::string& record) -> Status {
      const auto start = Clock::now();
      std::string response;
      Tensors outputs;
      const Status answer = Answer(
          model, [&] { return serving::ReadRequest(record); }, response, outputs);
      PrintLine(answer, start, outputs);
      return writer ? writer->WriteRecord(response) : absl::OkStatus();
    });
  }
  return status;
}

}  // namespace

int main(int argc, char** argv) {
  if (argc < 3 || argc > 5) {
    std::fprintf(stderr, "%s MODEL_DIR REQUESTS [RESPONSES [REPEATS]]\n", argv[0]);
    return 2;
  }
  const Status status = Serve(argv[1], argv[2], argc > 3 ? argv[3] : "-",
                              argc > 4 ? std::stoi(argv[4]) : 1);
  if (!status.ok()) std::fprintf(stderr, "%s\n", status.ToString().c_str());
  return status.ok() ? 0 : 1;
}
