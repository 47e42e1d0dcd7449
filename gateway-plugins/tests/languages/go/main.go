// A filter in plain Go: no SDK, no TinyGo. It greets whoever says a name, and answers whoever says none.
//
//	GOOS=wasip1 GOARCH=wasm go build -buildmode=c-shared -o guest.wasm .
package main

import (
	"strconv"
	"strings"
	"unsafe"
)

//go:wasmimport env proxy_add_header_map_value
func addHeader(kind uint32, key unsafe.Pointer, keySize uint32, value unsafe.Pointer, size uint32) uint32

//go:wasmimport env proxy_get_header_map_value
func getHeader(kind uint32, key unsafe.Pointer, keySize uint32, value, size unsafe.Pointer) uint32

//go:wasmimport env proxy_get_buffer_bytes
func getBuffer(kind uint32, start, most uint32, value, size unsafe.Pointer) uint32

//go:wasmimport env proxy_send_local_response
func sendReply(status uint32, details unsafe.Pointer, detailsSize uint32, body unsafe.Pointer, bodySize uint32,
	headers unsafe.Pointer, headersSize uint32, grpc uint32) uint32

//go:wasmimport env proxy_http_call
func httpCall(upstream unsafe.Pointer, upstreamSize uint32, headers unsafe.Pointer, headersSize uint32,
	body unsafe.Pointer, bodySize uint32, trailers unsafe.Pointer, trailersSize uint32, milliseconds uint32,
	token unsafe.Pointer) uint32

//go:wasmimport env proxy_set_effective_context
func setEffective(context uint32) uint32

//go:wasmimport env proxy_continue_stream
func continueStream(stream uint32) uint32

//go:wasmimport env proxy_define_metric
func defineMetric(kind uint32, name unsafe.Pointer, size uint32, metric unsafe.Pointer) uint32

//go:wasmimport env proxy_increment_metric
func incrementMetric(metric uint32, by int64) uint32

const (
	request, response, callResponse = 0, 2, 6 // maps
	callBody, configuration         = 4, 7    // buffers
)

// What the host writes into stays where it is until it has been read.
var given = map[unsafe.Pointer][]byte{}

//go:wasmexport proxy_on_memory_allocate
func allocate(size uint32) unsafe.Pointer {
	bytes := make([]byte, size)
	at := unsafe.Pointer(unsafe.SliceData(bytes))
	given[at] = bytes
	return at
}

func take(at unsafe.Pointer, size uint32) string {
	text := string(given[at][:size])
	delete(given, at)
	return text
}

func text(of string) (unsafe.Pointer, uint32) {
	return unsafe.Pointer(unsafe.StringData(of)), uint32(len(of))
}

func field(kind uint32, name string) string {
	var at unsafe.Pointer
	var size uint32
	key, keySize := text(name)
	if getHeader(kind, key, keySize, unsafe.Pointer(&at), unsafe.Pointer(&size)) != 0 {
		return ""
	}
	return take(at, size)
}

func add(kind uint32, name, value string) {
	key, keySize := text(name)
	at, size := text(value)
	check(addHeader(kind, key, keySize, at, size))
}

func buffer(kind, size uint32) string {
	var at unsafe.Pointer
	var length uint32
	if getBuffer(kind, 0, size, unsafe.Pointer(&at), unsafe.Pointer(&length)) != 0 {
		return ""
	}
	return take(at, length)
}

// Fields as the host takes them: their number, their lengths, and each with a zero behind.
func pairs(fields ...[2]string) string {
	var all []byte
	number := func(number int) {
		all = append(all, byte(number), byte(number>>8), byte(number>>16), byte(number>>24))
	}
	number(len(fields))
	for _, field := range fields {
		number(len(field[0]))
		number(len(field[1]))
	}
	for _, field := range fields {
		all = append(all, field[0]+"\x00"+field[1]+"\x00"...)
	}
	return string(all)
}

func check(status uint32) {
	if status != 0 {
		panic("the host says " + strconv.Itoa(int(status)))
	}
}

var (
	greeting  string                // the configuration: what is said before the name
	greetings uint32                // a metric
	names     = map[uint32]string{} // by the contexts of requests
	calls     = map[uint32]uint32{} // by their tokens, whose they are
)

//go:wasmexport proxy_abi_version_0_2_1
func version() {}

//go:wasmexport proxy_on_configure
func configure(root, size uint32) uint32 {
	name, length := text("greetings")
	check(defineMetric(0, name, length, unsafe.Pointer(&greetings)))
	greeting = buffer(configuration, size)
	if !strings.Contains(greeting, `"greeter"`) {
		panic("no greeter")
	}
	return 1
}

//go:wasmexport proxy_on_request_headers
func requestHeaders(context, fields, end uint32) uint32 {
	name := field(request, "x-name")
	if name == "" {
		body, size := text("Who are you?")
		check(sendReply(401, nil, 0, body, size, nil, 0, ^uint32(0)))
		return 1
	}
	names[context] = name
	add(request, "x-greeting", greeting+" "+name)
	switch field(request, ":path") {
	case "/ask":
		return ask(context)
	case "/fall":
		panic("fallen")
	}
	return 0
}

// Asks a service, and goes on with what that says.
func ask(context uint32) uint32 {
	upstream, upstreamSize := text("auth")
	headers, headersSize := text(pairs([2]string{":method", "GET"}, [2]string{":path", "/who"},
		[2]string{":authority", "asked"}, [2]string{"x-call", "1"}))
	trailers, trailersSize := text(pairs())
	var token uint32
	check(httpCall(upstream, upstreamSize, headers, headersSize, nil, 0, trailers, trailersSize, 2000,
		unsafe.Pointer(&token)))
	calls[token] = context
	return 1
}

//go:wasmexport proxy_on_http_call_response
func answered(root, token, fields, size, trailers uint32) {
	answer := field(callResponse, ":status") + " " + strconv.Itoa(len(buffer(callBody, size)))
	check(setEffective(calls[token]))
	delete(calls, token)
	add(request, "x-answer", answer)
	check(continueStream(0))
}

//go:wasmexport proxy_on_response_headers
func responseHeaders(context, fields, end uint32) uint32 {
	add(response, "x-greeter", "Go")
	return 0
}

//go:wasmexport proxy_on_log
func logged(context uint32) {
	if name := names[context]; name != "" {
		check(incrementMetric(greetings, 1))
		println("greeted " + name)
	}
}

//go:wasmexport proxy_on_delete
func deleted(context uint32) {
	delete(names, context)
}

func main() {}
