// The part of ONNX Runtime's C API that classify.cpp calls, for machines that have the library and not its header.
// The API is a table of functions at fixed places: releases add functions at its end and never move one. The numbers
// are the places. Where onnxruntime_c_api.h is installed, classify.cpp includes that instead.
#pragma once
#include <cstddef>
#include <cstdint>

struct OrtEnv;
struct OrtMemoryInfo;
struct OrtRunOptions;
struct OrtSession;
struct OrtSessionOptions;
struct OrtStatus;
struct OrtValue;

enum OrtLoggingLevel { ORT_LOGGING_LEVEL_FATAL = 4 };
enum OrtAllocatorType { OrtArenaAllocator = 1 };
enum OrtMemType { OrtMemTypeDefault = 0 };
enum ONNXTensorElementDataType { ONNX_TENSOR_ELEMENT_DATA_TYPE_FLOAT = 1, ONNX_TENSOR_ELEMENT_DATA_TYPE_INT64 = 7 };

constexpr std::uint32_t ORT_API_VERSION = 18;  // what 1.18, the oldest release that runs the models, has

struct OrtApi {
  void* _0[2];
  const char* (*GetErrorMessage)(const OrtStatus*);                                                             // 2
  OrtStatus* (*CreateEnv)(OrtLoggingLevel, const char* name, OrtEnv**);                                         // 3
  void* _4[3];
  OrtStatus* (*CreateSession)(const OrtEnv*, const char* path, const OrtSessionOptions*, OrtSession**);         // 7
  void* _8;
  OrtStatus* (*Run)(OrtSession*, const OrtRunOptions*, const char* const* input_names, const OrtValue* const* inputs,
                    std::size_t n_inputs, const char* const* output_names, std::size_t n_outputs, OrtValue**);  // 9
  OrtStatus* (*CreateSessionOptions)(OrtSessionOptions**);                                                      // 10
  void* _11[38];
  OrtStatus* (*CreateTensorWithDataAsOrtValue)(const OrtMemoryInfo*, void* data, std::size_t n_bytes,
                                               const std::int64_t* shape, std::size_t rank,
                                               ONNXTensorElementDataType, OrtValue**);                          // 49
  void* _50;
  OrtStatus* (*GetTensorMutableData)(OrtValue*, void**);                                                        // 51
  void* _52[17];
  OrtStatus* (*CreateCpuMemoryInfo)(OrtAllocatorType, OrtMemType, OrtMemoryInfo**);                             // 69
};

struct OrtApiBase {
  const OrtApi* (*GetApi)(std::uint32_t version);
  const char* (*GetVersionString)();
};

extern "C" const OrtApiBase* OrtGetApiBase();
