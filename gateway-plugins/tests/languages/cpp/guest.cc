// A filter in C++ for Proxy-Wasm, with libc++ and wasi-libc and without an SDK. What it exports is what the SDK for C++ exports. It
// greets whoever says a name, and answers whoever says none.
//
//   clang++ --target=wasm32-wasi -mexec-model=reactor -std=c++17 -fno-exceptions -O2 -Wl,--export=malloc -Wl,--strip-all
//     -o guest.wasm guest.cc
#include <cstdint>
#include <cstdlib>
#include <iostream>
#include <memory>
#include <sstream>
#include <string>
#include <string_view>
#include <unordered_map>
#include <utility>
#include <vector>

#define HOST(name) extern "C" __attribute__((import_module("env"), import_name(#name))) uint32_t name
#define EXPORT(name) extern "C" __attribute__((export_name(#name)))

HOST(proxy_get_buffer_bytes)(uint32_t kind, uint32_t start, uint32_t most, char **value, size_t *size);
HOST(proxy_get_header_map_value)(uint32_t map, const char *key, size_t key_size, char **value, size_t *size);
HOST(proxy_add_header_map_value)(uint32_t map, const char *key, size_t key_size, const char *value, size_t size);
HOST(proxy_get_property)(const char *path, size_t path_size, char **value, size_t *size);
HOST(proxy_send_local_response)(uint32_t status, const char *details, size_t details_size, const char *body, size_t body_size,
                                const char *headers, size_t headers_size, uint32_t grpc_status);
HOST(proxy_http_call)(const char *upstream, size_t upstream_size, const char *headers, size_t headers_size, const char *body,
                      size_t body_size, const char *trailers, size_t trailers_size, uint32_t milliseconds, uint32_t *token);
HOST(proxy_set_effective_context)(uint32_t context);
HOST(proxy_continue_stream)(uint32_t stream);
HOST(proxy_define_metric)(uint32_t kind, const char *name, size_t size, uint32_t *metric);
HOST(proxy_increment_metric)(uint32_t metric, int64_t by);

namespace {

constexpr uint32_t REQUEST = 0, RESPONSE = 2, CALL_RESPONSE = 6;         // maps
constexpr uint32_t CALL_BODY = 4, CONFIGURATION = 7;                    // buffers
constexpr uint32_t CONTINUE = 0, STOP_ALL_ITERATION_AND_WATERMARK = 4;  // what callbacks of heads return

void check(uint32_t status, const char *what) {
  if (status != 0) {
    std::cerr << what << ": " << status << std::endl;
    std::abort();
  }
}

// What the host has put into memory of `malloc`.
std::string taken(char *value, size_t size) {
  std::string text(value, size);
  std::free(value);
  return text;
}

std::string buffer(uint32_t kind, uint32_t most) {
  char *value = nullptr;
  size_t size = 0;
  if (proxy_get_buffer_bytes(kind, 0, most, &value, &size) != 0) return {};
  return taken(value, size);
}

std::string field(uint32_t map, std::string_view key) {
  char *value = nullptr;
  size_t size = 0;
  if (proxy_get_header_map_value(map, key.data(), key.size(), &value, &size) != 0) return {};
  return taken(value, size);
}

void add(uint32_t map, std::string_view key, std::string_view value) {
  check(proxy_add_header_map_value(map, key.data(), key.size(), value.data(), value.size()), "a field");
}

std::string pairs(const std::vector<std::pair<std::string, std::string>> &fields) {
  std::string bytes;
  const auto number = [&](uint32_t value) { bytes.append(reinterpret_cast<const char *>(&value), sizeof value); };
  number(fields.size());
  for (const auto &[key, value] : fields) {
    number(key.size());
    number(value.size());
  }
  for (const auto &[key, value] : fields) {
    bytes.append(key.c_str(), key.size() + 1);
    bytes.append(value.c_str(), value.size() + 1);
  }
  return bytes;
}

class Root {
 public:
  Root() {
    char *value = nullptr;
    size_t size = 0;
    check(proxy_get_property("plugin_root_id", 14, &value, &size), "the root's id");
    const auto id = taken(value, size);
    if (id != "greeter") {
      std::cerr << "the root's id: not greeter" << std::endl;
      std::abort();
    }
    check(proxy_define_metric(0, "greetings", 9, &greetings_), "a metric");
  }

  bool configure(uint32_t size) {
    configuration_ = buffer(CONFIGURATION, size);
    return !configuration_.empty();
  }

  void greeted() const { check(proxy_increment_metric(greetings_, 1), "a count"); }
  const std::string &configuration() const { return configuration_; }

  std::unordered_map<uint32_t, uint32_t> calls;  // by their tokens, who made them

 private:
  std::string configuration_;
  uint32_t greetings_ = 0;
};

class Greeter {
 public:
  Greeter(uint32_t id, Root &root) : id_(id), root_(root) {}

  uint32_t requestHeaders() {
    name_ = field(REQUEST, "x-name");
    if (name_.empty()) {
      constexpr std::string_view body = "Who are you?";
      check(proxy_send_local_response(401, "nobody", 6, body.data(), body.size(), nullptr, 0, -1), "a reply");
      return STOP_ALL_ITERATION_AND_WATERMARK;
    }
    std::ostringstream greeting;
    greeting << root_.configuration() << ' ' << name_;
    add(REQUEST, "x-greeting", greeting.str());
    const auto path = field(REQUEST, ":path");
    if (path == "/fall") {
      std::cerr << "fallen" << std::endl;
      std::abort();
    }
    return path == "/ask" ? ask() : CONTINUE;
  }

  uint32_t responseHeaders() {
    add(RESPONSE, "x-greeter", "C++");
    return CONTINUE;
  }

  void log() const {
    if (name_.empty()) return;
    root_.greeted();
    std::cout << "greeted " << name_ << std::endl;
  }

 private:
  // Asks a service, and goes on with what that says.
  uint32_t ask() {
    const auto headers = pairs({{":method", "GET"}, {":path", "/who"}, {":authority", "asked"}, {"x-call", "1"}});
    const auto none = pairs({});
    uint32_t token = 0;
    check(proxy_http_call("auth", 4, headers.data(), headers.size(), nullptr, 0, none.data(), none.size(), 2000, &token),
          "a call");
    root_.calls[token] = id_;
    return STOP_ALL_ITERATION_AND_WATERMARK;
  }

  uint32_t id_;
  Root &root_;
  std::string name_;
};

std::unordered_map<uint32_t, std::unique_ptr<Root>> roots;
std::unordered_map<uint32_t, std::unique_ptr<Greeter>> greeters;

}  // namespace

EXPORT(proxy_abi_version_0_2_1) void proxy_abi_version_0_2_1() {}

EXPORT(proxy_on_context_create) void proxy_on_context_create(uint32_t context, uint32_t parent) {
  if (parent == 0) {
    roots[context] = std::make_unique<Root>();
  } else {
    greeters[context] = std::make_unique<Greeter>(context, *roots.at(parent));
  }
}

EXPORT(proxy_on_vm_start) uint32_t proxy_on_vm_start(uint32_t, uint32_t) { return 1; }

EXPORT(proxy_on_configure) uint32_t proxy_on_configure(uint32_t root, uint32_t size) { return roots.at(root)->configure(size); }

EXPORT(proxy_on_request_headers) uint32_t proxy_on_request_headers(uint32_t context, uint32_t, uint32_t) {
  return greeters.at(context)->requestHeaders();
}

EXPORT(proxy_on_response_headers) uint32_t proxy_on_response_headers(uint32_t context, uint32_t, uint32_t) {
  return greeters.at(context)->responseHeaders();
}

EXPORT(proxy_on_http_call_response)
void proxy_on_http_call_response(uint32_t root, uint32_t token, uint32_t, uint32_t size, uint32_t) {
  const auto call = roots.at(root)->calls.extract(token);
  if (call.empty()) return;
  std::ostringstream answer;
  answer << field(CALL_RESPONSE, ":status") << ' ' << buffer(CALL_BODY, size).size();
  check(proxy_set_effective_context(call.mapped()), "whose call it was");
  add(REQUEST, "x-answer", answer.str());
  check(proxy_continue_stream(0), "going on");
}

EXPORT(proxy_on_done) uint32_t proxy_on_done(uint32_t) { return 1; }

EXPORT(proxy_on_log) void proxy_on_log(uint32_t context) { greeters.at(context)->log(); }

EXPORT(proxy_on_delete) void proxy_on_delete(uint32_t context) {
  greeters.erase(context);
  roots.erase(context);
}
