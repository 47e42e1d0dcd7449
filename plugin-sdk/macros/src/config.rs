//! `#[config]`: a type as a plugin's configuration, or as part of one.

use proc_macro2::TokenStream;
use quote::quote;
use syn::{
    Data, DataEnum, DataStruct, DeriveInput, Error, ExprArray, Fields, Result, Token,
    ext::IdentExt,
    parse::{Parse, ParseStream},
    punctuated::Punctuated,
};

use crate::{default, field};

/// What the fields must fulfil together.
pub(crate) struct Arguments {
    rules: Vec<TokenStream>,
    shorthands: Vec<TokenStream>,
}

impl Parse for Arguments {
    fn parse(input: ParseStream<'_>) -> Result<Self> {
        let said = Punctuated::<Said, Token![,]>::parse_terminated(input)?;
        let mut arguments = Self { rules: Vec::new(), shorthands: Vec::new() };
        for said in said {
            match said {
                Said::Rule(rule) => arguments.rules.push(rule),
                Said::Shorthand(shorthand) => arguments.shorthands.push(shorthand),
            }
        }
        Ok(arguments)
    }
}

enum Said {
    Rule(TokenStream),
    Shorthand(TokenStream),
}

impl Parse for Said {
    fn parse(input: ParseStream<'_>) -> Result<Self> {
        let name: syn::Ident = input.parse()?;
        let variant = match name.to_string().as_str() {
            "at_least_one_of" => quote!(AtLeastOneOf),
            "mutually_exclusive" => quote!(MutuallyExclusive),
            "mutually_required" => quote!(MutuallyRequired),
            "required_where" => quote!(RequiredWhere),
            "shorthand" => {
                input.parse::<Token![=]>()?;
                let pair: syn::ExprTuple = input.parse()?;
                return Ok(Self::Shorthand(quote! { #pair }));
            }
            _ => {
                let message = "expected at_least_one_of, mutually_exclusive, mutually_required, required_where or \
                               shorthand";
                return Err(Error::new(name.span(), message));
            }
        };
        input.parse::<Token![=]>()?;
        let names: ExprArray = input.parse()?;
        Ok(Self::Rule(quote! { ::plugin_sdk::table::Rule::#variant(&#names) }))
    }
}

pub(crate) fn expand(arguments: &Arguments, mut item: DeriveInput) -> Result<TokenStream> {
    match &mut item.data {
        Data::Struct(DataStruct { fields: Fields::Named(_), .. }) => structure(arguments, item),
        Data::Enum(_) => choice(&item),
        _ => Err(Error::new_spanned(
            &item,
            "a configuration is a struct with named fields, or an enum of words",
        )),
    }
}

fn structure(arguments: &Arguments, mut item: DeriveInput) -> Result<TokenStream> {
    let name = item.ident.clone();
    let Data::Struct(DataStruct { fields: Fields::Named(fields), .. }) = &mut item.data else {
        return Err(Error::new_spanned(&item, "a struct with named fields"));
    };
    let mut rows = Vec::new();
    for field in &mut fields.named {
        let members = field::take(&mut field.attrs)?;
        let (Some(ident), kind) = (&field.ident, &field.ty) else { continue };
        let own = ident.unraw().to_string();
        rows.push(quote! {
            ::plugin_sdk::table::Field {
                #(#members,)*
                ..::plugin_sdk::table::Field::of::<#kind>(#own)
            }
        });
    }
    let Arguments { rules, shorthands } = arguments;
    Ok(quote! {
        #[derive(::plugin_sdk::serde::Deserialize)]
        #[serde(deny_unknown_fields, crate = "::plugin_sdk::serde")]
        #item

        impl ::plugin_sdk::table::Record for #name {
            const TABLE: ::plugin_sdk::table::Table = ::plugin_sdk::table::Table {
                fields: &[#(#rows),*],
                rules: &[#(#rules),*],
                shorthands: &[#(#shorthands),*],
            };
        }

        impl ::plugin_sdk::table::Typed for #name {
            const KIND: ::plugin_sdk::table::Kind =
                ::plugin_sdk::table::Kind::Record(&<Self as ::plugin_sdk::table::Record>::TABLE);
        }
    })
}

/// An enum of words: `snake_case`, as they stand in a file.
fn choice(item: &DeriveInput) -> Result<TokenStream> {
    let name = &item.ident;
    let Data::Enum(DataEnum { variants, .. }) = &item.data else {
        return Err(Error::new_spanned(item, "an enum"));
    };
    if let Some(variant) = variants.iter().find(|variant| !matches!(variant.fields, Fields::Unit)) {
        return Err(Error::new_spanned(variant, "a word has no fields"));
    }
    let words = variants.iter().map(|variant| default::snake_case(&variant.ident.to_string()));
    Ok(quote! {
        #[derive(::plugin_sdk::serde::Deserialize)]
        #[serde(rename_all = "snake_case", crate = "::plugin_sdk::serde")]
        #item

        impl ::plugin_sdk::table::Typed for #name {
            const KIND: ::plugin_sdk::table::Kind = ::plugin_sdk::table::Kind::OneOf(&[#(#words),*]);
        }
    })
}

#[cfg(test)]
mod tests {
    use quote::quote;
    use syn::{DeriveInput, parse_quote};

    use super::{Arguments, expand};

    fn refused(arguments: proc_macro2::TokenStream, item: DeriveInput) -> String {
        let arguments = syn::parse2::<Arguments>(arguments);
        arguments.and_then(|arguments| expand(&arguments, item)).unwrap_err().to_string()
    }

    #[test]
    fn what_cannot_be_a_configuration_is_answered_with_what_can() {
        for (item, message) in [
            (
                parse_quote! { struct C(u8); },
                "a configuration is a struct with named fields, or an enum of words",
            ),
            (
                parse_quote! { union C { a: u8 } },
                "a configuration is a struct with named fields, or an enum of words",
            ),
            (parse_quote! { enum C { A, B(u8) } }, "a word has no fields"),
            (
                parse_quote! { struct C { #[field(defaults = 1)] a: u8 } },
                "expected default, greater_than, between, shortest, longest, one_of, set, required, referenceable \
                 or deprecated",
            ),
            (
                parse_quote! { struct C { #[field(default = u8::MAX)] a: u8 } },
                "a default is a literal, or a list of literals",
            ),
            (
                parse_quote! { struct C { #[field(default = 'a')] a: String } },
                "a default is a text, a number, true or false",
            ),
        ] {
            assert_eq!(refused(quote!(), item), message);
        }
        let item = parse_quote! { struct C { a: u8 } };
        let message = "expected at_least_one_of, mutually_exclusive or mutually_required";
        assert_eq!(refused(quote!(one_of = ["a"]), item), message);
    }
}
