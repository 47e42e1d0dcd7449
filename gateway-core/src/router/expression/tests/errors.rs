//! What is said of expressions that cannot be read (A39).

use super::*;

#[track_caller]
fn says(text: &str, expected: &str) {
    let error = Expression::parse(text).expect_err(text);
    assert_eq!(error.to_string(), expected, "\n{error}");
}

#[test]
fn syntax_is_shown_with_a_pointer_a39() {
    says(
        "http.path == ",
        " --> 1:14\n  |\n1 | http.path == \n  |              ^---\n  |\n  = expected a value: \"text\", r#\"raw text\"#, a number, an address or a range",
    );
    says("", " --> 1:1\n  |\n1 | \n  | ^---\n  |\n  = expected a field, `(` or `!(`");
    says(
        "http.method == \"GET\" &&\n  ! http.path == \"/\"",
        " --> 2:5\n  |\n2 |   ! http.path == \"/\"\n  |     ^---\n  |\n  = expected `(`: `!` stands before parentheses only, as in !(http.method == \"GET\")",
    );
    says(
        r#"http.path = "/""#,
        " --> 1:11\n  |\n1 | http.path = \"/\"\n  |           ^---\n  |\n  = expected an operator: == != ~ ^= =^ >= > <= < in not in contains",
    );
}

#[test]
fn a_predicate_without_sense_is_told_in_kongs_words_a39() {
    says(
        r#"http.method == "GET" && http.pth == "/""#,
        "Unknown LHS field\n --> 1:25\n  |\n1 | http.method == \"GET\" && http.pth == \"/\"\n  |                         ^------^\n  |\n  = no field is called `http.pth`: did you mean `http.path`?",
    );
    says(
        "http.path == 1",
        "Type mismatch between the LHS and RHS values of predicate\n --> 1:14\n  |\n1 | http.path == 1\n  |              ^\n  |\n  = this is an Int; `http.path` is a String: it takes ==, !=, ~, ^=, =^ and contains with a \"text\"",
    );
}

/// The first line of the message and the place.
fn brief(text: &str) -> (String, usize, usize) {
    let error = Expression::parse(text).expect_err(text);
    let message = error.to_string();
    let line = if message.starts_with(' ') { message.lines().nth(5) } else { message.lines().next() };
    (line.unwrap().trim_start_matches([' ', '=']).to_owned(), error.line(), error.column())
}

#[test]
fn each_mistake_has_its_message_and_place() {
    const MISMATCH: &str = "Type mismatch between the LHS and RHS values of predicate";
    const IN: &str = "In/NotIn operators only supports IP in CIDR";
    const GREATER: &str =
        "Greater/GreaterOrEqual/Lesser/LesserOrEqual operators only supports integer operands";
    const PREFIX: &str = "Regex/Prefix/Postfix operators only supports string operands";
    for (text, message, column) in [
        ("foo == 1", "Unknown LHS field", 1),
        ("http.headers. == \"1\"", "Unknown LHS field", 1),
        ("http.queries. == \"1\"", "Unknown LHS field", 1),
        ("http.path.segments.1_1 == \"a\"", "illformed http.path.segments.* field", 1),
        ("http.path.segments.01 == \"a\"", "illformed http.path.segments.* field", 1),
        ("http.path.segments.len == \"1\"", MISMATCH, 27),
        ("http.path == 10.0.0.1", MISMATCH, 14),
        ("net.src.ip == \"10.0.0.1\"", MISMATCH, 15),
        ("net.src.ip == 10.0.0.0/8", MISMATCH, 15),
        ("net.src.port ^= \"1\"", MISMATCH, 17),
        ("net.src.port ^= 1", PREFIX, 14),
        ("net.src.port contains 1", "Contains operator only supports string operands", 14),
        ("http.path > \"a\"", GREATER, 11),
        ("net.src.ip > 10.0.0.1", GREATER, 12),
        ("net.src.ip in 10.0.0.1", IN, 12),
        ("http.path in \"/a\"", IN, 11),
        ("net.src.port not in 10.0.0.0/8", IN, 14),
        ("net.src.port ~ \"1\"", "Regex operators only supports string operands", 14),
        ("http.path ~ 1", "regex operator can only be used with String operands", 13),
        (
            "lower(net.src.port) == 1",
            "lower-case transformation function only supported with String type fields",
            1,
        ),
        (
            "upper(http.path) == \"/\"",
            "unknown transformation function: upper; there are lower() and any()",
            1,
        ),
        ("net.src.ip in 10.0.0.1/8", "host part of address was not zero: the range is 10.0.0.0/8", 15),
        ("net.src.ip == 10.0.0.256", "`10.0.0.256` is no IPv4 or IPv6 address", 15),
        ("net.src.port == 08", "`08` is no octal number", 17),
        ("(http.path == \"/\"", "expected `&&`, `||` or `)`", 18),
        ("http.path == \"/\")", "expected `&&`, `||` or the end", 17),
        ("http.path == \"/\" & net.src.port == 1", "expected `&&`, `||` or the end", 18),
        ("lower(http.path == \"/\"", "expected `)`", 17),
        ("http.path == \"/", "this text does not end: expected `\"`", 14),
        ("http.path == r#\"/\"", "this text does not end: expected `\"#`", 14),
        (
            r#"http.path ~ "\d""#,
            "expected \\\", \\\\, \\n, \\r or \\t; in a raw text, r#\"..\"#, a backslash is itself",
            14,
        ),
    ] {
        assert_eq!(brief(text), (message.to_owned(), 1, column), "{text}");
    }
}

#[test]
fn a_regular_expression_that_is_wrong_is_shown_in_full() {
    let error = Expression::parse("http.path ~ \"/[\"").unwrap_err();
    let message = error.to_string();
    assert_eq!((error.line(), error.column()), (1, 13));
    assert!(
        message.starts_with(" --> 1:13\n") && message.contains("\n  = regex parse error:\n"),
        "{message}"
    );
    assert!(message.ends_with("error: unclosed character class"), "{message}");
}

#[test]
fn a_long_line_is_shown_around_the_mistake() {
    let text = format!(
        "{} && foo == 1 && {}",
        "net.src.port == 1 && ".repeat(20) + "net.src.port == 1",
        "x".repeat(500)
    );
    let message = Expression::parse(&text).unwrap_err().to_string();
    assert!(message.lines().take(5).all(|line| line.chars().count() < 130), "{message}");
    let (line, pointer) = (message.lines().nth(3).unwrap(), message.lines().nth(4).unwrap());
    let at = pointer.find('^').unwrap();
    assert!(line[at..].starts_with("foo == 1"), "{message}");
}

#[test]
fn each_bound_is_told() {
    let nested = |depth: usize| format!("{}http.method == \"GET\"{}", "(".repeat(depth), ")".repeat(depth));
    assert!(Expression::parse(&nested(64)).is_ok());
    assert_eq!(brief(&nested(65)), ("parentheses stand at most 64 deep in each other".into(), 1, 65));
    assert!(Expression::parse(&"!(".repeat(30_000)).is_err());
    let joined = |count: usize| vec!["net.src.port == 1"; count].join(" && ");
    assert!(Expression::parse(&joined(512)).is_ok());
    assert_eq!(brief(&joined(513)).0, "an expression has at most 512 predicates");
    let long = format!("http.path == \"{}\"", "a".repeat(64 << 10));
    assert_eq!(brief(&long).0, format!("an expression has at most 65536 bytes, this has {}", long.len()));
    let large = r#"http.path ~ "(\\w{100}){100}""#;
    assert!(Expression::parse(large).unwrap_err().to_string().contains("size limit of 1048576"));
    assert!(Expression::parse(&format!("{}http.path", "lower(".repeat(5_000))).is_err());
}
