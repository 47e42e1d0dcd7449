//! Settings that are not read yet: tables of values.

use toml::{Table, Value};

/// Puts `value` in a place: a key, or a section's name and a key in it with a dot between.
pub(super) fn put(table: &mut Table, place: &str, value: Value) {
    match place.split_once('.') {
        None => drop(table.insert(place.to_owned(), value)),
        Some((section, key)) => {
            let section = table.entry(section).or_insert_with(|| Table::new().into());
            if let Some(section) = section.as_table_mut() {
                section.insert(key.to_owned(), value);
            }
        }
    }
}

/// What stands in either, and where in both, in the upper one.
pub(super) fn over(mut lower: Table, upper: Table) -> Table {
    for (key, value) in upper {
        let value = match (lower.remove(&key), value) {
            (Some(Value::Table(lower)), Value::Table(upper)) => over(lower, upper).into(),
            (_, value) => value,
        };
        lower.insert(key, value);
    }
    lower
}

#[cfg(test)]
mod tests {
    use super::over;
    use crate::settings::Settings;

    #[test]
    fn a_settings_file_wins_over_kongs() {
        let kong = "workers = 1\n[limits]\nfields = 50\npool = 7\n".parse().unwrap();
        let file = "[limits]\nfields = 60\n".parse().unwrap();
        let settings: Settings = over(kong, file).try_into().unwrap();
        let limits = &settings.limits;
        assert_eq!((settings.workers, limits.fields, limits.pool), (Some(1), Some(60), Some(7)));
    }
}
