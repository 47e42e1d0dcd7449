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
            "name" => self.name = Some(input.parse()?),
            "priority" => {
                let priority: Expr = input.parse()?;
                self.members.push(quote! { priority: #priority });
            }
            "on_error" => {
                let on_error: LitStr = input.parse()?;
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
