//! A filter that calls foreign functions for whoever sends a request, and says what came of it.
//!
//! Each field `x-call` of a request is a name and arguments in hexadecimal digits. The request goes on with a field
//! `x-answer` for each: its bytes in digits, or the word for its status. What comes later is waited for, and stands in
//! `x-late`. The text `calls` of the configuration names calls in the same way, parted by commas; their answers stand
//! in `x-configured`. `x-call-response` is called when the answer comes, and answered on the answer.

use proxy_wasm::{
    hostcalls,
    traits::{Context, HttpContext, RootContext},
    types::{Action, BufferType, ContextType},
};

proxy_wasm::main! {{
    proxy_wasm::set_root_context(|_| -> Box<dyn RootContext> { Box::new(Root::default()) });
}}

#[derive(Default)]
struct Root {
    configured: Vec<String>,
}

impl Context for Root {}

impl RootContext for Root {
    fn on_configure(&mut self, _: usize) -> bool {
        let text = String::from_utf8(self.get_plugin_configuration().unwrap_or_default()).unwrap();
        let calls = text.split("\"calls\":\"").nth(1).and_then(|rest| rest.split('"').next());
        let calls = calls.unwrap_or_default().split(',').filter(|call| !call.is_empty());
        self.configured = calls.map(|line| call(self, line).0).collect();
        true
    }

    fn get_type(&self) -> Option<ContextType> {
        Some(ContextType::HttpContext)
    }

    fn create_http_context(&self, _: u32) -> Option<Box<dyn HttpContext>> {
        Some(Box::new(Stream { configured: self.configured.clone(), ..Stream::default() }))
    }
}

#[derive(Default)]
struct Stream {
    configured: Vec<String>,
    /// Answers that are yet to come.
    late: usize,
    on_response: Vec<String>,
}

impl Stream {
    fn asked(&self, name: &str) -> Vec<String> {
        let fields = self.get_http_request_headers();
        fields.into_iter().filter(|(field, _)| field == name).map(|(_, value)| value).collect()
    }
}

impl Context for Stream {
    fn on_foreign_function(&mut self, _: u32, size: usize) {
        let results = hostcalls::get_buffer(BufferType::CallData, 0, size).unwrap().unwrap_or_default();
        self.add_http_request_header("x-late", &digits(&results));
        self.late -= 1;
        if self.late == 0 {
            self.resume_http_request();
        }
    }
}

impl HttpContext for Stream {
    fn on_http_request_headers(&mut self, _: usize, _: bool) -> Action {
        for answer in std::mem::take(&mut self.configured) {
            self.add_http_request_header("x-configured", &answer);
        }
        self.on_response = self.asked("x-call-response");
        for line in self.asked("x-call") {
            let (answer, late) = call(self, &line);
            self.add_http_request_header("x-answer", &answer);
            self.late += usize::from(late);
        }
        if self.late > 0 { Action::Pause } else { Action::Continue }
    }

    fn on_http_response_headers(&mut self, _: usize, _: bool) -> Action {
        for line in std::mem::take(&mut self.on_response) {
            let (answer, _) = call(self, &line);
            self.add_http_response_header("x-answer", &answer);
        }
        Action::Continue
    }
}

/// What a call gives, and whether the rest of it comes later.
fn call(context: &dyn Context, line: &str) -> (String, bool) {
    let (name, arguments) = line.split_once(' ').unwrap_or((line, ""));
    match context.call_foreign_function(name, Some(&bytes(arguments))) {
        Ok(answer) => {
            let answer = answer.unwrap_or_default();
            let late = name.starts_with("gateway.") && answer.first() == Some(&1);
            (digits(&answer), late)
        }
        Err(status) => (format!("{status:?}"), false),
    }
}

fn bytes(digits: &str) -> Vec<u8> {
    (0..digits.len() / 2).map(|at| u8::from_str_radix(&digits[2 * at..2 * at + 2], 16).unwrap()).collect()
}

fn digits(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}
