//! The rules of the language, one test a rule (R22, P46).

use super::*;

#[test]
fn or_binds_tighter_than_and_as_in_kong() {
    let shown = |text: &str| parse(text).to_string();
    let (a, b, c, d) = ("net.src.port == 1", "net.src.port == 2", "net.src.port == 3", "net.src.port == 4");
    assert_eq!(shown(&format!("{a} && {b} || {c}")), format!("{a} && ({b} || {c})"));
    assert_eq!(shown(&format!("{a} || {b} && {c} || {d}")), format!("({a} || {b}) && ({c} || {d})"));
    assert_eq!(shown(&format!("{a} || ({b} && {c}) || {d}")), format!("{a} || ({b} && {c}) || {d}"));
    refuses(r#"http.path == "/a" || http.path == "/b" && http.method == "POST""#, &get("/a"));
    takes(r#"http.path == "/a" || (http.path == "/b" && http.method == "POST")"#, &get("/a"));
}

#[test]
fn parentheses_join_and_a_negation_needs_them() {
    takes(r#"!(http.path == "/a")"#, &get("/b"));
    refuses(r#"! ( http.path == "/a" )"#, &get("/a"));
    takes(r#"!(http.path == "/a" && http.method == "POST")"#, &get("/a"));
    takes(r#"!(!((http.path == "/a")))"#, &get("/a"));
    assert!(Expression::parse(r#"!http.path == "/a""#).is_err());
    assert!(Expression::parse(r#"!!(http.path == "/a")"#).is_err());
}

#[test]
fn any_space_may_stand_between_and_none_must() {
    takes(
        "http.path\t==\r\n\"/a\"&&\n!(http.method==\"PUT\"||net.src.ip not\n in 10.0.0.0/8)",
        &get("/a").with(|given| given.source = Some("10.1.1.1:1".parse().unwrap())),
    );
    takes("http.path contains\"a\"", &get("/a"));
}

#[test]
fn text_compares_by_six_operators_p46() {
    let given = get("/foo/bar");
    for text in [
        r#"http.path == "/foo/bar""#,
        r#"http.path != "/foo""#,
        r#"http.path ^= "/foo""#,
        r#"http.path =^ "bar""#,
        r#"http.path contains "o/b""#,
        r##"http.path ~ r#"^/foo/\w+$"#"##,
        r#"http.path ~ "bar""#,
        r#"http.path ^= """#,
        r#"http.method == "GET""#,
        r#"http.host =^ ".t""#,
    ] {
        takes(text, &given);
    }
    for text in [
        r#"http.path == "/foo""#,
        r#"http.path != "/foo/bar""#,
        r#"http.path ^= "foo""#,
        r#"http.path =^ "foo""#,
        r#"http.path contains "BAR""#,
        r#"http.path ~ "^bar""#,
        r#"http.method == "get""#,
    ] {
        refuses(text, &given);
    }
}

#[test]
fn texts_have_escapes_unless_they_are_raw() {
    let given = get("/").header("x-a", b"a\"b\\c\td");
    takes(r#"http.headers.x_a == "a\"b\\c\td""#, &given);
    takes("http.headers.x_a == \"a\\\"b\\\\c\td\"", &given);
    takes("http.headers.x_a == r#\"a\"b\\c\td\"#", &given);
    refuses(r##"http.headers.x_a == r#"a\"b"#"##, &given);
    takes(r#"http.headers.x_a ~ "a.b\\\\c""#, &given);
}

#[test]
fn numbers_compare_in_all_bases() {
    let given = get("/a/b").with(|given| given.source = Some("10.0.0.1:511".parse().unwrap()));
    for text in ["== 511", "!= 510", "> 510", ">= 511", "< 512", "<= 511", "== 0x1ff", "== 0777", "> -1"] {
        takes(&format!("net.src.port {text}"), &given);
    }
    for text in ["== 512", "!= 511", "> 511", ">= 512", "< 511", "<= 510", "> 9223372036854775807"] {
        refuses(&format!("net.src.port {text}"), &given);
    }
    takes("http.path.segments.len == 2", &given);
}

#[test]
fn addresses_compare_alone_and_with_ranges() {
    let from = |ip: &str| get("/").with(|given| given.source = Some(SocketAddr::new(ip.parse().unwrap(), 1)));
    let v4 = from("192.168.1.7");
    takes("net.src.ip == 192.168.1.7 && net.src.ip != 192.168.1.8", &v4);
    takes("net.src.ip in 192.168.1.0/24 && net.src.ip not in 10.0.0.0/8", &v4);
    takes("net.src.ip in 192.168.0.0/16", &from("::ffff:192.168.1.7"));
    refuses("net.src.ip in fd00::/8", &v4);
    takes("net.src.ip not in fd00::/8", &v4);
    takes("net.src.ip in fd00::/8 && net.src.ip == fd00::1", &from("fd00::1"));
    let to = get("/").with(|given| given.destination = Some("10.0.0.1:8000".parse().unwrap()));
    takes("net.dst.ip == 10.0.0.1", &to);
}

#[test]
fn the_port_is_the_hosts_or_the_listeners_p46() {
    let on = |port, scheme| {
        get("/").with(|given| {
            (given.port, given.scheme) = (port, scheme);
            given.destination = Some("10.0.0.1:8000".parse().unwrap());
        })
    };
    takes("net.port == 1234 && net.dst.port == 1234", &on(1234, Protocol::Http));
    takes("net.dst.port == 8000", &on(80, Protocol::Http));
    takes("net.dst.port == 8000", &on(443, Protocol::Https));
    takes("net.dst.port == 80", &get("/"));
}

#[test]
fn a_field_without_value_makes_its_predicate_false() {
    for field in
        ["http.headers.x_a", "http.queries.a", "tls.sni", "http.path.segments.4", "any(http.headers.x_a)"]
    {
        for operator in ["==", "!=", "^=", "=^", "contains", "~"] {
            refuses(&format!(r#"{field} {operator} "a""#), &get("/"));
        }
        takes(&format!(r#"!({field} != "a")"#), &get("/"));
    }
    for text in
        ["net.src.port != 1", "net.src.ip != 1.1.1.1", "net.src.ip not in 1.0.0.0/8", "net.dst.ip != ::1"]
    {
        refuses(text, &get("/"));
    }
}

#[test]
fn all_values_of_a_field_must_pass_unless_any_is_enough_p46() {
    let one = get("/").header("x-a", b"1");
    let two = one.clone().header("x-a", b"2");
    takes(r#"http.headers.x_a == "1""#, &one);
    refuses(r#"http.headers.x_a == "1""#, &two);
    takes(r#"any(http.headers.x_a) == "1" && any(http.headers.x_a) == "2""#, &two);
    takes(r##"http.headers.x_a ~ r#"^\d$"#"##, &two);
    refuses(r#"any(http.headers.x_a) == "3""#, &two);
    takes(r#"any(http.headers.x_a) != "1""#, &two);
    refuses(r#"http.headers.x_a != "1""#, &two);
    takes(r#"http.headers.x_a contains "," "#, &get("/").header("x-a", b"1,2"));
}

#[test]
fn header_names_are_written_with_underscores_and_mind_no_case() {
    let given = get("/").header("x-my-header", b"1");
    takes(r#"http.headers.x_my_header == "1""#, &given);
    takes(r#"http.headers.X_My_Header == "1""#, &given);
    let literal = given.clone().header("x_my_header", b"2");
    refuses(r#"http.headers.x_my_header == "1""#, &literal);
    takes(r#"any(http.headers.x_my_header) == "2""#, &literal);
    takes(r#"http.headers.x =^ "b""#, &get("/").header("x", b"\xffb"));
}

#[test]
fn arguments_of_the_query_are_unescaped() {
    let given = get("/").query("a=x+y&b=1&b=2&flag&c=%41%2f&%64=4");
    for text in [
        r#"http.queries.a == "x y""#,
        r#"any(http.queries.b) == "2""#,
        r#"http.queries.flag == """#,
        r#"http.queries.c == "A/""#,
        r#"http.queries.d == "4""#,
        r#"http.queries.b != "3""#,
    ] {
        takes(text, &given);
    }
    refuses(r#"http.queries.b == "1""#, &given);
    refuses(r#"http.queries.A == "x y""#, &given);
    refuses(r#"http.queries.none != "x""#, &given);
}

#[test]
fn segments_are_those_of_the_decoded_path() {
    let given = get("/a%20b/c%2Fd/e/");
    takes(r#"http.path.segments.0 == "a b""#, &given);
    takes(r#"http.path.segments.1 == "c%2Fd""#, &given);
    takes(r#"http.path.segments.1_2 == "c%2Fd/e" && http.path.segments.len == 3"#, &given);
    refuses(r#"http.path.segments.3 != "x""#, &given);
    refuses(r#"http.path.segments.1_3 != "x""#, &given);
    takes("http.path.segments.len == 0", &get("/"));
}

#[test]
fn the_path_is_compared_decoded_but_for_reserved_characters() {
    takes(r#"http.path == "/e/sp ace/ü/%2F""#, &get("/e/sp%20ace/%C3%BC/%2F"));
    takes(r#"http.path ^= "/e/sp a""#, &get("/e/sp%20ace"));
    refuses(r#"http.path == "/e/sp%20ace""#, &get("/e/sp%20ace"));
    refuses(r#"http.path ^= "/a//b""#, &get("/a/b"));
}

#[test]
fn lower_changes_the_value_and_not_the_constant() {
    let given = get("/FOO/bar").header("x-a", b"AbC");
    takes(r#"lower(http.path) == "/foo/bar""#, &given);
    refuses(r#"lower(http.path) == "/FOO/bar""#, &given);
    takes(r#"any(lower(http.headers.x_a)) ~ "^abc$""#, &given);
    takes(r#"lower(any(http.headers.x_a)) contains "bc""#, &given);
    assert_eq!(
        parse(r#"lower(any(http.headers.x_a)) == "a""#).to_string(),
        r#"any(lower(http.headers.x_a)) == "a""#
    );
    takes(r#"lower(http.path) == "/ü""#, &get("/%C3%9C"));
}

#[test]
fn hosts_and_server_names_mind_neither_case_nor_a_final_dot() {
    for text in [
        r#"http.host == "A.t.""#,
        r#"http.host =^ ".T""#,
        r#"http.host ^= "A.""#,
        r#"http.host contains "A""#,
    ] {
        takes(text, &get("/"));
    }
    refuses(r#"http.host != "A.T""#, &get("/"));
    let tls = get("/").with(|given| (given.scheme, given.sni) = (Protocol::Https, Some("a.t.".into())));
    takes(r#"tls.sni == "A.T" && net.protocol == "https""#, &tls);
    takes(r#"net.protocol == "http""#, &get("/"));
}

#[test]
fn the_predicate_that_decides_is_told() {
    let text =
        r#"http.host == "a.t" && (http.method == "PUT" || http.path ^= "/b") && !(net.protocol == "http")"#;
    let refused = |given: &Given| {
        let expression = parse(text);
        let refused = expression.refused_by(&given.head()).unwrap();
        (refused.predicate.to_string(), refused.held)
    };
    assert_eq!(refused(&get("/a")), (r#"http.path ^= "/b""#.into(), false));
    assert_eq!(refused(&get("/b")), (r#"net.protocol == "http""#.into(), true));
    assert_eq!(
        refused(&get("/b").with(|given| given.host = "b.t".into())),
        (r#"http.host == "a.t""#.into(), false)
    );
    assert!(parse(r#"http.path ^= "/""#).refused_by(&get("/a").head()).is_none());
    assert_eq!(parse(text).predicates().count(), 4);
}
