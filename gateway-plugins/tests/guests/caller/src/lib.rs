//! A filter that calls services of gRPC. The path of the request says which call, `x-upstream` of whom; the answer tells line
//! by line what the filter was told of it.

use std::time::Duration;

use proxy_wasm::{
    traits::{Context, HttpContext, RootContext},
    types::{Action, ContextType, LogLevel, MetricType},
};

proxy_wasm::main! {{
    proxy_wasm::set_log_level(LogLevel::Trace);
    proxy_wasm::set_root_context(|_| -> Box<dyn RootContext> { Box::new(Root::default()) });
}}

const SERVICE: &str = "test.Echo";

#[derive(Default)]
struct Root {
    answered: Option<u32>,
}

impl Context for Root {
    fn on_grpc_call_response(&mut self, _: u32, status: u32, size: usize) {
        assert_eq!((status, size), (0, 4));
        assert_eq!(self.get_grpc_call_response_body(0, size).unwrap(), b"tick");
        proxy_wasm::hostcalls::increment_metric(self.answered.unwrap(), 1).unwrap();
    }
}

impl RootContext for Root {
    fn on_configure(&mut self, _: usize) -> bool {
        self.answered = proxy_wasm::hostcalls::define_metric(MetricType::Counter, "answered").ok();
        let text = self.get_plugin_configuration().unwrap_or_default();
        if String::from_utf8(text).unwrap().contains("\"tick\"") {
            self.set_tick_period(Duration::from_millis(20));
        }
        true
    }

    fn on_tick(&mut self) {
        let time = Duration::from_secs(2);
        self.dispatch_grpc_call("greeter", SERVICE, "Unary", vec![], Some(b"tick"), time).unwrap();
    }

    fn create_http_context(&self, _: u32) -> Option<Box<dyn HttpContext>> {
        Some(Box::new(Stream::default()))
    }

    fn get_type(&self) -> Option<ContextType> {
        Some(ContextType::HttpContext)
    }
}

#[derive(Default)]
struct Stream {
    path: String,
    upstream: String,
    told: Vec<String>,
}

impl Stream {
    fn call(&mut self, upstream: &str, message: &str, millis: u64) {
        let metadata = vec![("x-guest", b"1".as_slice()), ("te", b"gzip"), ("content-length", b"9")];
        let time = Duration::from_millis(millis);
        let called =
            self.dispatch_grpc_call(upstream, SERVICE, "Unary", metadata, Some(message.as_bytes()), time);
        if let Err(status) = called {
            self.told.push(format!("refused: {status:?}"));
            self.answer();
        }
    }

    fn open(&mut self, method: &str) -> u32 {
        self.open_grpc_stream(&self.upstream, SERVICE, method, vec![("x-guest", b"2".as_slice())]).unwrap()
    }

    fn answer(&mut self) {
        let told = self.told.join("\n");
        self.send_http_response(200, vec![("content-type", "text/plain")], Some(told.as_bytes()));
    }
}

impl HttpContext for Stream {
    fn on_http_request_headers(&mut self, _: usize, _: bool) -> Action {
        self.path = self.get_http_request_header(":path").unwrap();
        self.upstream = self.get_http_request_header("x-upstream").unwrap_or("greeter".to_owned());
        match self.path.as_str() {
            "/unary" => self.call(&self.upstream.clone(), "hello", 2_000),
            // As Envoy's SDK for C++ names it: a `GrpcService` with an `envoy_grpc` with a `cluster_name`.
            "/message" => {
                let length = self.upstream.len() as u8;
                let named = [&[10, length + 2, 10, length], self.upstream.as_bytes()].concat();
                self.call(&String::from_utf8(named).unwrap(), "hello", 2_000);
            }
            "/empty" => self.call("greeter", "", 2_000),
            "/fail" => self.call("greeter", "fail 5 gr\u{f6}\u{df}er", 2_000),
            "/slow" => self.call("greeter", "hang", 100),
            "/refused" => self.call("nobody", "hello", 2_000),
            "/http1" => self.call("auth", "hello", 2_000),
            "/nowhere" => self.call("nowhere", "hello", 2_000),
            "/odd" => {
                let told =
                    self.dispatch_grpc_call("greeter", "a/b", "Unary", vec![], None, Duration::from_secs(1));
                self.told.push(format!("{told:?}"));
                self.call("greeter", "fine", 2_000);
            }
            "/talk" => {
                let token = self.open("Talk");
                self.send_grpc_stream_message(token, Some(b"one"), false);
            }
            "/both" => {
                let token = self.open("Talk");
                self.send_grpc_stream_message(token, Some(b"one"), false);
                self.send_grpc_stream_message(token, Some(b"two"), true);
                let again = proxy_wasm::hostcalls::send_grpc_stream_message(token, Some(b"three"), true);
                self.told.push(format!("again: {again:?}"));
            }
            "/half" => {
                let token = self.open("Up");
                self.send_grpc_stream_message(token, Some(b"12345"), false);
                self.close_grpc_stream(token);
            }
            "/down" => {
                let token = self.open("Down");
                self.send_grpc_stream_message(token, Some(b"3"), true);
            }
            "/broken" => {
                let token = self.open("Talk");
                self.send_grpc_stream_message(token, Some(b"fail"), true);
            }
            "/nothing" => {
                let token = self.open("Nothing");
                self.send_grpc_stream_message(token, None, true);
            }
            "/cancel" => {
                let stream = self.open("Down");
                self.send_grpc_stream_message(stream, Some(b"hang"), true);
                self.cancel_grpc_stream(stream);
                let time = Duration::from_secs(2);
                let call = self.dispatch_grpc_call("greeter", SERVICE, "Unary", vec![], Some(b"hang"), time);
                self.cancel_grpc_call(call.unwrap());
                let unknown = proxy_wasm::hostcalls::cancel_grpc_stream(stream);
                self.told.push(format!("again: {unknown:?}"));
                self.call("greeter", "after", 2_000);
            }
            "/leave" => {
                let token = self.open("Down");
                self.send_grpc_stream_message(token, Some(b"hang"), true);
            }
            "/flood" => {
                let token = self.open("Down");
                let message = vec![0; 400_000];
                for _ in 0..4 {
                    let sent = proxy_wasm::hostcalls::send_grpc_stream_message(token, Some(&message), false);
                    self.told.push(format!("{sent:?}"));
                }
                self.answer();
            }
            _ => return Action::Continue,
        }
        Action::Pause
    }
}

impl Context for Stream {
    fn on_grpc_call_response(&mut self, _: u32, status: u32, size: usize) {
        let message = self.get_grpc_call_response_body(0, size).unwrap_or_default();
        self.told.push(format!("response: {status} {}", String::from_utf8_lossy(&message)));
        if status != 0 {
            let (code, words) = self.get_grpc_status();
            self.told.push(format!("status: {code} {}", words.unwrap_or_default()));
        }
        self.answer();
    }

    fn on_grpc_stream_initial_metadata(&mut self, _: u32, fields: u32) {
        let metadata = self.get_grpc_stream_initial_metadata();
        assert_eq!(metadata.len(), fields as usize);
        let value = self.get_grpc_stream_initial_metadata_value("content-type").unwrap();
        self.told.push(format!("initial: {}", String::from_utf8_lossy(&value)));
    }

    fn on_grpc_stream_message(&mut self, token: u32, size: usize) {
        let message = self.get_grpc_stream_message(0, size).unwrap_or_default();
        let message = String::from_utf8_lossy(&message).into_owned();
        self.told.push(format!("message: {message}"));
        match (self.path.as_str(), message.as_str()) {
            ("/talk", "one") => self.send_grpc_stream_message(token, Some(b"two"), false),
            ("/talk", "two") => self.send_grpc_stream_message(token, None, true),
            ("/leave", _) => self.answer(),
            _ => {}
        }
    }

    fn on_grpc_stream_trailing_metadata(&mut self, _: u32, fields: u32) {
        let metadata = self.get_grpc_stream_trailing_metadata();
        assert_eq!(metadata.len(), fields as usize);
        let status = self.get_grpc_stream_trailing_metadata_value("grpc-status").unwrap();
        self.told.push(format!("trailing: {}", String::from_utf8_lossy(&status)));
    }

    fn on_grpc_stream_close(&mut self, _: u32, status: u32) {
        let (code, words) = self.get_grpc_status();
        assert_eq!(code, status);
        self.told.push(format!("close: {status} {}", words.unwrap_or_default()));
        self.answer();
    }
}
