/* Loads a SavedModel with TensorFlow's C++ library and prints what is on an image.

The library and its headers come with TensorFlow's wheel; no Python runs:

  TF=$(python -c 'import tensorflow as tf; print(tf.sysconfig.get_lib())')
  g++ -std=c++17 -I"$TF/include" examples/cpp/detect.cc -o detect -L"$TF" \
    -Wl,-rpath,"$TF",--no-as-needed \
    -l:libtensorflow_cc.so.2 -l:libtensorflow_framework.so.2
  ./detect runs/quickstart/saved_model photo.jpg 0.3
*/
#include <cstdio>
#include <fstream>
#include <iterator>
#include <string>
#include <vector>

#include "tensorflow/cc/saved_model/loader.h"
#include "tensorflow/core/framework/tensor.h"

std::string ReadFile(const std::string& path) {
  std::ifstream file(path, std::ios::binary);
  return {std::istreambuf_iterator<char>(file), {}};
}

int main(int argc, char** argv) {
  if (argc != 4) {
    std::fprintf(stderr, "%s SAVED_MODEL IMAGE SCORE_THRESHOLD\n", argv[0]);
    return 2;
  }
  const std::string folder = argv[1];
  const float score_threshold = std::stof(argv[3]);
  tensorflow::SavedModelBundleLite model;
  absl::Status status = tensorflow::LoadSavedModel({}, {}, folder, {"serve"}, &model);
  if (!status.ok()) {
    std::fprintf(stderr, "%s\n", status.ToString().c_str());
    return 1;
  }

  // The signature has the names of the nodes that stand for its inputs and outputs.
  const auto& signature = model.GetSignatures().at("serving_default");
  tensorflow::Tensor image(tensorflow::DT_STRING, {1});
  image.flat<tensorflow::tstring>()(0) = ReadFile(argv[2]);
  std::vector<std::string> outputs;
  for (const std::string name : {"boxes", "scores", "classes"}) {
    outputs.push_back(signature.outputs().at("detection_" + name).name());
  }
  std::vector<tensorflow::Tensor> found;
  status = model.GetSession()->Run(
      {{signature.inputs().at("image_bytes").name(), image}}, outputs, {}, &found);
  if (!status.ok()) {
    std::fprintf(stderr, "%s: %s\n", argv[2], status.ToString().c_str());
    return 1;
  }

  std::vector<std::string> labels;
  std::ifstream file(folder + "/assets/labels.txt");
  for (std::string line; std::getline(file, line);) labels.push_back(line);
  const auto boxes = found[0].tensor<float, 3>();
  const auto scores = found[1].matrix<float>();
  const auto classes = found[2].matrix<int>();
  for (int i = 0; i < scores.dimension(1) && classes(0, i) >= 0; ++i) {
    if (scores(0, i) < score_threshold) break;
    std::printf("%s %.3f  [%.1f, %.1f, %.1f, %.1f]\n", labels[classes(0, i)].c_str(),
                scores(0, i), boxes(0, i, 0), boxes(0, i, 1), boxes(0, i, 2),
                boxes(0, i, 3));
  }
}
