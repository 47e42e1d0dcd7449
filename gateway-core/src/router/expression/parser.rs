//! From text to a tree.
//!
//! ```text
//! expression  = group ( "&&" group )*
//! group       = term ( "||" term )*          || binds tighter than &&, as in Kong
//! term        = "!"? "(" expression ")" | predicate
//! predicate   = left operator literal
//! left        = field | ( "lower" | "any" ) "(" left ")"
//! literal     = "text" | r#"raw text"# | number | address | range
//! ```

use std::ops::Range;

use super::{
    super::budget::Budget,
    DEEPEST, LONGEST, MOST_PREDICATES,
    error::ExpressionError,
    field::{Field, FieldError, Subsystem},
    literal::Literal,
    node::Node,
    operator::Operator,
    predicate::{Left, Misfit, Part, Predicate},
};

type Parsed<T> = Result<T, ExpressionError>;

/// Reads an expression over the fields of `subsystem`.
pub(super) fn parse(text: &str, subsystem: Subsystem) -> Parsed<Node> {
    let mut parser = Parser { text, at: 0, subsystem, predicates: 0, budget: Budget::default() };
    if text.len() > LONGEST {
        let note = format!("an expression has at most {LONGEST} bytes, this has {}", text.len());
        return Err(ExpressionError::at(text, 0, note));
    }
    let node = parser.expression(0)?;
    parser.space();
    if parser.at < text.len() {
        return Err(parser.expected("`&&`, `||` or the end"));
    }
    Ok(node)
}

struct Parser<'t> {
    text: &'t str,
    at: usize,
    subsystem: Subsystem,
    predicates: usize,
    budget: Budget,
}

impl<'t> Parser<'t> {
    fn expression(&mut self, depth: usize) -> Parsed<Node> {
        let mut groups = vec![self.group(depth)?];
        while self.eats("&&") {
            groups.push(self.group(depth)?);
        }
        Ok(Node::all(groups))
    }

    fn group(&mut self, depth: usize) -> Parsed<Node> {
        let mut terms = vec![self.term(depth)?];
        while self.eats("||") {
            terms.push(self.term(depth)?);
        }
        Ok(Node::any(terms))
    }

    fn term(&mut self, depth: usize) -> Parsed<Node> {
        let is_negated = self.eats("!");
        self.space();
        let open = self.at;
        if !self.eats("(") {
            if is_negated {
                return Err(
                    self.expected("`(`: `!` stands before parentheses only, as in !(http.method == \"GET\")")
                );
            }
            return self.predicate().map(Node::Predicate);
        }
        if depth == DEEPEST {
            let note = format!("parentheses stand at most {DEEPEST} deep in each other");
            return Err(ExpressionError::at(self.text, open, note));
        }
        let node = self.expression(depth + 1)?;
        if !self.eats(")") {
            return Err(self.expected("`&&`, `||` or `)`"));
        }
        Ok(if is_negated { Node::Not(Box::new(node)) } else { node })
    }

    fn predicate(&mut self) -> Parsed<Predicate> {
        self.space();
        let start = self.at;
        let left = self.left()?;
        let field = start..self.at;
        let (operator, operator_at) = self.operator()?;
        let (literal, literal_at) = self.literal()?;
        self.predicates += 1;
        if self.predicates > MOST_PREDICATES {
            let note = format!("an expression has at most {MOST_PREDICATES} predicates");
            return Err(ExpressionError::over(self.text, start..self.at, note));
        }
        let (kind, literal_span) = (literal.kind(), literal_at.clone());
        let predicate = Predicate::new(left, operator, literal).map_err(|Misfit { part, words, note }| {
            let (span, note) = match part {
                Part::Field => (field, note),
                Part::Operator => (operator_at, note),
                Part::Literal if words.is_some() => (literal_at, format!("this is {kind}; {note}")),
                Part::Literal => (literal_at, note),
            };
            let error = ExpressionError::over(self.text, span, note);
            if let Some(words) = words { error.saying(words) } else { error }
        })?;
        self.budget.take(predicate).map_err(|note| ExpressionError::over(self.text, literal_span, note))
    }

    /// A field, with functions around it.
    fn left(&mut self) -> Parsed<Left> {
        let (mut open, mut lower, mut any) = (0, false, false);
        let (name, span) = loop {
            let (name, span) = self.name()?;
            if !self.eats("(") {
                break (name, span);
            }
            match name {
                "lower" => lower = true,
                "any" => any = true,
                _ => {
                    let note =
                        format!("unknown transformation function: {name}; there are lower() and any()");
                    return Err(ExpressionError::over(self.text, span, note));
                }
            }
            open += 1;
        };
        let field = Field::parse(name, self.subsystem).map_err(|error| self.no_field(name, span, &error))?;
        for _ in 0..open {
            if !self.eats(")") {
                return Err(self.expected("`)`"));
            }
        }
        Ok(Left { field, lower, any })
    }

    /// A name, and where it stands.
    fn name(&mut self) -> Parsed<(&'t str, Range<usize>)> {
        self.space();
        let rest = self.rest();
        if !rest.starts_with(|letter: char| letter.is_ascii_alphabetic()) {
            return Err(self.expected("a field, `(` or `!(`"));
        }
        let is_part = |letter: char| letter.is_ascii_alphanumeric() || letter == '_' || letter == '.';
        let (name, _) = rest.split_at(rest.find(|letter| !is_part(letter)).unwrap_or(rest.len()));
        let start = self.at;
        self.at += name.len();
        Ok((name, start..self.at))
    }

    fn no_field(&self, name: &str, span: Range<usize>, error: &FieldError) -> ExpressionError {
        if *error == FieldError::Segments {
            let note = "after `http.path.segments.` stands an index from 0 as in `1`, two in order as in `0_2`, or `len`";
            return ExpressionError::over(self.text, span, note)
                .saying("illformed http.path.segments.* field");
        }
        let distance = |known: &&str| strsim::damerau_levenshtein(name, known);
        let nearest = self.subsystem.names().min_by_key(distance).filter(|known| distance(known) <= 3);
        let note = match nearest {
            Some(nearest) => format!("no field is called `{name}`: did you mean `{nearest}`?"),
            None => {
                let names: Vec<_> = self.subsystem.names().collect();
                format!("no field is called `{name}`; there are {}", names.join(", "))
            }
        };
        ExpressionError::over(self.text, span, note).saying("Unknown LHS field")
    }

    fn operator(&mut self) -> Parsed<(Operator, Range<usize>)> {
        self.space();
        let Some((operator, length)) = Operator::leading(self.rest()) else {
            let all: Vec<_> = Operator::ALL.iter().map(|operator| operator.as_str()).collect();
            return Err(self.expected(&format!("an operator: {}", all.join(" "))));
        };
        let start = self.at;
        self.at += length;
        Ok((operator, start..self.at))
    }

    fn literal(&mut self) -> Parsed<(Literal, Range<usize>)> {
        self.space();
        let start = self.at;
        let literal = if self.eats("r#\"") {
            self.raw_text(start).map(Literal::Text)
        } else if self.eats("\"") {
            self.quoted_text(start).map(Literal::Text)
        } else {
            self.word()
        };
        literal.map(|literal| (literal, start..self.at))
    }

    fn raw_text(&mut self, start: usize) -> Parsed<String> {
        let rest = self.rest();
        let Some(length) = rest.find("\"#") else {
            return Err(ExpressionError::at(self.text, start, "this text does not end: expected `\"#`"));
        };
        self.at += length + 2;
        Ok(rest.get(..length).unwrap_or_default().to_owned())
    }

    fn quoted_text(&mut self, start: usize) -> Parsed<String> {
        let mut text = String::new();
        let mut letters = self.rest().char_indices();
        let from = self.at;
        while let Some((at, letter)) = letters.next() {
            match letter {
                '"' => {
                    self.at = from + at + 1;
                    return Ok(text);
                }
                '\\' => {
                    let escaped = letters.next().and_then(|(_, letter)| unescaped(letter)).ok_or_else(|| {
                        let note = "expected \\\", \\\\, \\n, \\r or \\t; in a raw text, r#\"..\"#, a backslash is itself";
                        ExpressionError::at(self.text, from + at, note)
                    })?;
                    text.push(escaped);
                }
                letter => text.push(letter),
            }
        }
        Err(ExpressionError::at(self.text, start, "this text does not end: expected `\"`"))
    }

    /// A number, an address or a range.
    fn word(&mut self) -> Parsed<Literal> {
        let rest = self.rest();
        let is_part = |letter: char| letter.is_ascii_alphanumeric() || "_.:/-".contains(letter);
        let (word, _) = rest.split_at(rest.find(|letter| !is_part(letter)).unwrap_or(rest.len()));
        if !word.starts_with(|letter: char| letter.is_ascii_hexdigit() || letter == '-' || letter == ':') {
            return Err(self.expected("a value: \"text\", r#\"raw text\"#, a number, an address or a range"));
        }
        let start = self.at;
        self.at += word.len();
        Literal::parse(word).map_err(|note| ExpressionError::over(self.text, start..self.at, note))
    }

    fn rest(&self) -> &'t str {
        self.text.get(self.at..).unwrap_or_default()
    }

    fn space(&mut self) {
        let rest = self.rest();
        self.at += rest.len() - rest.trim_start_matches([' ', '\t', '\r', '\n']).len();
    }

    /// Takes `token`, and the space before it, if it is next.
    fn eats(&mut self, token: &str) -> bool {
        self.space();
        let is_next = self.rest().starts_with(token);
        self.at += if is_next { token.len() } else { 0 };
        is_next
    }

    fn expected(&self, what: &str) -> ExpressionError {
        ExpressionError::at(self.text, self.at, format!("expected {what}"))
    }
}

fn unescaped(letter: char) -> Option<char> {
    match letter {
        '"' | '\\' => Some(letter),
        'n' => Some('\n'),
        'r' => Some('\r'),
        't' => Some('\t'),
        _ => None,
    }
}
