//! The attributes of the plugin SDK; use them through `plugin_sdk::prelude`, which documents them.

mod config;
mod default;
mod field;
mod phase;
mod plugin;

use proc_macro::TokenStream;
use syn::{DeriveInput, ItemImpl, parse_macro_input};

/// See `plugin_sdk::plugin`.
#[proc_macro_attribute]
pub fn plugin(arguments: TokenStream, item: TokenStream) -> TokenStream {
    let arguments = parse_macro_input!(arguments as plugin::Arguments);
    let item = parse_macro_input!(item as ItemImpl);
    plugin::expand(&arguments, &item).unwrap_or_else(syn::Error::into_compile_error).into()
}

/// See `plugin_sdk::config`.
#[proc_macro_attribute]
pub fn config(arguments: TokenStream, item: TokenStream) -> TokenStream {
    let arguments = parse_macro_input!(arguments as config::Arguments);
    let item = parse_macro_input!(item as DeriveInput);
    config::expand(&arguments, item).unwrap_or_else(syn::Error::into_compile_error).into()
}
