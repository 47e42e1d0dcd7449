//! The pages in `docs/` say what the code does.
#![allow(clippy::panic)] // a test may panic

use std::{
    collections::BTreeMap,
    fs,
    path::{Path, PathBuf},
};

use gateway_core::Reason;

/// The root of the repository.
fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("..")
}

fn read(path: &str) -> String {
    fs::read_to_string(root().join(path)).unwrap_or_else(|error| panic!("{path}: {error}"))
}

/// The cells of each row of each table of `page`; `\|` is a bar within a cell.
fn rows(page: &str) -> Vec<Vec<String>> {
    page.lines()
        .filter_map(|line| line.strip_prefix("| ")?.strip_suffix(" |"))
        .map(|line| line.replace("\\|", "\u{0}"))
        .map(|line| line.split('|').map(|cell| cell.trim().replace('\u{0}', "|")).collect())
        .collect()
}

/// Every page of the contract with its text.
fn contract() -> Vec<(&'static str, String)> {
    [
        "docs/compat.md",
        "docs/compat/admin.md",
        "docs/compat/entities.md",
        "docs/compat/health.md",
        "docs/compat/observability.md",
        "docs/compat/proxy.md",
        "docs/compat/routing.md",
    ]
    .map(|page| (page, read(page)))
    .to_vec()
}

/// Whether `cell` is the number of a row: a letter, digits, and perhaps a small letter.
fn is_number(cell: &str) -> bool {
    let digits = cell.trim_start_matches(|c: char| c.is_ascii_uppercase());
    let rest = digits.trim_start_matches(|c: char| c.is_ascii_digit());
    cell.len() == digits.len() + 1 && digits.len() > rest.len() && rest.len() <= 1
}

/// Whether `source` has a test of that name: its attribute stands before it, and no other function between.
fn has_test(source: &str, name: &str) -> bool {
    source.split_once(&format!("fn {name}(")).is_some_and(|(before, _)| {
        let attribute = before.rfind("test]").max(before.rfind("test("));
        attribute.is_some_and(|at| !before[at..].contains("fn "))
    })
}

#[test]
fn the_page_of_reasons_is_the_table_of_the_code() {
    let yes = |flag| if flag { "yes" } else { "no" };
    let code: Vec<Vec<String>> = Reason::ALL
        .iter()
        .map(|reason| {
            [
                format!("`{reason}`").as_str(),
                reason.status().as_str(),
                reason.message(),
                yes(reason.blames_upstream()),
                yes(reason.closes_connection()),
            ]
            .map(str::to_owned)
            .to_vec()
        })
        .collect();
    let page = rows(&read("docs/reasons.md"));
    let table: Vec<_> = page.into_iter().filter(|row| row.len() == 5 && row[0] != "word").collect();
    assert_eq!(table, code);
}

#[test]
fn the_page_of_reasons_says_what_to_do_about_each() {
    let page = rows(&read("docs/reasons.md"));
    let advice: Vec<_> = page.iter().filter(|row| row.len() == 3 && row[0] != "word").collect();
    let words: Vec<_> = advice.iter().map(|row| row[0].clone()).collect();
    let code: Vec<_> = Reason::ALL.iter().map(|reason| format!("`{reason}`")).collect();
    assert_eq!(words, code);
    for row in advice {
        assert!(!row[1].is_empty() && !row[2].is_empty(), "{} has no advice", row[0]);
    }
}

#[test]
fn each_row_of_the_contract_is_there_once() {
    let mut found: BTreeMap<String, usize> = BTreeMap::new();
    for (_, text) in contract() {
        for row in rows(&text) {
            if is_number(&row[0]) {
                *found.entry(row[0].clone()).or_default() += 1;
            }
        }
    }
    // The known bugs are an index of rows that stand elsewhere.
    let bugs = ["P45", "P47", "R5", "P43", "A28"];
    let kinds = [
        ('A', 52),
        ('C', 5),
        ('D', 44),
        ('E', 19),
        ('F', 4),
        ('H', 24),
        ('J', 12),
        ('M', 9),
        ('O', 6),
        ('P', 52),
        ('R', 25),
        ('S', 13),
    ];
    for (kind, last) in kinds {
        for number in 1..=last {
            let row = format!("{kind}{number}");
            let times = if bugs.contains(&row.as_str()) { 2 } else { 1 };
            assert_eq!(found.remove(&row), Some(times), "row {row}");
        }
    }
    // What is left are the parts of longer rows: P38b, P43d.
    for (row, times) in found {
        assert!(row.ends_with(|c: char| c.is_ascii_lowercase()), "row {row} is beyond the last of its kind");
        assert_eq!(times, 1, "row {row}");
    }
}

#[test]
fn the_readme_knows_how_many_deviations_there_are() {
    let deviations = rows(&read("docs/compat.md"))
        .iter()
        .filter(|row| row[0].starts_with('D') && is_number(&row[0]))
        .count();
    let said = format!("we do otherwise in {deviations} listed rows");
    assert!(read("README.md").contains(&said), "README.md does not say: {said}");
}

#[test]
fn each_row_of_the_contract_names_tests_and_they_exist() {
    for (page, text) in contract() {
        for row in rows(&text).iter().filter(|row| is_number(&row[0])) {
            let cell = row.last().map_or("", String::as_str);
            for named in cell.split(',').map(|name| name.trim().trim_matches('`')) {
                let (file, name) =
                    named.split_once("::").unwrap_or_else(|| panic!("{page}, row {}: `{named}`", row[0]));
                let name = name.rsplit("::").next().unwrap_or(name);
                assert!(has_test(&read(file), name), "{page}, row {}: no test {named}", row[0]);
            }
        }
    }
}

#[test]
fn links_between_the_pages_lead_somewhere() {
    let pages = contract().into_iter().map(|(page, _)| page).chain([
        "ARCHITECTURE.md",
        "CHANGELOG.md",
        "CONTRIBUTING.md",
        "README.md",
        "docs/explain.md",
        "docs/expressions.md",
        "docs/foreign-functions.md",
        "docs/grpc.md",
        "docs/life-of-a-request.md",
        "docs/lint.md",
        "docs/plugins-host.md",
        "docs/reasons.md",
        "docs/routing.md",
        "docs/settings.md",
        "docs/threat-model.md",
        "docs/upstreams.md",
    ]);
    for page in pages {
        let folder = root().join(page).parent().map(Path::to_path_buf).unwrap_or_default();
        for link in read(page).split("](").skip(1).filter_map(|rest| rest.split(')').next()) {
            let file = link.split('#').next().unwrap_or(link);
            if !file.is_empty() && !file.contains("://") {
                assert!(folder.join(file).exists(), "{page}: {link}");
            }
        }
    }
}
