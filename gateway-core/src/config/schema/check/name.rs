//! Names, tags, words.

use serde_json::Value;
use uuid::Uuid;

use super::text;

/// A name: letters of any script, digits, `.`, `-`, `_`, `~` (compat A29).
pub(in crate::config::schema) fn name(value: &Value) -> Result<(), String> {
    let name = text(value);
    let allowed = |char: char| {
        char.is_ascii_alphanumeric() || matches!(char, '.' | '-' | '_' | '~') || !char.is_ascii()
    };
    if name.chars().all(allowed) {
        return Ok(());
    }
    Err(format!(
        "invalid value '{name}': the only accepted ascii characters are alphanumerics or ., -, _, and ~"
    ))
}

/// A tag: printable, without comma and slash, which separate tags in queries.
pub(in crate::config::schema) fn tag(value: &Value) -> Result<(), String> {
    let tag = text(value);
    if tag.chars().any(|char| matches!(char, ',' | '/') || char.is_ascii_control()) {
        return Err(format!(
            "invalid tag '{tag}': expected printable ascii (except `,` and `/`) or valid utf-8 sequences"
        ));
    }
    Ok(())
}

/// An upper-case method.
pub(in crate::config::schema) fn method(value: &Value) -> Result<(), String> {
    let method = text(value);
    if method.bytes().all(|byte| byte.is_ascii_uppercase()) {
        Ok(())
    } else {
        Err(format!("invalid value: {method}"))
    }
}

/// A uuid.
pub(in crate::config::schema) fn uuid(value: &Value) -> Result<(), String> {
    let hyphens = text(value).len() == 36;
    match Uuid::parse_str(text(value)) {
        Ok(_) if hyphens => Ok(()),
        _ => Err("expected a valid UUID".to_owned()),
    }
}

/// The name of a header field.
pub(in crate::config::schema) fn header(value: &Value) -> Result<(), String> {
    let name = text(value);
    if name.bytes().all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_')) {
        return Ok(());
    }
    Err(format!("bad header name '{name}', allowed characters are A-Z, a-z, 0-9, '_', and '-'"))
}

/// The name of a header field that a route may ask for: all but `host`.
pub(in crate::config::schema) fn header_of_route(value: &Value) -> Result<(), String> {
    if text(value).eq_ignore_ascii_case("host") {
        return Err(
            "cannot contain 'host' header, which must be specified in the 'hosts' attribute".to_owned()
        );
    }
    header(value)
}

/// The name of a cookie (RFC 6265 4.1.1: a token).
pub(in crate::config::schema) fn cookie(value: &Value) -> Result<(), String> {
    let name = text(value);
    let token = |byte: u8| byte.is_ascii_alphanumeric() || b"!#$%&'*+-.^_`|~".contains(&byte);
    if name.bytes().all(token) {
        return Ok(());
    }
    Err(format!("bad cookie name '{name}'"))
}

/// The prefix of a vault: a word that can stand in a reference.
pub(in crate::config::schema) fn vault_prefix(value: &Value) -> Result<(), String> {
    let prefix = text(value);
    let inside = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit();
    let ends = prefix.starts_with(|char: char| char.is_ascii_lowercase())
        && prefix.bytes().last().is_some_and(inside)
        && prefix.len() > 1;
    if ends && prefix.bytes().all(|byte| inside(byte) || byte == b'-') {
        return Ok(());
    }
    Err(format!("invalid value: {prefix}"))
}
