// A filter by the SDK for AssemblyScript, as its README shows them. It greets whoever says a name, and answers whoever
// says none.
//
//   npm ci && npm run asbuild
export * from "@solo-io/proxy-runtime/proxy";
import {
  Context, Counter, FilterHeadersStatusValues, GrpcStatusValues, HeaderPair, LogLevelValues, RootContext, WasmResultValues,
  log, registerRootContext, send_local_response, stream_context,
} from "@solo-io/proxy-runtime";

class GreeterRoot extends RootContext {
  greetings: Counter = new Counter("greetings");

  createContext(context_id: u32): Context {
    return new Greeter(context_id, this);
  }
}

class Greeter extends Context {
  name: string = "";

  constructor(context_id: u32, root: GreeterRoot) {
    super(context_id, root);
  }

  onRequestHeaders(fields: u32, end_of_stream: bool): FilterHeadersStatusValues {
    this.name = stream_context.headers.request.get("x-name");
    if (this.name == "") {
      send_local_response(401, "nobody", String.UTF8.encode("Who are you?"), [], GrpcStatusValues.InvalidCode);
      return FilterHeadersStatusValues.StopIteration;
    }
    stream_context.headers.request.add("x-greeting", this.root_context.getConfiguration() + " " + this.name);
    const path = stream_context.headers.request.get(":path");
    if (path == "/fall") {
      throw new Error("fallen");
    }
    return path == "/ask" ? this.ask() : FilterHeadersStatusValues.Continue;
  }

  // Asks a service, and goes on with what that says.
  ask(): FilterHeadersStatusValues {
    const headers = [pair(":method", "GET"), pair(":path", "/who"), pair(":authority", "asked"), pair("x-call", "1")];
    const body = new ArrayBuffer(0);
    const result = this.root_context.httpCall("auth", headers, body, [], 2000, this, (asked, fields, size, trailers) => {
      const status = stream_context.headers.http_callback.get(":status");
      stream_context.headers.request.add("x-answer", status + " " + size.toString());
      asked.continueRequest();
    });
    if (result != WasmResultValues.Ok) {
      log(LogLevelValues.error, "not asked: " + result.toString());
      return FilterHeadersStatusValues.Continue;
    }
    return FilterHeadersStatusValues.StopIteration;
  }

  onResponseHeaders(fields: u32, end_of_stream: bool): FilterHeadersStatusValues {
    stream_context.headers.response.add("x-greeter", "AssemblyScript");
    return FilterHeadersStatusValues.Continue;
  }

  onLog(): void {
    if (this.name != "") {
      (this.root_context as GreeterRoot).greetings.increment(1);
      log(LogLevelValues.info, "greeted " + this.name);
    }
  }

  // The SDK never frees a context, so it lets go of what it holds.
  onDelete(): void {
    this.name = "";
  }
}

function pair(key: string, value: string): HeaderPair {
  return new HeaderPair(String.UTF8.encode(key), String.UTF8.encode(value));
}

registerRootContext((context_id: u32) => { return new GreeterRoot(context_id); }, "greeter");
