//! The examples of the plugins' pages are configurations as they stand.
#![allow(clippy::unwrap_used, clippy::panic, reason = "a test fails by panicking")]

use std::{fs, path::Path};

use gateway_core::{
    config::{Config, Options},
    plugins,
};
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
            let secret = |_: &str| Some("a secret of 32 characters or more".to_owned());
            let config = Config::parse(example, Options::new(&registry).environment(&secret));
            let config =
                config.unwrap_or_else(|problems| panic!("{}: {problems}\n{example}", page.display()));
            for plugin in config.plugins.values() {
                assert!(
                    !plugin.config.to_string().contains("{vault://"),
                    "a secret is not looked up: {example}"
                );
            }
            seen += 1;
        }
    }
    assert!(seen > 15, "{seen}");
}

#[test]
fn c4_plugins_of_kongs_names_have_kongs_priorities() {
    let registry = Plugins::new().unwrap().bundled(plugins::bundled()).unwrap();
    let page = include_str!("../../docs/compat/entities.md");
    let list = page.split("List C4").nth(1).unwrap().split("```").nth(1).unwrap();
    let words: Vec<_> = list.split_whitespace().collect();
    let known: Vec<_> = words
        .windows(2)
        .filter_map(|pair| Some((registry.get(pair[0])?, pair[1].parse::<i32>().ok()?)))
        .collect();
    assert!(known.len() >= 18, "{}", known.len());
    for (plugin, priority) in known {
        assert_eq!(plugin.priority(), priority, "{}", plugin.name());
    }
}

/// What a page says that a plugin stands is what its tests try.
#[test]
fn every_attack_of_a_page_is_a_test() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let page = fs::read_to_string(root.join("../docs/plugins/openid-connect.md")).unwrap();
    let folder = root.join("guests/openid-connect/tests");
    let files = ["attacks_login.rs", "attacks_session.rs", "bearer.rs", "login.rs", "shared.rs"];
    let tests: String = files.map(|file| fs::read_to_string(folder.join(file)).unwrap()).concat();
    let attacks = page.split("\n## Attacks").nth(1).unwrap();
    let named: Vec<_> =
        attacks.lines().filter_map(|line| line.strip_suffix("` |")?.rsplit('`').next()).collect();
    assert!(named.len() >= 40, "{}", named.len());
    for name in named {
        assert!(tests.contains(&format!("#[test]\nfn {name}()")), "there is no test {name}");
    }
}
