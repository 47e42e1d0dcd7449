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

    /// What it takes beside `&self`.
    const fn arguments(self) -> usize {
        match self {
            Self::Request | Self::Response | Self::Log => 1,
            Self::RequestBody | Self::ResponseBody => 2,
            Self::Tick => 0,
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
    let found = functions.filter_map(|function| Some((function, phase(function)?)));
    found.map(|(function, phase)| method(function, phase)).collect()
}

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
        return Err(Error::new_spanned(&function.sig, "this phase cannot wait: make it a plain fn"));
    }
    let Some(form) = form.filter(|_| inputs.count() == phase.arguments()) else {
        let name = phase.method();
        let expected = match phase.arguments() {
            0 => format!("expected fn {name}(&self)"),
            1 => format!("expected fn {name}(&self, message: &mut ...)"),
            _ => format!("expected fn {name}(&self, message: &mut ..., body: &mut Chunk)"),
        };
        return Err(Error::new_spanned(&function.sig, expected));
    };
    Ok(Method { phase, form })
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
