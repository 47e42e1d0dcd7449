use super::load;

fn value(text: &str) -> serde_json::Value {
    load(text).expect("well-formed").0.to_value()
}

#[test]
fn merge_keys_bring_what_is_not_there() {
    let text = "base: &base {a: 1, b: 2}\nother: {<<: *base, b: 3}\n";
    assert_eq!(value(text)["other"], serde_json::json!({"b": 3, "a": 1}));
}

#[test]
fn the_first_of_several_merged_maps_wins() {
    let text = "x: &x {a: 1}\ny: &y {a: 2, b: 2}\nz:\n  <<: [*x, *y]\n";
    assert_eq!(value(text)["z"], serde_json::json!({"a": 1, "b": 2}));
}

#[test]
fn a_key_given_twice_is_a_problem_and_the_first_counts() {
    let (tree, problems) = load("a:\n- b: 1\n  b: 2\n").expect("well-formed");
    assert_eq!(tree.to_value(), serde_json::json!({"a": [{"b": 1}]}));
    assert_eq!(problems.len(), 1);
    assert_eq!(problems[0].path.to_string(), "a[0].b");
    assert_eq!(problems[0].span.expect("placed").line, 3);
}

#[test]
fn aliases_cannot_grow_without_bound() {
    let mut text = String::from("a0: &a0 [x,x,x,x,x,x,x,x,x,x]\n");
    for level in 1..9 {
        let last = format!("*a{},", level - 1).repeat(10);
        text += &format!("a{level}: &a{level} [{last}]\n");
    }
    let problem = load(&text).expect_err("a bomb");
    assert!(problem.message.contains("aliases copy more than"), "{}", problem.message);
}

#[test]
fn depth_is_bounded() {
    let problem = load(&"[".repeat(10_000)).expect_err("too deep");
    assert!(problem.span.is_some());
}

#[test]
fn a_mistake_in_syntax_has_its_place() {
    let problem = load("services: [a\nroutes: }").expect_err("broken");
    assert_eq!(problem.span.expect("placed").line, 2);
    assert!(problem.message.starts_with("failed parsing declarative configuration: 2:"));
}

#[test]
fn aliases_cannot_copy_long_texts_without_bound() {
    let text = format!("a: &a {}\nb: [{}]\n", "x".repeat(1 << 20), "*a,".repeat(65));
    let problem = load(&text).expect_err("a bomb");
    assert!(problem.message.contains("aliases copy more than 67108864 bytes"), "{}", problem.message);
    let text = format!("a: &a {}\nb: [{}]\n", "x".repeat(1 << 20), "*a,".repeat(64));
    assert!(load(&text).is_ok());
}

#[test]
fn keys_have_a_length_in_yaml_and_json() {
    let problem = load(&format!("? {}\n: 1\n", "k".repeat(1025))).expect_err("too long");
    assert!(problem.message.contains("a key longer than 1024 bytes"), "{}", problem.message);
    assert!(load(&format!("? {}\n: 1\n", "k".repeat(1024))).is_ok());
    assert!(load(&format!("{{\"{}\": 1}}", "k".repeat(1025))).is_err());
    assert!(load(&format!("{{\"{}\": 1}}", "k".repeat(1024))).is_ok());
}

#[test]
fn a_flood_of_keys_given_twice_is_cut() {
    let (_, problems) = load(&"a: 1\n".repeat(5_000)).expect("well-formed");
    assert_eq!(problems.len(), 1_000);
}
