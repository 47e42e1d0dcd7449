//! An expression, parsed and compiled.

use std::{fmt, str::FromStr};

use super::{
    super::{
        Head,
        request::{Request, Taken},
    },
    error::ExpressionError,
    field::{Subsystem, TextField},
    keys::{Keys, keyed},
    node::Node,
    operator::Operator,
    parser::parse,
    predicate::{Comparison, Predicate},
    program::Program,
};
use crate::config::{Protocol, Route};

/// An expression over requests: predicates that `&&`, `||`, `!(..)` and parentheses join. Shown in one canonical
/// form, which is read as the same again.
///
/// As in Kong, `||` binds tighter than `&&`, a field that a request does not have makes its predicate false, and all
/// values of a field must pass, unless it stands in `any(..)`.
///
/// ```
/// use gateway_core::router::{Expression, Head};
/// use http::{HeaderMap, Method};
///
/// let text = r##"http.host == "api.example.com" && http.path ~ r#"^/users/\d+$"#"##;
/// let expression: Expression = text.parse().unwrap();
/// let headers = HeaderMap::new();
/// assert!(expression.matches(&Head::new(&Method::GET, "api.example.com", "/users/7", &headers)));
/// let lost = Head::new(&Method::GET, "api.example.com", "/orders/7", &headers);
/// let refused = expression.refused_by(&lost).unwrap();
/// assert_eq!(refused.predicate.to_string(), r##"http.path ~ r#"^/users/\d+$"#"##);
///
/// let error = Expression::parse("http.pth == 1").unwrap_err();
/// assert_eq!((error.line(), error.column()), (1, 1));
/// assert!(error.to_string().ends_with("no field is called `http.pth`: did you mean `http.path`?"));
/// ```
#[derive(Clone, Debug)]
pub struct Expression {
    node: Node,
    program: Program,
}

/// Why an expression does not hold.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Refused<'e> {
    /// The predicate that was asked last and decided it.
    pub predicate: &'e Predicate,
    /// Whether it held, which refuses where it stands in `!(..)`.
    pub held: bool,
}

/// What a rule is made of.
pub(super) struct Parts {
    pub(super) keys: Keys,
    pub(super) program: Program,
}

impl Expression {
    /// Reads an expression over the fields of HTTP requests.
    ///
    /// # Errors
    /// Where and why it cannot be read: its syntax, a field that is not there, an operator or a constant that does not
    /// fit its field, a regular expression that does not parse. Also where it is too long (64 KiB), too deep (64
    /// parentheses in each other), has too many predicates (512) or a regular expression that is too large (1 MiB
    /// compiled).
    pub fn parse(text: &str) -> Result<Self, ExpressionError> {
        Self::over(text, Subsystem::Http)
    }

    /// The whole expression of a route, if it has one: its own, and that the request is of one of its protocols.
    ///
    /// As in Kong, a route for `https` alone takes requests in clear too, to tell them to come again over TLS.
    ///
    /// # Errors
    /// As [`Expression::parse`]. A route for streams has no fields of HTTP.
    #[must_use]
    pub fn of(route: &Route) -> Option<Result<Self, ExpressionError>> {
        let text = route.expression.as_deref()?;
        let expression = Self::over(text, Subsystem::of(&route.protocols));
        Some(expression.map(|expression| match protocol(&route.protocols) {
            Some(protocol) => Self::new(Node::all(vec![expression.node, protocol])),
            None => expression,
        }))
    }

    fn over(text: &str, subsystem: Subsystem) -> Result<Self, ExpressionError> {
        parse(text, subsystem).map(Self::new)
    }

    pub(super) fn new(node: Node) -> Self {
        let program = Program::new(&node);
        Self { node, program }
    }

    /// Whether it takes a request.
    #[must_use]
    pub fn matches(&self, head: &Head<'_>) -> bool {
        self.program.take(0, &Request::new(head)).is_some()
    }

    /// Why it does not take a request; none if it does. Where all sides of an `||` fail, it is the last one.
    #[must_use]
    pub fn refused_by(&self, head: &Head<'_>) -> Option<Refused<'_>> {
        let mut last = (0, true);
        let each = |at, held| last = (at, held);
        if self.program.run(&Request::new(head), &mut Taken::default(), each) {
            return None;
        }
        let predicate = self.predicates().nth(last.0)?;
        Some(Refused { predicate, held: last.1 })
    }

    /// Its predicates, from left to right.
    pub fn predicates(&self) -> impl Iterator<Item = &Predicate> {
        self.node.predicates().into_iter()
    }

    pub(super) fn into_parts(self) -> Parts {
        let (keys, program) = keyed(&self.node);
        Parts { keys, program }
    }

    #[cfg(test)]
    pub(super) fn node(&self) -> &Node {
        &self.node
    }
}

/// That a request is of one of these protocols, where not every one is.
fn protocol(protocols: &[Protocol]) -> Option<Node> {
    let tls = protocols.iter().any(|protocol| matches!(protocol, Protocol::Https | Protocol::Grpcs));
    let clear = protocols.iter().any(|protocol| matches!(protocol, Protocol::Http | Protocol::Grpc));
    if tls == clear || protocols == [Protocol::Https] {
        return None;
    }
    let name = if tls { "https" } else { "http" };
    let comparison = Comparison::Text(TextField::Protocol, Operator::Equals, name.to_owned());
    Some(Node::Predicate(Predicate { lower: false, any: false, comparison }))
}

impl FromStr for Expression {
    type Err = ExpressionError;

    fn from_str(text: &str) -> Result<Self, ExpressionError> {
        Self::parse(text)
    }
}

impl fmt::Display for Expression {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.node.fmt(f)
    }
}
