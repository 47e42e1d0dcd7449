//! A filter that does what the words of its configuration tell it. Each word is one behaviour; the tests put them
//! together.

use std::time::Duration;

use proxy_wasm::{
    hostcalls,
    traits::{Context, HttpContext, RootContext},
    types::{Action, BufferType, Bytes, ContextType, LogLevel, MetricType, Status},
};

proxy_wasm::main! {{
    proxy_wasm::set_log_level(LogLevel::Trace);
    proxy_wasm::set_root_context(|_| -> Box<dyn RootContext> { Box::new(Root::default()) });
}}

#[derive(Default)]
struct Root {
    text: String,
    requests: Option<u32>,
    ticks: Option<u32>,
    queue: Option<u32>,
}

impl Root {
    fn told(&self, word: &str) -> bool {
        self.text.contains(&format!("\"{word}\""))
    }
}

impl Context for Root {
    fn on_done(&mut self) -> bool {
        true
    }
}

impl RootContext for Root {
    fn on_vm_start(&mut self, size: usize) -> bool {
        assert_eq!(size, 0);
        assert!(self.get_vm_configuration().is_none());
        true
    }

    fn on_configure(&mut self, size: usize) -> bool {
        let text = self.get_plugin_configuration().unwrap_or_default();
        assert_eq!(text.len(), size);
        self.text = String::from_utf8(text).unwrap();
        if self.told("refuse") {
            return false;
        }
        self.requests = hostcalls::define_metric(MetricType::Counter, "requests").ok();
        self.ticks = hostcalls::define_metric(MetricType::Gauge, "ticks").ok();
        if self.told("tick") {
            self.set_tick_period(Duration::from_millis(10));
        }
        if self.told("queue") {
            self.queue = Some(self.register_shared_queue("jobs"));
        }
        true
    }

    fn on_tick(&mut self) {
        let ticks = self.ticks.unwrap();
        hostcalls::increment_metric(ticks, 1).unwrap();
        self.set_shared_data("ticked", Some(b"yes"), None).unwrap();
    }

    fn on_queue_ready(&mut self, queue: u32) {
        let item = self.dequeue_shared_queue(queue).unwrap();
        self.set_shared_data("dequeued", item.as_deref(), None).unwrap();
    }

    fn create_http_context(&self, context: u32) -> Option<Box<dyn HttpContext>> {
        hostcalls::increment_metric(self.requests.unwrap(), 1).unwrap();
        Some(Box::new(Stream {
            context,
            text: self.text.clone(),
            queue: self.queue,
            calls: 0,
            sizes: Vec::new(),
        }))
    }

    fn get_type(&self) -> Option<ContextType> {
        Some(ContextType::HttpContext)
    }
}

struct Stream {
    context: u32,
    text: String,
    queue: Option<u32>,
    /// Callouts not answered yet.
    calls: u32,
    /// What the body callbacks were told.
    sizes: Vec<String>,
}

impl Stream {
    fn told(&self, word: &str) -> bool {
        self.text.contains(&format!("\"{word}\""))
    }

    fn call(&mut self, path: &str) {
        let headers =
            vec![(":method", "POST"), (":path", path), (":authority", "auth.example"), ("x-call", "1")];
        let trailers = vec![];
        match self.dispatch_http_call("auth", headers, Some(b"question"), trailers, Duration::from_secs(2)) {
            Ok(_) => self.calls += 1,
            Err(status) => self.set_http_request_header("x-call-refused", Some(&format!("{status:?}"))),
        }
    }

    fn property(&self, path: &[&str]) -> String {
        String::from_utf8_lossy(&self.get_property(path.to_vec()).unwrap_or_default()).into_owned()
    }
}

impl Context for Stream {
    fn on_http_call_response(&mut self, _: u32, fields: usize, body: usize, trailers: usize) {
        self.calls -= 1;
        let status = self.get_http_call_response_header(":status").unwrap_or_else(|| "none".into());
        if fields == 0 {
            return self.send_http_response(504, vec![], Some(b"no answer"));
        }
        let pairs = self.get_http_call_response_headers();
        assert_eq!(pairs.len(), fields);
        assert_eq!(self.get_http_call_response_trailers().len(), trailers);
        let answer = self.get_http_call_response_body(0, body).unwrap_or_default();
        let (code, _) = hostcalls::get_grpc_status().unwrap();
        assert_eq!(code.to_string(), status);
        if status == "403" {
            return self.send_http_response(403, vec![("x-by", "stranger")], Some(&answer));
        }
        if self.told("call-response") {
            self.set_http_response_header("x-answer", Some(std::str::from_utf8(&answer).unwrap()));
            return self.resume_http_response();
        }
        self.add_http_request_header("x-answer", std::str::from_utf8(&answer).unwrap());
        if self.calls == 0 {
            self.resume_http_request();
        }
    }

    fn on_foreign_function(&mut self, _: u32, size: usize) {
        let results = hostcalls::get_buffer(BufferType::CallData, 0, size).unwrap().unwrap();
        self.set_http_request_header("x-later", Some(std::str::from_utf8(&results).unwrap()));
        self.resume_http_request();
    }

    fn on_done(&mut self) -> bool {
        true
    }
}

impl HttpContext for Stream {
    fn on_http_request_headers(&mut self, fields: usize, end: bool) -> Action {
        if self.told("trap") && self.get_http_request_header("x-trap").is_some() {
            panic!("asked to");
        }
        if self.told("headers") {
            let pairs = self.get_http_request_headers();
            assert_eq!(pairs.len(), fields);
            assert!(pairs.iter().any(|(name, value)| name == ":method" && value == "POST"));
            assert_eq!(self.get_http_request_header(":path").as_deref(), Some("/api/x?q=1"));
            assert_eq!(self.get_http_request_header(":scheme").as_deref(), Some("http"));
            assert_eq!(self.get_http_request_header(":authority").as_deref(), Some("a.example"));
            assert_eq!(self.get_http_request_header("x-none"), None);
            self.set_http_request_header("x-set", Some("1"));
            self.add_http_request_header("x-set", "2");
            self.set_http_request_header("x-gone", None);
            self.set_http_request_header("x-end", Some(&end.to_string()));
            // The framing is the host's.
            self.set_http_request_header("transfer-encoding", Some("gzip"));
            self.set_http_request_header(":path", Some("/rewritten?by=stranger"));
            assert_eq!(self.get_http_request_header(":path").as_deref(), Some("/rewritten?by=stranger"));
        }
        if self.told("all-headers") {
            let mut pairs = self.get_http_request_headers();
            pairs.push(("x-all".into(), "1".into()));
            pairs.retain(|(name, _)| name != "x-gone");
            let pairs = pairs.iter().map(|(name, value)| (name.as_str(), value.as_str())).collect();
            self.set_http_request_headers(pairs);
        }
        if self.told("properties") {
            for (name, path) in [
                ("x-method", &["request", "method"][..]),
                ("x-source", &["source", "address"]),
                ("x-route", &["route", "name"]),
                ("x-service", &["service", "name"]),
                ("x-plugin", &["plugin_name"]),
                ("x-root", &["plugin_root_id"]),
                ("x-agent", &["request", "headers", "user-agent"]),
            ] {
                self.set_http_request_header(name, Some(&self.property(path)));
            }
            self.set_property(vec!["my", "note"], Some(b"kept"));
            self.set_http_request_header("x-note", Some(&self.property(&["my", "note"])));
        }
        if self.told("reply") {
            self.send_http_response(418, vec![("x-by", "stranger"), ("x-by", "twice")], Some(b"a teapot"));
            return Action::Pause;
        }
        if self.told("data") {
            let (value, version) = self.get_shared_data("count");
            let count: u32 = value.and_then(|value| String::from_utf8(value).ok()?.parse().ok()).unwrap_or(0);
            self.set_shared_data("count", Some((count + 1).to_string().as_bytes()), version).unwrap();
            if let Some(version) = version {
                let late = self.set_shared_data("count", Some(b"99"), Some(version));
                assert_eq!(late, Err(Status::CasMismatch));
            }
            self.set_http_request_header("x-count", Some(&(count + 1).to_string()));
            for key in ["ticked", "dequeued"] {
                let (value, _) = self.get_shared_data(key);
                let value = String::from_utf8(value.unwrap_or_default()).unwrap();
                self.set_http_request_header(&format!("x-{key}"), Some(&value));
            }
        }
        if let Some(queue) = self.queue {
            assert_eq!(self.resolve_shared_queue("", "jobs"), Some(queue));
            assert_eq!(self.resolve_shared_queue("nobody", "jobs"), None);
            self.enqueue_shared_queue(queue, Some(b"a job")).unwrap();
        }
        if self.told("time") {
            let now = self.get_current_time().duration_since(std::time::UNIX_EPOCH).unwrap();
            self.set_http_request_header("x-seconds", Some(&now.as_secs().to_string()));
        }
        if self.told("foreign") {
            let reversed: Option<Bytes> = self.call_foreign_function("reverse", Some(b"abc")).unwrap();
            self.set_http_request_header(
                "x-reversed",
                Some(std::str::from_utf8(&reversed.unwrap()).unwrap()),
            );
            assert_eq!(self.call_foreign_function("nothing", None), Err(Status::NotFound));
        }
        if self.told("later") {
            let token = self.call_foreign_function("later", Some(b"x")).unwrap().unwrap();
            assert_eq!((token.len(), token[0]), (5, 1));
            return Action::Pause;
        }
        if self.told("call") {
            self.call(self.get_http_request_header("x-ask").as_deref().unwrap_or("/ask"));
            return if self.calls > 0 { Action::Pause } else { Action::Continue };
        }
        if self.told("calls") {
            (1..=3).for_each(|number| self.call(&format!("/ask/{number}")));
            return Action::Pause;
        }
        if self.told("sign") {
            return Action::Pause;
        }
        if self.told("hold") && self.get_http_request_header("x-hold").is_some() {
            return Action::Pause;
        }
        Action::Continue
    }

    fn on_http_request_body(&mut self, size: usize, end: bool) -> Action {
        if self.told("refuse-body") {
            let body = self.get_http_request_body(0, size).unwrap_or_default();
            if body.windows(4).any(|word| word == b"evil") {
                self.send_http_response(422, vec![("x-by", "stranger")], Some(b"not that"));
                return Action::Pause;
            }
        }
        if self.told("sign") && end {
            let body = self.get_http_request_body(0, size).unwrap_or_default();
            if body.windows(4).any(|word| word == b"evil") {
                self.send_http_response(422, vec![], Some(b"not that"));
                return Action::Pause;
            }
            self.set_http_request_header("x-length", Some(&size.to_string()));
            self.resume_http_request();
        }
        if self.told("buffer-request") {
            if !end {
                return Action::Pause;
            }
            let body = self.get_http_request_body(0, size).unwrap_or_default();
            let upper = body.to_ascii_uppercase();
            self.set_http_request_body(0, size, &upper);
        }
        if self.told("stream-request") {
            self.sizes.push(format!("{size}{}", if end { "!" } else { "" }));
            self.set_http_request_body(0, 0, b"[");
            self.set_http_request_body(usize::MAX, 0, b"]");
        }
        Action::Continue
    }

    fn on_http_request_trailers(&mut self, count: usize) -> Action {
        if self.told("trailers") {
            self.add_http_request_trailer("x-count", &count.to_string());
        }
        Action::Continue
    }

    fn on_http_response_headers(&mut self, fields: usize, end: bool) -> Action {
        if self.told("response-headers") {
            assert_eq!(self.get_http_response_headers().len(), fields);
            let status = self.get_http_response_header(":status").unwrap();
            self.set_http_response_header("x-was", Some(&status));
            self.set_http_response_header("x-end", Some(&end.to_string()));
            self.set_http_response_header(":status", Some("207"));
            // The request's head is still there to be read.
            let path = self.get_http_request_header(":path").unwrap();
            self.set_http_response_header("x-path", Some(&path));
        }
        if self.told("note") {
            self.set_http_response_header("x-note", Some(&self.property(&["my", "note"])));
        }
        if self.told("replace-response") {
            self.send_http_response(451, vec![], Some(b"replaced"));
            return Action::Pause;
        }
        if self.told("call-response") {
            self.call("/ask");
            return Action::Pause;
        }
        Action::Continue
    }

    fn on_http_response_body(&mut self, size: usize, end: bool) -> Action {
        if self.told("buffer-response") {
            if !end {
                return Action::Pause;
            }
            let body = self.get_http_response_body(0, size).unwrap_or_default();
            let upper = body.to_ascii_uppercase();
            self.set_http_response_body(0, size, &upper);
        }
        if self.told("trap-response-body") {
            panic!("asked to");
        }
        Action::Continue
    }

    fn on_http_response_trailers(&mut self, count: usize) -> Action {
        if self.told("trailers") {
            self.add_http_response_trailer("x-count", &count.to_string());
        }
        Action::Continue
    }

    fn on_log(&mut self) {
        if self.told("log") {
            let path = self.get_http_request_header(":path").unwrap_or_default();
            let code = self.get_property(vec!["response", "code"]).unwrap_or_default();
            let code = u64::from_le_bytes(code.try_into().unwrap());
            let line = format!("context {} {path} {code}", self.context);
            self.set_shared_data("log", Some(line.as_bytes()), None).unwrap();
            let logged = hostcalls::define_metric(MetricType::Histogram, "logged").unwrap();
            hostcalls::record_metric(logged, code).unwrap();
        }
    }
}
