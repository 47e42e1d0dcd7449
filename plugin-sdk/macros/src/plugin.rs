//! `#[plugin]`: the methods of a type as the phases of a plugin.

use proc_macro2::TokenStream;
use quote::{format_ident, quote};
use syn::{
    Error, Expr, ExprArray, ImplItem, ItemImpl, LitStr, Result, Token, Type,
    parse::{Parse, ParseStream},
};

use crate::phase::{self, Form, Method, Phase};

/// What is said of the plugin.
#[derive(Default)]
pub(crate) struct Arguments {
    name: Option<LitStr>,
    members: Vec<TokenStream>,
    reads_body: bool,
}

impl Parse for Arguments {
    fn parse(input: ParseStream<'_>) -> Result<Self> {
        let mut arguments = Self::default();
        while !input.is_empty() {
            arguments.read(input)?;
            if !input.is_empty() {
                input.parse::<Token![,]>()?;
            }
        }
        Ok(arguments)
    }
}

impl Arguments {
    fn read(&mut self, input: ParseStream<'_>) -> Result<()> {
        let ident: syn::Ident = input.parse()?;
        match ident.to_string().as_str() {
            "reads_body" => {
                self.reads_body = true;
                self.members.push(quote! { reads_body: true });
                return Ok(());
            }
            "no_consumer" | "no_route" | "no_service" => {
                self.members.push(quote! { #ident: true });
                return Ok(());
            }
            _ => {}
        }
        input.parse::<Token![=]>()?;
        match ident.to_string().as_str() {
            "name" => self.name = Some(named(input.parse()?)?),
            "priority" => {
                let priority: Expr = input.parse()?;
                self.members.push(quote! { priority: #priority });
            }
            "on_error" => {
                let on_error = policy(input.parse()?)?;
                self.members.push(quote! { on_error: #on_error });
            }
            "protocols" | "capabilities" => {
                let texts: ExprArray = input.parse()?;
                self.members.push(quote! { #ident: &#texts });
            }
            _ => return Err(Error::new(ident.span(), EXPECTED)),
        }
        Ok(())
    }
}

/// A name that configurations can have.
fn named(name: LitStr) -> Result<LitStr> {
    let text = name.value();
    let fits = |letter: char| letter.is_ascii_lowercase() || letter.is_ascii_digit() || letter == '-';
    if text.starts_with(|first: char| first.is_ascii_lowercase()) && text.chars().all(fits) {
        return Ok(name);
    }
    Err(Error::new(name.span(), "a plugin's name is small letters, digits and hyphens: \"my-plugin\""))
}

/// What becomes of a request that the plugin fails on.
fn policy(policy: LitStr) -> Result<LitStr> {
    let text = policy.value();
    let is_status = text.parse::<u16>().is_ok_and(|status| (400..600).contains(&status));
    if is_status || matches!(text.as_str(), "deny" | "allow") {
        return Ok(policy);
    }
    Err(Error::new(policy.span(), "expected \"deny\", \"allow\" or a status from \"400\" to \"599\""))
}

const EXPECTED: &str = "expected name, priority, on_error, protocols, capabilities, reads_body, no_consumer, \
                        no_route or no_service";

pub(crate) fn expand(arguments: &Arguments, block: &ItemImpl) -> Result<TokenStream> {
    let own = &*block.self_ty;
    let Some(name) = &arguments.name else {
        return Err(Error::new_spanned(own, "a plugin has a name: #[plugin(name = \"...\")]"));
    };
    let config = config(block)?;
    let methods = phase::methods(block)?;
    if methods.is_empty() {
        return Err(Error::new_spanned(own, "a plugin has a phase: on_request, on_response, on_log ..."));
    }
    let waits = |method: &Method| method.form != Form::Plain && method.phase == Phase::Request;
    if arguments.reads_body && !methods.iter().any(waits) {
        let expected = "reads_body is for plugins that wait for the body: async fn on_request";
        return Err(Error::new_spanned(own, expected));
    }
    let words = methods.iter().map(|method| method.phase.word());
    let members = &arguments.members;
    let phases = methods.iter().map(implementation);
    let exports = exports(arguments, own, &methods);
    Ok(quote! {
        #block

        impl ::plugin_sdk::Plugin for #own {
            type Config = #config;
            const MANIFEST: ::plugin_sdk::manifest::Manifest = ::plugin_sdk::manifest::Manifest {
                phases: &[#(#words),*],
                #(#members,)*
                ..::plugin_sdk::manifest::Manifest::new::<#config>(#name, env!("CARGO_PKG_VERSION"))
            };

            fn configure(config: Self::Config) -> ::core::result::Result<Self, ::std::string::String> {
                <#own>::configure(config)
            }

            #(#phases)*
        }

        #exports
    })
}

/// The type that `configure` takes.
fn config(block: &ItemImpl) -> Result<&Type> {
    let configure = block.items.iter().find_map(|item| match item {
        ImplItem::Fn(function) if function.sig.ident == "configure" => Some(function),
        _ => None,
    });
    let argument = configure.and_then(|function| function.sig.inputs.first());
    match argument {
        Some(syn::FnArg::Typed(argument)) => Ok(&argument.ty),
        _ => {
            let expected = "expected fn configure(config: Config) -> Result<Self, String>";
            Err(Error::new_spanned(&block.self_ty, expected))
        }
    }
}

/// The trait's method, which calls the type's own.
fn implementation(method: &Method) -> TokenStream {
    let name = format_ident!("{}", method.phase.method());
    let own = match (method.phase, method.form) {
        (Phase::Request | Phase::Response, Form::Waits) => {
            quote! { ::plugin_sdk::Outcome::later(async move { Self::#name(&self, &mut message).await }) }
        }
        (Phase::Request | Phase::Response, Form::Chooses) => quote! { Self::#name(self, message) },
        (Phase::Request | Phase::Response, Form::Plain) => {
            quote! { ::plugin_sdk::Outcome::now(Self::#name(&self, &mut message)) }
        }
        (Phase::RequestBody | Phase::ResponseBody, _) => {
            quote! { ::core::convert::Into::into(Self::#name(&self, message, body)) }
        }
        (Phase::Log, _) => quote! { Self::#name(self, log) },
        (Phase::Tick, _) => quote! { Self::#name(self) },
    };
    let message = if method.form == Form::Chooses { quote!(message) } else { quote!(mut message) };
    let head = match method.phase {
        Phase::Request => quote! {
            (self: ::std::rc::Rc<Self>, #message: ::plugin_sdk::Request) -> ::plugin_sdk::Outcome
        },
        Phase::Response => quote! {
            (self: ::std::rc::Rc<Self>, #message: ::plugin_sdk::Response) -> ::plugin_sdk::Outcome
        },
        Phase::RequestBody => quote! {
            (&self, message: &mut ::plugin_sdk::Request, body: &mut ::plugin_sdk::Chunk) -> ::plugin_sdk::Flow
        },
        Phase::ResponseBody => quote! {
            (&self, message: &mut ::plugin_sdk::Response, body: &mut ::plugin_sdk::Chunk) -> ::plugin_sdk::Flow
        },
        Phase::Log => quote! { (&self, log: &::plugin_sdk::Log) },
        Phase::Tick => quote! { (&self) },
    };
    quote! { fn #name #head { #own } }
}

/// The callbacks of Proxy-Wasm that the plugin needs, and no others: one that is not there costs nothing.
fn exports(arguments: &Arguments, own: &Type, methods: &[Method]) -> TokenStream {
    let has = |phase: Phase| methods.iter().any(|method| method.phase == phase);
    let waits = methods.iter().any(|method| method.form != Form::Plain);
    let mut callbacks = Vec::new();
    for (phase, callback) in [
        (Phase::Request, "on_request_headers"),
        (Phase::Response, "on_response_headers"),
        (Phase::RequestBody, "on_request_body"),
        (Phase::ResponseBody, "on_response_body"),
        (Phase::Log, "on_log"),
        (Phase::Tick, "on_tick"),
    ] {
        if has(phase) || (phase == Phase::RequestBody && arguments.reads_body) {
            callbacks.push(callback);
        }
    }
    if waits {
        callbacks.extend(["on_http_call_response", "on_foreign_function"]);
    }
    let callbacks = callbacks.into_iter().map(|callback| format_ident!("{}", callback));
    quote! {
        #[cfg(target_arch = "wasm32")]
        ::plugin_sdk::exports! { #own, #(#callbacks),* }
    }
}

#[cfg(test)]
mod tests {
    use quote::quote;
    use syn::parse_quote;

    use super::{Arguments, expand};

    fn refused(arguments: proc_macro2::TokenStream, block: &syn::ItemImpl) -> String {
        let arguments = syn::parse2::<Arguments>(arguments);
        arguments.and_then(|arguments| expand(&arguments, block)).unwrap_err().to_string()
    }

    fn block(methods: &proc_macro2::TokenStream) -> syn::ItemImpl {
        parse_quote! { impl Mine { fn configure(config: Config) -> Result<Self, String> { Ok(Self) } #methods } }
    }

    #[test]
    fn a_word_that_is_none_is_answered_with_those_that_are() {
        let right = block(&quote! { fn on_log(&self, log: &Log) {} });
        for (arguments, message) in [
            (quote!(), "a plugin has a name: #[plugin(name = \"...\")]"),
            (
                quote!(name = "My Plugin"),
                "a plugin's name is small letters, digits and hyphens: \"my-plugin\"",
            ),
            (
                quote!(name = "a", on_error = "maybe"),
                "expected \"deny\", \"allow\" or a status from \"400\" to \"599\"",
            ),
            (quote!(name = "a", prio = 1), super::EXPECTED),
            (
                quote!(name = "a", reads_body),
                "reads_body is for plugins that wait for the body: async fn on_request",
            ),
        ] {
            assert_eq!(refused(arguments, &right), message);
        }
        let policies = [quote!("deny"), quote!("allow"), quote!("503")];
        for policy in policies {
            let arguments = syn::parse2(quote!(name = "a", on_error = #policy)).unwrap();
            expand(&arguments, &right).unwrap();
        }
    }

    #[test]
    fn a_phase_that_is_written_otherwise_is_shown_as_it_should_be() {
        for (methods, message) in [
            (quote!(), "a plugin has a phase: on_request, on_response, on_log ..."),
            (
                quote! { fn on_requests(&self, request: &mut Request) {} },
                "there is no such phase: expected on_request, on_request_body, on_response, on_response_body, on_log \
                 or on_tick",
            ),
            (
                quote! { fn on_request(&mut self, request: &mut Request) {} },
                "expected fn on_request(&self, request: &mut Request)",
            ),
            (quote! { fn on_response(&self) {} }, "expected fn on_response(&self, response: &mut Response)"),
            (
                quote! { fn on_request_body(&self, body: &mut Chunk) {} },
                "expected fn on_request_body(&self, request: &mut Request, body: &mut Chunk)",
            ),
            (quote! { fn on_tick(&self, now: u64) {} }, "expected fn on_tick(&self)"),
            (quote! { async fn on_log(&self, log: &Log) {} }, "on_log cannot wait: make it a plain fn"),
        ] {
            assert_eq!(refused(quote!(name = "a"), &block(&methods)), message);
        }
    }

    #[test]
    fn a_plugin_is_configured() {
        for block in [
            parse_quote! { impl Mine { fn on_tick(&self) {} } },
            parse_quote! { impl Mine { fn configure(self) {} } },
        ] {
            assert_eq!(
                refused(quote!(name = "a"), &block),
                "expected fn configure(config: Config) -> Result<Self, String>"
            );
        }
    }
}
