//! The examples of the plugins' pages are configurations as they stand.
#![allow(clippy::unwrap_used, clippy::panic, reason = "a test fails by panicking")]

use std::{fs, path::Path};

use gateway_core::{config::Config, plugins};
use gateway_plugins::Plugins;

#[test]
fn every_example_of_a_page_is_a_whole_file() {
    let registry = Plugins::new().unwrap().bundled(plugins::bundled()).unwrap();
    let pages = Path::new(env!("CARGO_MANIFEST_DIR")).join("../docs/plugins");
    let mut seen = 0;
    for page in fs::read_dir(pages).unwrap().map(|entry| entry.unwrap().path()) {
        // The others are not about one plugin, or about a feature that these tests do not switch on.
        let name = page.file_stem().unwrap().to_str().unwrap();
        let text = fs::read_to_string(&page).unwrap();
        for example in text.split("```yaml\n").skip(1).filter(|_| registry.get(name).is_some()) {
            let example = example.split("```").next().unwrap();
            if let Err(problems) = Config::parse(example, &registry) {
                panic!("{}: {problems}\n{example}", page.display());
            }
            seen += 1;
        }
    }
    assert!(seen > 15, "{seen}");
}
