//! A default as it is written in Rust, as JSON.

use syn::{Error, Expr, ExprArray, ExprLit, ExprUnary, Lit, Result, UnOp};

/// The JSON text of a literal, or of a list of literals.
pub(crate) fn json(expression: &Expr) -> Result<String> {
    match expression {
        Expr::Lit(ExprLit { lit, .. }) => literal(lit),
        Expr::Unary(ExprUnary { op: UnOp::Neg(_), expr, .. }) => Ok(format!("-{}", json(expr)?)),
        Expr::Array(ExprArray { elems, .. }) => {
            let elements = elems.iter().map(json).collect::<Result<Vec<_>>>()?;
            Ok(format!("[{}]", elements.join(",")))
        }
        other => Err(Error::new_spanned(other, "a default is a literal, or a list of literals")),
    }
}

fn literal(literal: &Lit) -> Result<String> {
    match literal {
        Lit::Str(text) => Ok(quoted(&text.value())),
        Lit::Bool(value) => Ok(value.value.to_string()),
        Lit::Int(number) => Ok(number.base10_digits().to_owned()),
        Lit::Float(number) => Ok(number.base10_digits().to_owned()),
        other => Err(Error::new_spanned(other, "a default is a text, a number, true or false")),
    }
}

/// A text as JSON (RFC 8259 section 7).
pub(crate) fn quoted(text: &str) -> String {
    let mut json = String::from("\"");
    for character in text.chars() {
        match character {
            '"' => json.push_str("\\\""),
            '\\' => json.push_str("\\\\"),
            '\n' => json.push_str("\\n"),
            control if u32::from(control) < 0x20 => json.push_str(&format!("\\u{:04x}", u32::from(control))),
            other => json.push(other),
        }
    }
    json.push('"');
    json
}

/// `OnceMore` as serde's `snake_case` writes it: `once_more`.
pub(crate) fn snake_case(name: &str) -> String {
    let mut snake = String::new();
    for (at, character) in name.char_indices() {
        if at > 0 && character.is_uppercase() {
            snake.push('_');
        }
        snake.extend(character.to_lowercase());
    }
    snake
}

#[cfg(test)]
mod tests {
    use syn::parse_quote;

    use super::{json, snake_case};

    #[test]
    fn variants_become_words() {
        assert_eq!(snake_case("Local"), "local");
        assert_eq!(snake_case("OnceMore"), "once_more");
    }

    #[test]
    fn literals_and_lists_of_them_become_json() {
        assert_eq!(json(&parse_quote!(["a", "b\"\\"])).unwrap(), r#"["a","b\"\\"]"#);
        assert_eq!(json(&parse_quote!(-1)).unwrap(), "-1");
        assert_eq!(json(&parse_quote!(0.5)).unwrap(), "0.5");
        assert_eq!(json(&parse_quote!(true)).unwrap(), "true");
        assert!(json(&parse_quote!(String::new())).is_err());
    }
}
