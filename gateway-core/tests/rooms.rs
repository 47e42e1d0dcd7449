//! The rooms of the crates use each other as `ARCHITECTURE.md` says.
#![allow(clippy::unwrap_used)] // the files are ours, and a test may panic

use std::{
    collections::{BTreeMap, BTreeSet},
    fs,
    path::Path,
};

/// The crates whose rooms `ARCHITECTURE.md` shows.
const CRATES: [&str; 2] = ["gateway-core", "gateway-plugins"];

fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR")).parent().unwrap()
}

/// The rooms of a crate, each with its line in the picture, counted from the top.
fn rooms(of: &str) -> BTreeMap<String, usize> {
    let page = fs::read_to_string(root().join("ARCHITECTURE.md")).unwrap();
    let part = page.split(&format!("## Rooms of {of}\n")).nth(1).unwrap();
    let picture = part.split("```").nth(1).unwrap();
    // Two spaces part the names, three and more lead to what the line is about.
    let names = |line: &str| -> Vec<String> {
        line.split("   ").next().unwrap_or_default().split_whitespace().map(str::to_owned).collect()
    };
    picture
        .lines()
        .skip(1)
        .enumerate()
        .flat_map(|(line, text)| names(text).into_iter().map(move |name| (name, line)))
        .collect()
}

/// The sources of `room`, without comments and tests, as one text.
fn source(of: &str, room: &str) -> String {
    let src = root().join(of).join("src");
    let mut todo = vec![src.join(room), src.join(format!("{room}.rs"))];
    let mut tests = BTreeSet::new();
    let mut files = Vec::new();
    while let Some(path) = todo.pop() {
        if path.is_dir() {
            todo.extend(fs::read_dir(path).unwrap().map(|entry| entry.unwrap().path()));
        } else if path.extension().is_some_and(|extension| extension == "rs") && path.exists() {
            let file = fs::read_to_string(&path).unwrap();
            let children =
                if path.ends_with("mod.rs") { path.with_file_name("") } else { path.with_extension("") };
            tests.extend(test_modules(&file).map(|name| children.join(format!("{name}.rs"))));
            files.push((path, file));
        }
    }
    files.retain(|(path, _)| !tests.contains(path));
    let code = |file: &str| -> String {
        let end = file.find("\nmod tests {").unwrap_or(file.len());
        let lines = file[..end].lines().filter(|line| !line.trim_start().starts_with("//"));
        lines.collect()
    };
    files.iter().map(|(_, file)| code(file)).collect()
}

/// The modules of `file` that only tests have.
fn test_modules(file: &str) -> impl Iterator<Item = &str> {
    file.split("#[cfg(test)]\nmod ").skip(1).filter_map(|rest| rest.lines().next()?.strip_suffix(';'))
}

/// What follows each `crate::` in `source`: the first name of each path, those in braces too.
fn uses(source: &str) -> BTreeSet<String> {
    let name = |text: &str| -> String {
        text.trim_start().chars().take_while(|c| c.is_alphanumeric() || *c == '_').collect()
    };
    let mut names = BTreeSet::new();
    for rest in source.split("crate::").skip(1) {
        let Some(group) = rest.strip_prefix('{') else {
            names.insert(name(rest));
            continue;
        };
        let mut depth = 0;
        let mut begins = true;
        for (at, letter) in group.char_indices() {
            if depth == 0 && begins {
                names.insert(name(&group[at..]));
                begins = false;
            }
            match letter {
                '{' => depth += 1,
                '}' if depth == 0 => break,
                '}' => depth -= 1,
                ',' if depth == 0 => begins = true,
                _ => {}
            }
        }
    }
    names.remove("");
    names
}

fn lib(of: &str) -> String {
    fs::read_to_string(root().join(of).join("src/lib.rs")).unwrap()
}

/// The names that `lib.rs` gives out from the rooms: `Body` from `body`.
fn exports(of: &str) -> BTreeMap<String, String> {
    let lib = lib(of);
    lib.split("pub use ")
        .skip(1)
        .filter_map(|rest| rest.split(';').next()?.split_once("::"))
        .flat_map(|(room, names)| {
            let names = names.split(|c: char| !c.is_alphanumeric() && c != '_');
            names.filter(|name| !name.is_empty()).map(move |name| (name.to_owned(), room.to_owned()))
        })
        .collect()
}

/// For each room that there is, the rooms it uses.
fn arrows(of: &str) -> BTreeMap<String, BTreeSet<String>> {
    let (rooms, exports) = (rooms(of), exports(of));
    let used = |room: &String| {
        let names = uses(&source(of, room)).into_iter();
        let names = names.map(|name| exports.get(&name).cloned().unwrap_or(name));
        names.filter(|name| rooms.contains_key(name) && name != room).collect()
    };
    rooms.keys().map(|room| (room.clone(), used(room))).collect()
}

#[test]
fn each_module_is_a_room_of_the_picture() {
    for of in CRATES {
        let rooms = rooms(of);
        let lib = lib(of);
        let modules = lib.lines().filter_map(|line| line.trim_start_matches("pub ").strip_prefix("mod "));
        let modules: BTreeSet<_> = modules.map(|rest| rest.trim_end_matches(';')).collect();
        for module in &modules {
            assert!(rooms.contains_key(*module), "ARCHITECTURE.md does not show the room {module} of {of}");
        }
        for room in rooms.keys() {
            assert!(modules.contains(room.as_str()), "{of} has no room {room}");
        }
    }
}

#[test]
fn no_room_uses_one_that_stands_below_it() {
    for of in CRATES {
        let rooms = rooms(of);
        for (room, used) in arrows(of) {
            for other in used {
                assert!(rooms[&other] <= rooms[&room], "{of}: {room} uses {other}, which stands below it");
            }
        }
    }
}

#[test]
fn rooms_beside_each_other_make_no_circle() {
    for of in CRATES {
        let mut arrows = arrows(of);
        // Take away rooms that use nothing that is left, until nothing is left.
        while let Some(free) = arrows.iter().find(|(_, used)| used.is_empty()).map(|(room, _)| room.clone()) {
            arrows.remove(&free);
            for used in arrows.values_mut() {
                used.remove(&free);
            }
        }
        assert!(arrows.is_empty(), "a circle among {arrows:?}");
    }
}

#[test]
fn the_pure_rooms_have_no_runtime_and_no_clock() {
    for room in ["config", "router", "balance", "health", "breaker", "retry", "sanitize"] {
        let source = source("gateway-core", room);
        for word in ["tokio::", "Instant::now", "SystemTime::now", "TcpStream"] {
            assert!(!source.contains(word), "{room} uses {word}");
        }
    }
}

#[test]
fn paths_are_read_from_all_forms_of_use() {
    let names = uses("use crate::{Body, config::{Route, Service}, error::Reason}; crate::router::Head");
    assert_eq!(names.into_iter().collect::<Vec<_>>(), ["Body", "config", "error", "router"]);
}
