// A filter in plain Go: no SDK, no TinyGo. It greets whoever says a name, and answers whoever says none.
//
//	GOOS=wasip1 GOARCH=wasm go build -buildmode=c-shared -o guest.wasm .
package main

import "unsafe"

//go:wasmimport env proxy_add_header_map_value
func addHeader(kind uint32, key unsafe.Pointer, keySize uint32, value unsafe.Pointer, size uint32) uint32

//go:wasmimport env proxy_get_header_map_value
func getHeader(kind uint32, key unsafe.Pointer, keySize uint32, value, size unsafe.Pointer) uint32

//go:wasmimport env proxy_get_buffer_bytes
func getBuffer(kind uint32, start, most uint32, value, size unsafe.Pointer) uint32

//go:wasmimport env proxy_send_local_response
func reply(status uint32, details unsafe.Pointer, detailsSize uint32, body unsafe.Pointer, bodySize uint32,
	headers unsafe.Pointer, headersSize uint32, grpc uint32) uint32

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

// The configuration: what is said before the name.
var greeting string

//go:wasmexport proxy_abi_version_0_2_1
func version() {}

//go:wasmexport proxy_on_configure
func configure(root, size uint32) uint32 {
	var at unsafe.Pointer
	var length uint32
	if getBuffer(7, 0, size, unsafe.Pointer(&at), unsafe.Pointer(&length)) != 0 {
		return 0
	}
	greeting = take(at, length)
	return 1
}

//go:wasmexport proxy_on_request_headers
func requestHeaders(context, fields, end uint32) uint32 {
	var at unsafe.Pointer
	var size uint32
	key, keySize := text("x-name")
	if getHeader(0, key, keySize, unsafe.Pointer(&at), unsafe.Pointer(&size)) != 0 {
		body, bodySize := text("Who are you?")
		reply(401, nil, 0, body, bodySize, nil, 0, ^uint32(0))
		return 1
	}
	value, valueSize := text(greeting + " " + take(at, size))
	key, keySize = text("x-greeting")
	addHeader(0, key, keySize, value, valueSize)
	return 0
}

func main() {}
