// Pen points in, labels out, with ONNX Runtime's C API alone.
//
//   c++ -std=c++17 classify.cpp ./libonnxruntime.so.1 -Wl,-rpath,'$ORIGIN' -o classify
//   ./classify points.onnx labels.txt < drawing.txt
//
// libonnxruntime.so.1 is in ONNX Runtime's release archive, and in its Python wheel: docs/contract.md.
// drawing.txt has a line "x y pen" for each point, in any unit; pen is 1 on the last point of a stroke, else 0.
// labels.txt has the class names, one a line: sketch-infer --model points.onnx --list-labels
#if __has_include(<onnxruntime_c_api.h>)
#include <onnxruntime_c_api.h>
#else
#include "ort_abi.h"
#endif

#include <algorithm>
#include <cmath>
#include <cstdio>
#include <cstdlib>
#include <fstream>
#include <iostream>
#include <string>
#include <vector>

const OrtApi* ort = nullptr;

[[noreturn]] void fail(const std::string& reason) {
  std::fprintf(stderr, "classify: %s\n", reason.c_str());
  std::exit(2);
}

void check(OrtStatus* status) {
  if (status) fail(ort->GetErrorMessage(status));
}

int main(int argc, char** argv) {
  if (argc != 3) fail("expected: classify MODEL LABELS < POINTS");
  std::vector<std::string> labels;
  std::ifstream names(argv[2]);
  for (std::string name; std::getline(names, name);) labels.push_back(name);
  if (labels.empty()) fail(std::string(argv[2]) + ": expected class names, found none");

  std::vector<float> points;
  for (float value; std::cin >> value;) points.push_back(value);
  if (!std::cin.eof() || points.size() % 3) fail("expected lines of three numbers: x y pen");

  ort = OrtGetApiBase()->GetApi(ORT_API_VERSION);
  if (!ort) fail("this ONNX Runtime is too old");
  OrtEnv* env;
  OrtSessionOptions* options;
  OrtSession* session;
  OrtMemoryInfo* memory;
  check(ort->CreateEnv(ORT_LOGGING_LEVEL_FATAL, "classify", &env));
  check(ort->CreateSessionOptions(&options));
  check(ort->CreateSession(env, argv[1], options, &session));
  check(ort->CreateCpuMemoryInfo(OrtArenaAllocator, OrtMemTypeDefault, &memory));

  // One drawing: all points are its own.
  std::int64_t count = static_cast<std::int64_t>(points.size() / 3);
  const std::int64_t points_shape[] = {count, 3}, counts_shape[] = {1};
  OrtValue* inputs[2];
  check(ort->CreateTensorWithDataAsOrtValue(memory, points.data(), points.size() * sizeof(float), points_shape, 2,
                                            ONNX_TENSOR_ELEMENT_DATA_TYPE_FLOAT, &inputs[0]));
  check(ort->CreateTensorWithDataAsOrtValue(memory, &count, sizeof count, counts_shape, 1,
                                            ONNX_TENSOR_ELEMENT_DATA_TYPE_INT64, &inputs[1]));
  const char* input_names[] = {"points", "counts"};
  const char* output_names[] = {"log_probs"};
  OrtValue* output = nullptr;
  check(ort->Run(session, nullptr, input_names, inputs, 2, output_names, 1, &output));
  void* data;
  check(ort->GetTensorMutableData(output, &data));
  const float* log_probs = static_cast<const float*>(data);

  if (std::isnan(log_probs[0])) fail("expected a drawing of 2 to 50,000 points, finite, with a pen of 0 or 1");
  const auto best = std::max_element(log_probs, log_probs + labels.size()) - log_probs;
  std::printf("%s %.4f\n", labels[best].c_str(), std::exp(log_probs[best]));
  return 0;  // the process ends, and with it all that was made above
}
