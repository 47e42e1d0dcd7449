//! What `#[field(...)]` says of a field of a configuration.

use proc_macro2::TokenStream;
use quote::quote;
use syn::{Attribute, Expr, Lit, LitStr, Meta, Result, meta::ParseNestedMeta};

use crate::default;

/// Reads the attributes of a field and takes `#[field]` off them: the members of its row in the table, as they deviate
/// from a plain one's.
pub(crate) fn take(attributes: &mut Vec<Attribute>) -> Result<Vec<TokenStream>> {
    let doc = docs(attributes);
    let mut members = vec![quote! { doc: #doc }];
    for attribute in attributes.iter().filter(|attribute| attribute.path().is_ident("field")) {
        attribute.parse_nested_meta(|meta| {
            members.push(member(&meta)?);
            Ok(())
        })?;
    }
    attributes.retain(|attribute| !attribute.path().is_ident("field"));
    Ok(members)
}

fn member(meta: &ParseNestedMeta<'_>) -> Result<TokenStream> {
    let name = meta.path.get_ident().map(ToString::to_string).unwrap_or_default();
    Ok(match name.as_str() {
        "default" => {
            let json = default::json(&meta.value()?.parse()?)?;
            quote! { default: ::core::option::Option::Some(#json) }
        }
        "format" => {
            let word: LitStr = meta.value()?.parse()?;
            quote! { format: ::core::option::Option::Some(#word) }
        }
        "deprecated" => {
            let instead: LitStr = meta.value()?.parse()?;
            quote! { deprecated: ::core::option::Option::Some(#instead) }
        }
        "greater_than" | "between" | "shortest" | "longest" => {
            let (member, value) = (meta.path.clone(), meta.value()?.parse::<Expr>()?);
            quote! { #member: ::core::option::Option::Some(#value) }
        }
        "one_of" => {
            let texts: Expr = meta.value()?.parse()?;
            quote! { one_of: &#texts }
        }
        "set" | "required" | "referenceable" => {
            let member = meta.path.clone();
            quote! { #member: true }
        }
        _ => return Err(meta.error(EXPECTED)),
    })
}

const EXPECTED: &str = "expected default, greater_than, between, shortest, longest, one_of, format, set, required, \
                        referenceable or deprecated";

/// The text of the doc comments.
pub(crate) fn docs(attributes: &[Attribute]) -> String {
    let lines = attributes.iter().filter_map(|attribute| match &attribute.meta {
        Meta::NameValue(pair) if pair.path.is_ident("doc") => match &pair.value {
            Expr::Lit(literal) => match &literal.lit {
                Lit::Str(text) => Some(text.value().trim().to_owned()),
                _ => None,
            },
            _ => None,
        },
        _ => None,
    });
    lines.collect::<Vec<_>>().join(" ")
}
