//! The phases of a plugin: methods with certain names.

use syn::{Error, FnArg, ImplItem, ImplItemFn, ItemImpl, Receiver, Result};

/// A phase of a request, or of the plugin.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Phase {
    Request,
    RequestBody,
    Response,
    ResponseBody,
    Log,
    Tick,
}

impl Phase {
    pub(crate) const ALL: [Self; 6] =
        [Self::Request, Self::RequestBody, Self::Response, Self::ResponseBody, Self::Log, Self::Tick];

    /// The method.
    pub(crate) const fn method(self) -> &'static str {
        match self {
            Self::Request => "on_request",
            Self::RequestBody => "on_request_body",
            Self::Response => "on_response",
            Self::ResponseBody => "on_response_body",
            Self::Log => "on_log",
            Self::Tick => "on_tick",
        }
    }

    /// The word for it in the manifest.
    pub(crate) const fn word(self) -> &'static str {
        match self {
            Self::Request => "request",
            Self::RequestBody => "request_body",
            Self::Response => "response",
            Self::ResponseBody => "response_body",
            Self::Log => "log",
            Self::Tick => "tick",
        }
    }

    /// How it is written.
    const fn form(self) -> (&'static str, usize) {
        match self {
            Self::Request => ("fn on_request(&self, request: &mut Request)", 1),
            Self::RequestBody => ("fn on_request_body(&self, request: &mut Request, body: &mut Chunk)", 2),
            Self::Response => ("fn on_response(&self, response: &mut Response)", 1),
            Self::ResponseBody => {
                ("fn on_response_body(&self, response: &mut Response, body: &mut Chunk)", 2)
            }
            Self::Log => ("fn on_log(&self, log: &Log)", 1),
            Self::Tick => ("fn on_tick(&self)", 0),
        }
    }

    const fn may_wait(self) -> bool {
        matches!(self, Self::Request | Self::Response)
    }
}

/// A phase that a plugin has.
pub(crate) struct Method {
    pub(crate) phase: Phase,
    pub(crate) form: Form,
}

/// How a phase is written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Form {
    /// `fn`: it never waits.
    Plain,
    /// `async fn`
    Waits,
    /// `fn(self: Rc<Self>, ..) -> Outcome`: it chooses each time.
    Chooses,
}

/// The phases among the methods of a block.
pub(crate) fn methods(block: &ItemImpl) -> Result<Vec<Method>> {
    let functions = block.items.iter().filter_map(|item| match item {
        ImplItem::Fn(function) => Some(function),
        _ => None,
    });
    let mut methods = Vec::new();
    for function in functions {
        match phase(function) {
            Some(phase) => methods.push(method(function, phase)?),
            // Rust would take it for a method that nobody calls.
            None if function.sig.ident.to_string().starts_with("on_") => {
                return Err(Error::new_spanned(&function.sig.ident, UNKNOWN));
            }
            None => {}
        }
    }
    Ok(methods)
}

const UNKNOWN: &str = "there is no such phase: expected on_request, on_request_body, on_response, on_response_body, \
                       on_log or on_tick";

fn phase(function: &ImplItemFn) -> Option<Phase> {
    Phase::ALL.into_iter().find(|phase| function.sig.ident == phase.method())
}

fn method(function: &ImplItemFn, phase: Phase) -> Result<Method> {
    let mut inputs = function.sig.inputs.iter();
    let form = match inputs.next() {
        Some(FnArg::Receiver(own)) => form(own, function.sig.asyncness.is_some()),
        _ => None,
    };
    if form.is_some_and(|form| form != Form::Plain) && !phase.may_wait() {
        let message = format!("{} cannot wait: make it a plain fn", phase.method());
        return Err(Error::new_spanned(&function.sig, message));
    }
    let (expected, arguments) = phase.form();
    match form.filter(|_| inputs.count() == arguments) {
        Some(form) => Ok(Method { phase, form }),
        None => Err(Error::new_spanned(&function.sig, format!("expected {expected}"))),
    }
}

/// The form of a phase, by its receiver.
fn form(own: &Receiver, waits: bool) -> Option<Form> {
    match (own.reference.is_some(), own.colon_token.is_some()) {
        (true, _) if own.mutability.is_some() => None,
        (true, _) if waits => Some(Form::Waits),
        (true, _) => Some(Form::Plain),
        (false, true) if !waits => Some(Form::Chooses),
        (false, _) => None,
    }
}
