//! What holds for every text.

use gateway_core::config::Colour;
use proptest::prelude::*;

use crate::parse;

const SHOP: &str = include_str!("../data/kong.yml");

/// Reading, and drawing what is wrong, must end without a panic, whatever the text.
fn read(text: &str) {
    if let Err(problems) = parse(text) {
        let drawn = problems.render("f", text, Colour::Never);
        assert!(drawn.contains("problem"));
        assert!(problems.body()["fields"].is_object());
        assert!(problems.flattened_body()["flattened_errors"].is_array());
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 200, ..ProptestConfig::default() })]

    #[test]
    fn any_text_is_read_without_a_panic(text in any::<String>()) {
        read(&text);
    }

    #[test]
    fn any_yaml_like_text_is_read_without_a_panic(text in "[a-z:\\- \n\\[\\]{},&*<|>'\"#!?%\t0-9~/é]{0,200}") {
        read(&text);
    }

    #[test]
    fn a_file_with_a_piece_replaced_is_read_without_a_panic(
        at in 0..SHOP.len(),
        length in 0..40_usize,
        piece in "[a-z:\\- \n\\[\\]{},&*|'\"é]{0,12}",
    ) {
        let start = (0..=at).rev().find(|at| SHOP.is_char_boundary(*at)).unwrap_or(0);
        let end = (at + length..=SHOP.len()).find(|at| SHOP.is_char_boundary(*at)).unwrap_or(SHOP.len());
        read(&format!("{}{piece}{}", &SHOP[..start], &SHOP[end..]));
    }
}
