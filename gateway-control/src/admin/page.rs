//! One page of a list: `size`, `offset`, `tags` (compat A11 to A15).

use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD};
use serde_json::{Value, json};

use super::reply::Failure;

/// The arguments of a request.
pub(super) struct Query(Vec<(String, String)>);

/// Which part of a list is asked for.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Page {
    /// How many.
    pub(super) size: usize,
    /// The key to begin at; none: the first.
    pub(super) offset: Option<Value>,
    /// Which tags an entity must have.
    pub(super) tags: Option<Tags>,
    /// Arguments that lead to the next page, without the offset.
    repeated: String,
}

/// A filter by tags.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Tags {
    /// Each of them: `a,b`.
    All(Vec<String>),
    /// At least one: `a/b`.
    Any(Vec<String>),
}

impl Query {
    pub(super) fn of(text: Option<&str>) -> Self {
        Self(form_urlencoded::parse(text.unwrap_or_default().as_bytes()).into_owned().collect())
    }

    pub(super) fn get(&self, name: &str) -> Option<&str> {
        self.0.iter().find(|(key, _)| key == name).map(|(_, value)| value.as_str())
    }

    /// Whether a change is only to be tried. What is neither yes nor no is refused: a typing mistake must not
    /// make it, be it in the value or in the name.
    pub(super) fn is_dry(&self) -> Result<bool, Failure> {
        if let Some((word, _)) = self.0.iter().find(|(key, _)| is_nearly_dry(key)) {
            return Err(Failure::Spelling(word.clone()));
        }
        match self.get("dry_run") {
            None | Some("0" | "false") => Ok(false),
            Some("1" | "true") => Ok(true),
            Some(_) => Err(Failure::Switch("dry_run")),
        }
    }

    /// Whether a switch of Kong's is on: `?check_hash=1`. Anything else is off.
    pub(super) fn is_on(&self, name: &str) -> bool {
        self.get(name) == Some("1")
    }
}

impl Page {
    pub(super) fn of(query: &Query) -> Result<Self, Failure> {
        let mut repeated = form_urlencoded::Serializer::new(String::new());
        for name in ["size", "tags"] {
            if let Some(value) = query.get(name) {
                repeated.append_pair(name, value);
            }
        }
        Ok(Self {
            size: query.get("size").map_or(Ok(100), size)?,
            offset: query.get("offset").map(offset).transpose()?,
            tags: query.get("tags").map(Tags::of).transpose()?,
            repeated: repeated.finish(),
        })
    }

    /// The same, for lists whose next page is told without `size` and `tags` (compat A12).
    pub(super) fn forgetful(mut self) -> Self {
        self.repeated.clear();
        self
    }

    /// The page as Kong writes it. `next` is the key of the first entity behind it.
    pub(super) fn render(&self, path: &str, data: &[Value], next: Option<&Value>) -> Value {
        let Some(key) = next else { return json!({ "data": data, "next": null }) };
        let offset = URL_SAFE_NO_PAD.encode(json!([key]).to_string());
        let and = if self.repeated.is_empty() { "" } else { "&" };
        let next = format!("{path}?offset={offset}{and}{}", self.repeated);
        json!({ "data": data, "next": next, "offset": offset })
    }

    /// Cuts the page out of `rows`, which begin at its offset.
    pub(super) fn cut(
        &self,
        path: &str,
        rows: impl Iterator<Item = Value>,
        key: impl Fn(&Value) -> Value,
    ) -> Value {
        let mut rows = rows.filter(|row| self.tags.as_ref().is_none_or(|tags| tags.fit(row)));
        let data: Vec<_> = rows.by_ref().take(self.size).collect();
        let next = rows.next().map(|row| key(&row));
        self.render(path, &data, next.as_ref())
    }
}

/// Whether somebody who writes this means `dry_run`: `dryrun`, `Dry-Run`, `dry`. No other argument begins so.
fn is_nearly_dry(key: &str) -> bool {
    let letters = || key.chars().filter(char::is_ascii_alphabetic).map(|letter| letter.to_ascii_lowercase());
    key != "dry_run" && letters().take(3).eq("dry".chars())
}

fn size(text: &str) -> Result<usize, Failure> {
    let number: f64 = text.parse().map_err(|_| Failure::Size("size must be a number"))?;
    let whole = text.parse().ok().filter(|size| (1..=1000).contains(size));
    whole.filter(|_| number.is_finite()).ok_or(Failure::Size("size must be an integer between 1 and 1000"))
}

fn offset(text: &str) -> Result<Value, Failure> {
    let bytes = URL_SAFE_NO_PAD.decode(text).ok();
    let list: Option<[Value; 1]> = bytes.and_then(|bytes| serde_json::from_slice(&bytes).ok());
    list.map(|[key]| key).ok_or_else(|| Failure::Offset(text.to_owned()))
}

impl Tags {
    fn of(text: &str) -> Result<Self, Failure> {
        let split = |separator| text.split(separator).map(str::to_owned).collect::<Vec<_>>();
        let tags = match (text.contains(','), text.contains('/')) {
            (true, true) => return Err(Failure::Tags),
            (_, false) => Self::All(split(',')),
            (false, true) => Self::Any(split('/')),
        };
        let (Self::All(list) | Self::Any(list)) = &tags;
        if list.iter().any(String::is_empty) { Err(Failure::Tags) } else { Ok(tags) }
    }

    fn fit(&self, entity: &Value) -> bool {
        let tags = entity.get("tags").and_then(Value::as_array).map(Vec::as_slice).unwrap_or_default();
        let has = |tag: &String| tags.iter().any(|own| own == tag.as_str());
        match self {
            Self::All(wanted) => wanted.iter().all(has),
            Self::Any(wanted) => wanted.iter().any(has),
        }
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::{Page, Query, Tags};

    fn page(query: &str) -> Page {
        Page::of(&Query::of(Some(query))).unwrap()
    }

    #[test]
    fn the_next_page_begins_where_this_one_ends() {
        let rows = || (0..5).map(|id| json!({ "id": id }));
        let first = page("size=2").cut("/x", rows(), |row| row["id"].clone());
        assert_eq!(first["data"].as_array().unwrap().len(), 2);
        let next = first["next"].as_str().unwrap().strip_prefix("/x?").unwrap();
        assert_eq!(page(next).offset, Some(json!(2)));
        assert_eq!(page(next).size, 2);
        assert_eq!(page("").cut("/x", rows(), |row| row["id"].clone())["next"], json!(null));
    }

    #[test]
    fn sizes_and_offsets_that_are_none_are_refused() {
        for query in [
            "size=0",
            "size=1001",
            "size=abc",
            "size=1.5",
            "size=inf",
            "offset=xx",
            "offset=W10",
            "tags=a,b/c",
            "tags=a,",
        ] {
            assert!(Page::of(&Query::of(Some(query))).is_err(), "{query}");
        }
    }

    #[test]
    fn what_is_nearly_dry_run_makes_no_change() {
        let is_dry = |query: &str| Query::of(Some(query)).is_dry();
        for query in
            ["dryrun=1", "Dry_run=1", "dry-run", "dry=1", "dry_run=yes", "dryRun=0", "size=1&_dry_run=1"]
        {
            assert!(is_dry(query).is_err(), "{query}");
        }
        for (query, dry) in
            [("dry_run=1", true), ("dry_run=0", false), ("size=1", false), ("laundry=1", false)]
        {
            assert_eq!(is_dry(query).unwrap(), dry, "{query}");
        }
    }

    #[test]
    fn tags_mean_all_or_any() {
        let entity = json!({ "tags": ["a", "b"] });
        for (filter, fits) in [("a", true), ("a,b", true), ("a,c", false), ("a/c", true), ("c", false)] {
            assert_eq!(Tags::of(filter).unwrap().fit(&entity), fits, "{filter}");
        }
        assert!(!Tags::of("a").unwrap().fit(&json!({ "tags": null })));
    }
}
